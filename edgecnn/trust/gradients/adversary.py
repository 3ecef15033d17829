"""FGSM and PGD on a checkpoint, in whole grey levels of the image at the size of its input, as a real attacker has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.errors import InputError, MissingExtraError
from edgecnn.postprocess.cells import cells
from edgecnn.trust.attack.attackers import FGSM, generator
from edgecnn.trust.attack.target import AttackTarget
from edgecnn.types import Image

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "train") from error

from edgecnn.models import load_checkpoint
from edgecnn.train.adversarial import ascend, step_size
from edgecnn.train.boxes import overlap, to_xyxy

OVERLAP = 0.4  # IoU from which a box that the network predicts is one of the true object
BATCH = 32
DECODERS = ("softmax", "probabilities", "fcos")


class GradientAttack:
    """Attacks by ``steps`` of PGD, or by FGSM in one; raises ``InputError`` for a network whose scores can't be differentiated here."""

    def __init__(self, model: nn.Module, card: ModelCard, method: str, steps: int, seed: int) -> None:
        if card.decode.name not in DECODERS:
            raise InputError(
                f"gradients of a model with the decoder {card.decode.name} are not supported",
                "use --method square, which needs none",
            )
        self._model, self._card = model.eval().requires_grad_(False), card
        self._method, self._steps, self._seed = method, 1 if method == FGSM else steps, seed
        preprocess = card.preprocess
        self._mean, self._std = (torch.tensor(values).view(1, -1, 1, 1) for values in (preprocess.mean, preprocess.std))

    @classmethod
    def open(cls, path: Path, method: str, steps: int, seed: int) -> GradientAttack:
        """The attack on a checkpoint; raises what loading it raises."""
        model, card = load_checkpoint(path)
        return cls(model, card, method, steps, seed)

    def __call__(self, targets: Sequence[AttackTarget], eps: int) -> list[Image]:
        """The attacked pixels of each target, which do not depend on the other targets."""
        found: list[Image] = []
        for start in range(0, len(targets), BATCH):
            found += self._batch(targets[start : start + BATCH], eps)
        return found

    def _batch(self, targets: Sequence[AttackTarget], eps: int) -> list[Image]:
        pixels = torch.from_numpy(np.stack([target.pixels for target in targets])).permute(0, 3, 1, 2).float()
        if eps == 0:
            return [target.pixels for target in targets]
        content = torch.from_numpy(np.stack([target.content for target in targets])).permute(0, 3, 1, 2).float()
        start, step = pixels, float(eps)
        if self._method != FGSM:
            start, step = pixels + self._random(targets, eps), step_size(eps, self._steps)
        with torch.enable_grad():
            moved = ascend(lambda x: self._loss(x, targets), pixels, start, eps * content, self._steps, step)
        # rounding stays within the strength, which is a whole number
        return list(moved.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy())

    def _random(self, targets: Sequence[AttackTarget], eps: int) -> Tensor:
        drawn = [generator(self._seed, target, 0).uniform(-eps, eps, target.pixels.shape) for target in targets]
        return torch.from_numpy(np.stack(drawn).astype(np.float32)).permute(0, 3, 1, 2)

    def _loss(self, pixels: Tensor, targets: Sequence[AttackTarget]) -> Tensor:
        # targets are BGR
        ordered = pixels.flip(1) if self._card.preprocess.color == "rgb" else pixels
        found = self._model((ordered - self._mean) / self._std)
        if self._card.task == "classify":
            return self._class_loss(found, targets)
        distances, scores = found
        return self._box_loss(distances, scores, targets)

    def _class_loss(self, found: Tensor, targets: Sequence[AttackTarget]) -> Tensor:
        """Cross-entropy with the true class, or with all classes of the model that stand for it."""
        own = torch.from_numpy(np.stack([target.own[0] for target in targets]))
        # a class that the model does not have can't be attacked
        known = own.any(1)
        scores = found.flatten(1)
        logs = torch.log(scores.clamp(min=1e-30)) if self._card.decode.name == "probabilities" else F.log_softmax(scores, 1)
        return -logs[known].masked_fill(~own[known], -torch.inf).logsumexp(1).sum()

    def _box_loss(self, distances: Tensor, scores: Tensor, targets: Sequence[AttackTarget]) -> Tensor:
        """The sum of log(1 - score) over the cells whose boxes overlap a true object, for its class: high where it is not seen.

        As the attack that makes objects vanish (Chow et al. 2020, TOG, arXiv:2004.04320).
        """
        strides = tuple(self._card.decode.options.get("strides", (8, 16, 32)))
        corners, sides = (torch.from_numpy(part) for part in cells(self._card.preprocess.size, strides))
        boxes = to_xyxy(distances, corners + sides / 2, sides).detach()
        total = scores.new_zeros(())
        for index, target in enumerate(targets):
            if not len(target.xyxy):
                continue
            there = overlap(torch.from_numpy(target.xyxy)[:, None], boxes[index][None])[0] >= OVERLAP
            own = torch.from_numpy(target.own)
            # (m, N): the score of the object's class in each cell
            score = scores[index].T[None].expand(len(own), -1, -1).masked_fill(~own[:, :, None], 0.0).amax(1)
            total = total + (torch.log1p(-score.clamp(max=1 - 1e-6)) * there).sum()
        # the gradient is zero, not missing, where nothing is seen
        return total + 0.0 * scores.sum()
