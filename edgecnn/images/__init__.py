"""Image files of other programs: which kinds are read, their size and orientation by the header, decoding to pixels."""

from __future__ import annotations
