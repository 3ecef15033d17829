"""Changes of colors, sharpness and noise of a batch on the training device, by the ranges of an augmentation policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from edgecnn.train.augment import NOISE
from edgecnn.train.augment_policy import AugmentPolicy

LIGHT_CHANCE, GAMMA_CHANCE, COLOR_CHANCE = 0.7, 0.5, 0.5
HUE, SATURATION = 120.0, 1.5  # degrees and relative change at a color of 1
ERASED, ERASED_RATIO = (0.02, 0.3), (0.3, 3.3)  # of the area, and width over height: arXiv:1708.04896
# RGB to YIQ: luma and two axes of chroma
YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))


class ColorAugment:
    """Changes batches (B, H, W, C) float32 of 0..255; ``color`` is "rgb", "bgr" or "gray", the order of their channels."""

    def __init__(self, policy: AugmentPolicy, color: str, device: torch.device) -> None:
        self.policy, self.color, self.device = policy, color, device
        to_yiq = torch.tensor(YIQ)
        to_yiq = to_yiq.flip(1) if color == "bgr" else to_yiq
        self._to_yiq, self._from_yiq = to_yiq.to(device), torch.linalg.inv(to_yiq).to(device)
        self._kernel = (torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16).to(device)

    def __call__(self, images: Tensor) -> Tensor:
        """The changed batch, clipped to 0..255."""
        policy = self.policy
        if policy.brightness:
            images = self._light(images)
        if policy.gamma:
            images = self._gamma(images)
        if policy.color and images.shape[-1] == 3:
            images = self._turn_colors(images)
        if policy.blur or policy.sharpen:
            images = self._sharpness(images)
        if policy.noise:
            images = images + torch.randn_like(images) * self._some(len(images), policy.noise, NOISE) * 255
        if policy.erase:
            images = self._erase(images)
        return images.clamp(0, 255)

    def _random(self, count: int, low: float, high: float) -> Tensor:
        return torch.rand(count, 1, 1, 1, device=self.device) * (high - low) + low

    def _some(self, count: int, chance: float, values: tuple[float, float]) -> Tensor:
        """(B, 1, 1, 1) of ``values`` with a probability, else 0."""
        return self._random(count, *values) * (self._random(count, 0, 1) < chance)

    def _light(self, images: Tensor) -> Tensor:
        most, count = self.policy.brightness, len(images)
        contrast, light = (self._random(count, -most, most) for _ in range(2))
        on = self._random(count, 0, 1) < LIGHT_CHANCE
        return (images * (1 + contrast * on) + light * on * 255).clamp(0, 255)

    def _gamma(self, images: Tensor) -> Tensor:
        most, count = 1 + self.policy.gamma, len(images)
        power = self._random(count, 1 / most, most)
        power = torch.where(self._random(count, 0, 1) < GAMMA_CHANCE, power, 1.0)
        # the gradient is not needed, but 0 ** p must stay 0
        return (images / 255).clamp(min=0).pow(power) * 255

    def _turn_colors(self, images: Tensor) -> Tensor:
        """Hue rotated and saturation scaled, the luma kept."""
        most, count = self.policy.color, len(images)
        angle = self._some(count, COLOR_CHANCE, (-HUE * most, HUE * most)) * (math.pi / 180)
        scale = 1 + self._some(count, COLOR_CHANCE, (-SATURATION * most, SATURATION * most))
        luma, first, second = torch.split(images @ self._to_yiq.T, 1, -1)
        cos, sin = angle.cos() * scale, angle.sin() * scale
        turned = torch.cat([luma, first * cos - second * sin, first * sin + second * cos], -1)
        changed: Tensor = (turned @ self._from_yiq.T).clamp(0, 255)
        return changed

    def _sharpness(self, images: Tensor) -> Tensor:
        count, channels = len(images), images.shape[-1]
        # from 1, blurred, over 0, unchanged, to -1, sharpened
        share = self._some(count, self.policy.blur, (0.5, 1.0)) - self._some(count, self.policy.sharpen, (0.2, 0.5)) * 2
        planes = images.permute(0, 3, 1, 2)
        padded = F.pad(planes, (2, 2, 2, 2), mode="replicate")
        across = F.conv2d(padded, self._kernel.view(1, 1, 1, 5).expand(channels, 1, 1, 5), groups=channels)
        blurred = F.conv2d(across, self._kernel.view(1, 1, 5, 1).expand(channels, 1, 5, 1), groups=channels)
        return images + share * (blurred.permute(0, 2, 3, 1) - images)

    def _erase(self, images: Tensor) -> Tensor:
        """A rectangle of random pixels in some images."""
        count, height, width, _ = images.shape
        area = self._random(count, *ERASED) * height * width
        ratio = self._random(count, *(math.log(end) for end in ERASED_RATIO)).exp()
        wide, high = (area * ratio).sqrt().clamp(max=width), (area / ratio).sqrt().clamp(max=height)
        left, top = self._random(count, 0, 1) * (width - wide), self._random(count, 0, 1) * (height - high)
        x, y = (
            torch.arange(width, device=self.device).view(1, 1, -1, 1),
            torch.arange(height, device=self.device).view(1, -1, 1, 1),
        )
        inside = (x >= left) & (x < left + wide) & (y >= top) & (y < top + high)
        on = self._random(count, 0, 1) < self.policy.erase
        return torch.where(inside & on, torch.rand_like(images) * 255, images)
