"""The error for weights that do not fit a network: what is missing, left over or of another shape, and what the file looks like."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from edgecnn.errors import InputError
from edgecnn.models.weight_names import Candidate, is_counter
from edgecnn.models.weights_file import StoredTensor

SHOWN = 3
# Parts of names that only one way of storing, or one family of networks, has.
LOOKS_LIKE: tuple[tuple[str, str], ...] = (
    (r"\.weight_mask$", "a network under torch.nn.utils.prune; call prune.remove on its layers before saving"),
    (r"\.parametrizations\.|\.weight_[gv]$", "a network with weight normalization or parametrization; remove it before saving"),
    (r"_packed_params|\.zero_point$", "a network quantized by PyTorch; save the float weights"),
    (r"\.lora_[AaBb]\b", "LoRA adapters; merge them into the network before saving"),
    (r"_flat_param", "a shard of FSDP; save the full state dict"),
    (r"\blayer1\.0\.conv3\.weight$", "a ResNet with bottleneck blocks (50, 101 or 152 layers) of torchvision or timm"),
    (r"\blayer4\.0\.conv1\.weight$", "a ResNet with basic blocks (18 or 34 layers) of torchvision or timm"),
    (r"\blayer3\.0\.conv1\.weight$", "a ResNet for CIFAR; those of akamaster are read by python -m edgecnn.models.akamaster"),
    (r"\bfeatures\.\d+\.block\.\d", "an EfficientNet or MobileNetV3 of torchvision"),
    (r"\bfeatures\.\d+\.conv\.\d", "a MobileNetV2 of torchvision"),
    (r"\bblocks\.\d+\.\d+\.conv_(pw|dw)", "an EfficientNet or MobileNet of timm"),
    (r"\bblocks\.\d+\.attn\.", "a vision transformer"),
    (r"\bmodel\.\d+\.(cv1|m\.0)\b", "a YOLO of Ultralytics"),
    (r"\bbackbone\.backbone\.stem", "a YOLOX"),
    (r"\bfeatures\.\d+\.weight$", "a VGG, AlexNet or SqueezeNet of torchvision"),
)


def fits(stored: Tensor, own: Tensor) -> bool:
    """Whether a stored tensor can be copied: same shape, dense, with data, and of numbers of the same kind."""
    usable = stored.layout is torch.strided and not stored.is_meta and not stored.is_quantized
    # whole numbers are no weights of a float network: a quantized file holds them without their scale
    return usable and stored.shape == own.shape and stored.is_floating_point() == own.is_floating_point()


def shown(name: str, tensor: Tensor) -> str:
    """Name and shape as in fc.weight (10, 512), with the type where it is unusual."""
    kind = "" if tensor.is_floating_point() and tensor.layout is torch.strided else f" {tensor.dtype}".replace("torch.", "")
    return f"{name} {tuple(tensor.shape)}{kind}"


def listed(words: Sequence[str]) -> str:
    """The first words of a list and how many follow."""
    return ", ".join(words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def misfit(path: Path, own: Mapping[str, Tensor], best: Candidate, stored: Mapping[str, StoredTensor]) -> InputError:
    """The error for ``best``, the tensors of the file that fit the network ``own`` best."""
    needed = {name: tensor for name, tensor in own.items() if not is_counter(name)}
    if not any(name in best.names for name in needed):
        mine, theirs = next(iter(needed.items()), None), next(((n, s.tensor) for n, s in stored.items()), None)
        problem = f"none of the {len(stored)} tensors in {path} has a name of the model"
        examples = [f"{who} has {shown(*one)}" for who, one in (("the file", theirs), ("the model", mine)) if one]
        return InputError(f"{problem} ({', '.join(examples)})", _hint(needed, best, stored))
    missing = [shown(name, tensor) for name, tensor in needed.items() if name not in best.names]
    other = [
        f"{shown(full, stored[full].tensor)} is {tuple(needed[name].shape)} in the model"
        for name, full in best.names.items()
        if name in needed and not fits(stored[full].tensor, needed[name])
    ]
    rest = [
        shown(name, one.tensor)
        for name, one in stored.items()
        if name not in best.names.values() and name.startswith(best.prefix) and not is_counter(name)
    ]
    groups = (
        (missing, "missing in the file"),
        (other, "of another shape or type"),
        (rest, "that the model does not have"),
    )
    parts = [f"{len(names)} {what} ({listed(names)})" for names, what in groups if names]
    place = f" (key {best.key})" if best.prefix else ""
    return InputError(f"the weights in {path}{place} do not fit the model: {', '.join(parts)}", _hint(needed, best, stored))


def _hint(needed: Mapping[str, Tensor], best: Candidate, stored: Mapping[str, StoredTensor]) -> str:
    classes = _other_classes(needed, best, stored)
    if classes:
        return f"only the last layer differs: make the model with {classes[0]} classes, not {classes[1]}"
    for pattern, text in LOOKS_LIKE:
        if any(re.search(pattern, name) for name in stored) and not any(re.search(pattern, name) for name in needed):
            return f"the file looks like {text}" if ";" in text else f"the file looks like {text}; make the model of that kind"
    return "give the weights of exactly this model, or build the model as it was trained"


def _other_classes(needed: Mapping[str, Tensor], best: Candidate, stored: Mapping[str, StoredTensor]) -> tuple[int, int] | None:
    """Classes in the file and in the model where all fits except the first dimension of the last layer."""
    if not all(name in best.names for name in needed):
        return None
    wrong = [name for name in needed if not fits(stored[best.names[name]].tensor, needed[name])]
    shapes = [(tuple(stored[best.names[name]].tensor.shape), tuple(needed[name].shape)) for name in wrong]
    if (
        not wrong
        or len({name.rpartition(".")[0] for name in wrong}) != 1
        or any(not a or not b or a[1:] != b[1:] for a, b in shapes)
    ):
        return None
    return shapes[0][0][0], shapes[0][1][0]
