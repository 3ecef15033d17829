"""A recorded signal in memory, and its windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgecnn.errors import InputError
from edgecnn.types import Float32

RATE_TOLERANCE = 0.01  # by which a measured sample rate may differ from that of a model


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples (n, C) float32 at ``rate_hz`` per second (None: unknown), with the names of their channels."""

    samples: Float32
    rate_hz: float | None
    channels: tuple[str, ...]

    def pick(self, channels: Sequence[str], where: str) -> Recording:
        """The recording with only these channels, in this order; without names on either side, the first ones by position.

        Raises ``InputError`` that names ``where`` for a channel that is missing.
        """
        if self.channels == tuple(channels):
            return self
        named = all(name in self.channels for name in channels)
        if not named and (len(self.channels) != len(channels) or _are_names(self.channels)):
            raise InputError(
                f"{where} has the channels {', '.join(self.channels)}, but the model needs {', '.join(channels)}",
                "name the columns with ?columns=, in the model's order",
            )
        order = [self.channels.index(name) for name in channels] if named else list(range(len(channels)))
        return Recording(self.samples[:, order], self.rate_hz, tuple(channels))

    def check_rate(self, rate_hz: float, where: str) -> None:
        """Raise ``InputError`` where the rate is known and differs from ``rate_hz`` by more than 1 %."""
        if self.rate_hz is not None and abs(self.rate_hz - rate_hz) > RATE_TOLERANCE * rate_hz:
            raise InputError(
                f"{where} has {self.rate_hz:g} samples a second, but the model needs {rate_hz:g}",
                "resample it, for example with: ffmpeg -i IN.wav -ar RATE OUT.wav",
            )


def _are_names(channels: Sequence[str]) -> bool:
    """Whether the channels have names of their own, not only those that this package gives to unnamed ones."""
    return any(name != default_channel(index) for index, name in enumerate(channels))


def default_channel(index: int) -> str:
    """The name of a channel without one: ch0, ch1, ..."""
    return f"ch{index}"


def windows(chunks: Iterable[Float32], length: int, hop: int) -> Iterator[tuple[int, Float32]]:
    """Cut a stream of chunks (n, C) into windows (``length``, C), with the number of their first sample; the rest is left out.

    A window starts every ``hop`` samples; with a hop above ``length``, samples in between are skipped.
    """
    start, kept = 0, np.empty((0, 0), np.float32)
    for chunk in chunks:
        kept = np.concatenate([kept, chunk]) if kept.size else chunk
        # the first sample of the next window may not have arrived
        while len(kept) >= max(length, hop):
            yield start, kept[:length]
            kept, start = kept[hop:], start + hop
    if len(kept) >= length:
        yield start, kept[:length]
