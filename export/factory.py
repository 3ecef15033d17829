"""Models built by `package.module:factory`, with weights loaded from a file; code inside a weights file is never run."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecnn.errors import InputError

NESTED = ("state_dict", "model_state_dict", "model", "ema", "net")  # keys under which training scripts store the weights
PREFIXES = ("module.", "_orig_mod.", "model.")  # added to names by DataParallel, torch.compile and Lightning


def build_model(target: str) -> nn.Module:
    """The model that ``package.module:factory`` returns, in eval mode; the working directory is searched too.

    Raises ``InputError`` for a missing module or factory, for a factory that fails, and for a result that is not a model.
    """
    module_name, _, factory_name = target.partition(":")
    module = _import_module(module_name)
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise InputError(f"{module_name} has no function or class {factory_name!r}", "name it as package.module:factory")
    try:
        model = factory()
    except Exception as error:
        raise InputError(f"{target}() failed: {_line(error)}", "make it callable without arguments") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{target}() returned {type(model).__name__}, not a torch.nn.Module", "return the model itself")
    return model.eval()


def _import_module(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        fix = (
            "run the command where it can be imported" if error.name and name.startswith(error.name) else f"install {error.name}"
        )
        raise InputError(f"{name} can't be imported: no module named {error.name}", fix) from error
    except Exception as error:
        raise InputError(f"{name} can't be imported: {_line(error)}", "correct the module") from error
    finally:
        sys.path.remove(str(Path.cwd()))


def load_weights(model: nn.Module, path: Path) -> str:
    """Load the weights at ``path`` (.safetensors, or torch.save of a state dict) into ``model``; returns the file's sha256.

    Raises ``InputError`` for a missing or broken file, for a pickle that contains code, and for weights that do not fit.
    """
    weights = _state_dict(_read(path), path)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    weights = _without_prefix(weights, expected)
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    wrong = [name for name in wrong if not (name.endswith("num_batches_tracked") and name not in found)]
    if wrong:
        name = wrong[0]
        raise InputError(
            f"{len(wrong)} weights in {path} do not fit the model, first {name}: "
            f"the model has {expected.get(name, 'none')}, the file {found.get(name, 'none')}",
            "give the weights of exactly this model",
        )
    model.load_state_dict(weights, strict=False)  # not strict only for num_batches_tracked, which inference does not use
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"--weights: {path} {'is a folder' if path.is_dir() else 'does not exist'}", "check the path")
    if not path.stat().st_size:
        raise InputError(f"--weights: {path} is empty", "save or copy it again")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"--weights: {path} is neither a .safetensors file nor a state dict saved by torch.save ({_line(error)})",
            "save model.state_dict(); objects that run code are not loaded",
        ) from error


def _state_dict(loaded: Any, path: Path) -> dict[str, Tensor]:
    for key in NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"--weights: {path} holds a {type(loaded).__name__}, not tensors by name", "save model.state_dict()")
    return dict(loaded)


def _without_prefix(weights: dict[str, Tensor], expected: Mapping[str, Any]) -> dict[str, Tensor]:
    """``weights`` without a prefix that all their names have and none of the model's names has."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights) and not any(name.startswith(prefix) for name in expected):
            weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
