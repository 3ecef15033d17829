"""Int8 files by ONNX Runtime's own quantizer, as other people make them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

from edgecnn.types import Array


class CalibrationFeeds(CalibrationDataReader):  # type: ignore[misc]
    """Gives the quantizer one input after the other under the ``name`` of the graph's."""

    def __init__(self, name: str, inputs: Iterable[Array]) -> None:
        self._name, self._left = name, iter(inputs)

    def get_next(self) -> dict[str, Array] | None:
        """The next input; None at the end."""
        given = next(self._left, None)
        return None if given is None else {self._name: given}


def quantize_file(source: Path, path: Path, feeds: CalibrationFeeds, *, per_channel: bool, keep: Sequence[str] = ()) -> Path:
    """``source`` in int8 (QDQ) at ``path``; the nodes of ``keep`` stay in float."""
    quantize_static(source, path, feeds, quant_format=QuantFormat.QDQ, per_channel=per_channel, nodes_to_exclude=list(keep))
    return path
