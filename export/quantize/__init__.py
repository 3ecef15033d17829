"""Ranges of int8 files: calibrated or trained, and the QDQ graphs that hold them."""
