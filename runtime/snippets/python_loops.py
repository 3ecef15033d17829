"""Programs that run a model several times: in the windows of a signal, in the tiles of a large image."""

from __future__ import annotations

from collections.abc import Sequence

from edgecnn.card import ModelCard, Preprocess
from edgecnn.runtime.model.tiling import OVERLAP
from edgecnn.signals.window_image import DEVIATION, MIDDLE
from edgecnn.types import TensorSpec


def in_windows(pre: Preprocess, run: Sequence[str], decoded: Sequence[str]) -> list[str]:
    """The windows of a CSV file whose first row names its columns; ``run`` makes outputs of ``pixels``."""
    signal, length = pre.signal, pre.size[1]
    assert signal is not None
    rate = f", {signal.rate_hz:g} samples a second" if signal.rate_hz else ""
    return [
        f"# a CSV file whose first row names the columns{rate}",
        "with open(sys.argv[1]) as file:",
        "    columns = file.readline().strip().split(',')",
        f"chosen = [columns.index(name) for name in {list(signal.channels)!r}]",
        "signal = np.loadtxt(sys.argv[1], np.float32, delimiter=',', skiprows=1, usecols=chosen, ndmin=2)",
        f"for start in range(0, len(signal) - {length} + 1, {signal.hop}):",
        *_indented(
            [
                f"window = signal[start : start + {length}].astype(float)",
                "window, deviation = window - window.mean(0), window.std(0)",
                f"window = window / np.where(deviation > 0, deviation, 1) * {DEVIATION} + {MIDDLE}",
                "pixels = np.rint(window).clip(0, 255).astype(np.uint8).T[:, :, None]  # a row for each channel",
                *run,
                "print('sample', start)",
                *decoded,
            ]
        ),
    ]


def in_tiles(card: ModelCard, outputs: Sequence[TensorSpec], inner: Sequence[str]) -> list[str]:
    """Overlapping tiles of the size of the input; ``inner`` makes ``part`` of ``pixels``."""
    rows, columns = card.preprocess.size
    down, across = (min(OVERLAP, (side - 1) // 4) for side in (rows, columns))
    shape = outputs[0].shape if outputs else ()
    enlarged = shape[2 if shape[1] in (1, 3) else 1] // rows if len(shape) == 4 else 1

    def of(place: str) -> str:
        return place if enlarged == 1 else f"({place}) * {enlarged}"

    gray = ["pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)"] if card.preprocess.color == "gray" else []
    return [
        "image = cv2.imread(sys.argv[1])  # (height, width, 3) uint8 BGR; it is never resized, but worked on in tiles",
        "height, width = image.shape[:2]",
        f"image = cv2.copyMakeBorder(image, 0, max({rows} - height, 0), 0, max({columns} - width, 0), cv2.BORDER_REPLICATE)",
        "",
        "",
        "def starts(length, tile, overlap):",
        "    count = 1 if length <= tile else -(-(length - 2 * overlap) // (tile - 2 * overlap))",
        "    return [round(part * (length - tile) / max(count - 1, 1)) for part in range(count)]",
        "",
        "",
        f"whole = np.zeros((image.shape[0] * {enlarged}, image.shape[1] * {enlarged}, 3), np.uint8)",
        f"for top in starts(image.shape[0], {rows}, {down}):",
        f"    for left in starts(image.shape[1], {columns}, {across}):",
        *_indented(
            _indented(
                [
                    f"pixels = image[top : top + {rows}, left : left + {columns}]",
                    *gray,
                    *inner,
                    f"y, x = ({down} if top else 0), ({across} if left else 0)  # what is there already has seen more",
                    f"bottom, right = top + {rows}, left + {columns}",
                    f"whole[{of('top + y')} : {of('bottom')}, {of('left + x')} : {of('right')}] = part[{of('y')} :, {of('x')} :]",
                ]
            )
        ),
        f"whole = whole[: height * {enlarged}, : width * {enlarged}]",
        "cv2.imwrite('restored.png', whole)",
        "print(whole.shape[1], whole.shape[0])",
    ]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
