"""Batches made on the training device: all images stay in its memory as uint8 and are augmented there, a batch at a time.

Nothing here waits for the device or depends on values in its memory, so that a whole training step can be captured as a CUDA graph.
The random numbers are those of the device's default generator. Policies, their ranges and the movement of boxes are those of
``augment``; differences: images are sampled once, bilinearly, hue is rotated and saturation scaled in YIQ, and blur and sharpening
have one kernel size.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from edgecnn.card import Preprocess
from edgecnn.train.copy_paste import PastedCrops
from edgecnn.train.device_color import ColorAugment
from edgecnn.train.device_geometry import BatchLayout, CanvasMotion, Cells, Sampler, content_boxes
from edgecnn.train.in_memory import InMemoryImages
from edgecnn.train.paste_pixels import paste_into_batch


class DeviceBatches(Protocol):
    """Makes batches on the training device."""

    def variant(self, epoch: int) -> Hashable:
        """What is different between epochs, such as the input size: batches of one variant have tensors of the same shapes."""
        ...

    def batch(self, indices: Tensor, epoch: int) -> tuple[Tensor, Any]:
        """Input (B, C, H, W) float32, channels last, and ground truth of the images ``indices`` (B,) int64 on the device."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DeviceImages:
    """Training images in the memory of a device, ``pixels`` (n, h, w, c) uint8, and how they become input."""

    pixels: Tensor
    preprocess: Preprocess
    mean: Tensor
    std: Tensor

    @classmethod
    def place(cls, images: InMemoryImages, preprocess: Preprocess, device: str) -> DeviceImages:
        """Copy all images to ``device``; raises ``torch.OutOfMemoryError`` where they do not fit."""
        mean, std = (torch.tensor(values, device=device) for values in (preprocess.mean, preprocess.std))
        return cls(torch.from_numpy(images.images).to(device), preprocess, mean, std)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.pixels.device

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images in memory."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[2])

    def content(self) -> Tensor:
        """(n, 4) left, top, right, bottom of each image without the bars of its letterbox, in pixels."""
        return content_boxes(self.pixels, self.preprocess.pad_value)

    def sample(
        self, layout: BatchLayout, size: tuple[int, int], color: ColorAugment | None, crops: PastedCrops | None = None
    ) -> Tensor:
        """The batch of a layout at ``size``, with crops pasted onto its canvases and changed colors, as input (B, C, H, W)."""
        sampler = Sampler(size, self.size)
        found = sampler(self.pixels, layout, float(self.preprocess.pad_value))
        found = found if crops is None else paste_into_batch(found, self.pixels, sampler, layout.canvas, crops)
        found = color(found) if color else found
        # (B, H, W, C) seen as (B, C, H, W) is channels-last memory
        return ((found - self.mean) / self.std).permute(0, 3, 1, 2)

    def whole(self, indices: Tensor, canvas: CanvasMotion) -> BatchLayout:
        """The layout of one image for each canvas."""
        return BatchLayout(canvas, Cells.whole(indices, canvas.size, self.size))
