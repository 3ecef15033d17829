"""Augments training images and their boxes with albumentations by a policy; each image has its own seed."""

from __future__ import annotations

import os
import random
from typing import Any

import cv2
import numpy as np

from edgecnn.data import Boxes
from edgecnn.data.moved_boxes import ellipse_boxes, ellipse_points, keep_visible
from edgecnn.errors import MissingExtraError
from edgecnn.train.augment_policy import AugmentPolicy
from edgecnn.types import NO_CLASS, Array, Float32, Image

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would look for a newer version online when imported

BLUR, NOISE = (3, 5), (0.02, 0.08)
MIN_SCALE, MAX_SCALE = 0.5, 1.5  # of an image in a mosaic, to cover its cell


class Augmenter:
    """Augments images (h, w, c) uint8 of one size; not thread-safe. ``pad`` (0..255) fills areas outside of the image."""

    def __init__(self, policy: AugmentPolicy, size: tuple[int, int], channels: int, pad: int = 0) -> None:
        self.policy = policy
        self._transform, self._moves_boxes = None, False
        if policy.record():
            A = _library()
            geometric = _geometric(A, policy, size, pad)
            points = A.KeypointParams(format="xy", remove_invisible=False) if geometric else None
            self._transform = A.Compose([*geometric, *_photometric(A, policy, channels)], keypoint_params=points)
            self._moves_boxes = bool(geometric)

    def image(self, image: Image, seed: int) -> Image:
        """The image, augmented by the random numbers of ``seed``."""
        return self._run(image, np.zeros((0, 2), np.float32), seed)[0]

    def with_boxes(self, image: Image, boxes: Boxes, seed: int) -> tuple[Image, Boxes]:
        """The augmented image and its boxes; an object that is mostly cut off becomes a crowd box."""
        changed, points = self._run(image, ellipse_points(boxes.xyxy), seed)
        return changed, keep_visible(boxes, ellipse_boxes(points), (image.shape[0], image.shape[1]))

    def with_mask(self, image: Image, mask: Image, seed: int) -> tuple[Image, Image]:
        """The augmented image and its mask (h, w), NO_CLASS outside of it."""
        if self._transform is None:
            return image, mask
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        done: dict[str, Any] = self._transform(image=np.ascontiguousarray(image), mask=mask, **self._no_points())
        return done["image"].reshape(*done["image"].shape[:2], -1), done["mask"]

    def with_points(self, image: Image, points: Float32, seed: int) -> tuple[Image, Float32, bool]:
        """The augmented image, its points (n, 2), and whether it was mirrored."""
        # three points that span the plane: their orientation changes where the image is mirrored
        frame = np.array([[0, 0], [1, 0], [0, 1]], np.float32)
        changed, moved = self._run(image, np.concatenate([frame, points]), seed)
        across, down = moved[1] - moved[0], moved[2] - moved[0]
        return changed, moved[3:], bool(across[0] * down[1] - across[1] * down[0] < 0)

    def _no_points(self) -> dict[str, Float32]:
        return {"keypoints": np.zeros((0, 2), np.float32)} if self._moves_boxes else {}

    def _run(self, image: Image, points: Float32, seed: int) -> tuple[Image, Float32]:
        if self._transform is None:
            return image, points
        # One generator for all transforms: with a seed each they would draw the same numbers, and the flipped images be the erased ones.
        self._transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
        # Our coordinates start at the left edge of the first pixel, those of albumentations at its centre.
        keypoints = {"keypoints": points - np.float32(0.5)} if self._moves_boxes else {}
        done: dict[str, Any] = self._transform(image=np.ascontiguousarray(image), **keypoints)
        if self._moves_boxes:
            points = np.asarray(done["keypoints"], np.float32).reshape(-1, 2) + np.float32(0.5)
        return done["image"].reshape(*done["image"].shape[:2], -1), points


def _library() -> Any:
    try:
        import albumentations
    except ModuleNotFoundError as error:
        if error.name != "albumentations":
            raise
        raise MissingExtraError("albumentations", "train") from error
    return albumentations


def _geometric(A: Any, policy: AugmentPolicy, size: tuple[int, int], pad: int) -> list[Any]:
    steps: list[Any] = []
    if policy.flip:
        steps.append(A.HorizontalFlip(p=policy.flip))
    if policy.flip_vertical:
        steps.append(A.VerticalFlip(p=policy.flip_vertical))
    if policy.crop:
        steps.append(A.RandomResizedCrop(size, scale=(1 - policy.crop, 1.0), ratio=(0.8, 1.25), p=0.5))
    if policy.scale or policy.rotate:
        steps.append(
            A.Affine(
                scale=(1 / (1 + policy.scale), 1 + policy.scale),
                rotate=(-policy.rotate, policy.rotate),
                translate_percent=(-policy.shift, policy.shift),
                keep_ratio=True,
                balanced_scale=True,
                fill=pad,
                fill_mask=NO_CLASS,
                p=0.8,
            )
        )
    elif policy.shift:  # by whole pixels, which does not blur small images; cropping a padded image is faster than a warp
        rows, columns = (max(round(policy.shift * side), 1) for side in size)
        steps += [A.Pad((columns, rows, columns, rows), fill=pad, fill_mask=NO_CLASS), A.RandomCrop(*size)]
    return steps


def _photometric(A: Any, policy: AugmentPolicy, channels: int) -> list[Any]:
    steps: list[Any] = []
    if policy.brightness:
        steps.append(A.RandomBrightnessContrast(policy.brightness, policy.brightness, p=0.7))
    if policy.gamma:
        steps.append(A.RandomGamma((round(100 / (1 + policy.gamma)), round(100 * (1 + policy.gamma))), p=0.5))
    if policy.color and channels == 3:
        hue, saturation = round(60 * policy.color), round(150 * policy.color)
        steps.append(A.HueSaturationValue(hue, saturation, 0, p=0.5))
    if policy.blur:
        steps.append(A.GaussianBlur(blur_limit=BLUR, p=policy.blur))
    if policy.sharpen:
        steps.append(A.Sharpen(p=policy.sharpen))
    if policy.noise:
        steps.append(A.GaussNoise(std_range=NOISE, p=policy.noise))
    if policy.erase:  # random erasing, arXiv:1708.04896
        steps.append(A.Erasing(scale=(0.02, 0.3), fill="random_uniform", p=policy.erase))
    return steps


def resize(image: Image, boxes: Boxes, size: tuple[int, int]) -> tuple[Image, Boxes]:
    """Image and boxes, resized to ``size`` (height, width)."""
    height, width = image.shape[:2]
    if (height, width) == size:
        return image, boxes
    smaller: Image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, image.shape[2])  # type: ignore[assignment]
    factor = np.array([size[1] / width, size[0] / height] * 2, np.float32)
    return smaller, Boxes(boxes.xyxy * factor, boxes.class_id, None, boxes.crowd)


def seed_of(generator: np.random.Generator) -> int:
    """A seed for ``Augmenter``, drawn from the generator of one image."""
    return int(generator.integers(0, 2**31))


def mosaic(parts: list[tuple[Array, Boxes]], generator: np.random.Generator, pad: int) -> tuple[Image, Boxes]:
    """Four images of one size, or a crop of each, around a random centre: mosaic augmentation, YOLOv4, arXiv:2004.10934."""
    height, width, channels = parts[0][0].shape
    canvas = np.full((height, width, channels), pad, np.uint8)
    row, column = (int(side * generator.uniform(0.35, 0.65)) for side in (height, width))
    cells = [(0, 0, row, column), (0, column, row, width), (row, 0, height, column), (row, column, height, width)]
    found = []
    for (top, left, bottom, right), (image, boxes) in zip(cells, parts, strict=True):
        size = (bottom - top, right - left)
        content = content_box(image, pad)
        cover = max(size[0] / (content[2] - content[0]), size[1] / (content[3] - content[1]))
        factor = min(max(cover, MIN_SCALE), MAX_SCALE) * generator.uniform(0.9, 1.2)
        # the top left corner of the cell in the scaled image: an image larger than its cell is cropped at a random position
        start = [
            content[axis] * factor + generator.uniform(0, 1) * max((content[axis + 2] - content[axis]) * factor - size[axis], 0)
            for axis in (0, 1)
        ]
        # warpAffine maps pixel centres, our coordinates are pixel edges: hence the offset of factor / 2 - 0.5
        matrix = np.array([[factor, 0, factor / 2 - 0.5 - start[1]], [0, factor, factor / 2 - 0.5 - start[0]]], np.float32)
        cell = cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=(pad,) * channels)
        canvas[top:bottom, left:right] = cell.reshape(*size, channels)
        moved = boxes.xyxy * factor - np.array([start[1], start[0]] * 2, np.float32)
        inside = keep_visible(boxes, moved.astype(np.float32), size)
        # boxes were clipped to the cell in its own coordinates: moved to the canvas only now
        corner = np.array([left, top] * 2, np.float32)
        found.append(Boxes(inside.xyxy + corner, inside.class_id, None, inside.crowd))
    return canvas, concatenate(found)


def content_box(image: Image, pad: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of an image without the bars of its letterbox."""
    value = (pad,) * image.shape[2]
    left, top, width, height = cv2.boundingRect(cv2.bitwise_not(cv2.inRange(image, value, value)))
    return (top, left, top + height, left + width) if width else (0, 0, image.shape[0], image.shape[1])


def concatenate(boxes: list[Boxes]) -> Boxes:
    """The boxes of several images as one ``Boxes``."""
    crowd = [np.zeros(len(item), bool) if item.crowd is None else item.crowd for item in boxes]
    return Boxes(
        np.concatenate([item.xyxy for item in boxes]),
        np.concatenate([item.class_id for item in boxes]),
        None,
        np.concatenate(crowd),
    )
