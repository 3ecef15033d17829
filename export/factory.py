"""Anybody's model: `package.module:factory` builds it, a file of weights fills it. Weights are data: no code in them is ever run."""

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

NESTED = ("state_dict", "model_state_dict", "model", "ema", "net")  # where training scripts put the weights
PREFIXES = ("module.", "_orig_mod.", "model.")  # what DataParallel, torch.compile and Lightning put before names


def build(target: str) -> nn.Module:
    """What ``package.module:factory`` gives when it is called, in eval mode; the folder one stands in is searched too.

    Raises ``InputError`` for a missing module or factory, for one that fails, and for a result that is no model.
    """
    module_name, _, factory_name = target.partition(":")
    module = _imported(module_name)
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise InputError(f"a function or class {factory_name} in {module_name}", "none", "name it as package.module:factory")
    try:
        model = factory()
    except Exception as error:
        raise InputError(f"{target}() to give a model", _line(error), "make it callable without arguments") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{target}() to give a torch.nn.Module", type(model).__name__, "return the model itself")
    return model.eval()


def _imported(name: str) -> Any:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        do = "run the command where it can be imported" if error.name and name.startswith(error.name) else f"install {error.name}"
        raise InputError(f"the Python module {name}", f"no module named {error.name}", do) from error
    except Exception as error:
        raise InputError(
            f"the Python module {name}", f"an error while importing it: {_line(error)}", "correct the module"
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))


def fill(model: nn.Module, path: Path) -> str:
    """Load the weights at ``path`` (.safetensors, or torch.save of a state dict) into ``model``; gives the file's sha256.

    Raises ``InputError`` for a missing or broken file, one that holds code, and weights that do not fit.
    """
    weights = _named(_read(path), path)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    weights = _renamed(weights, wanted)
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    wrong = [name for name in wrong if not (name.endswith("num_batches_tracked") and name not in found)]
    if wrong:
        name = wrong[0]
        raise InputError(
            f"weights in {path} that fit the model ({name}: {wanted.get(name, 'not there')})",
            f"{len(wrong)} that do not ({name}: {found.get(name, 'missing')})",
            "name the weights of this very model",
        )
    model.load_state_dict(weights, strict=False)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(
            f"weights at {path}", "a folder" if path.is_dir() else "no such file", "check the path given with --weights"
        )
    if not path.stat().st_size:
        raise InputError(f"weights at {path}", "an empty file", "save or copy them again")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            f"weights at {path}, a .safetensors file or a state dict saved by torch.save",
            f"something else ({_line(error)})",
            "save model.state_dict(): objects that run code are not loaded",
        ) from error


def _named(loaded: Any, path: Path) -> dict[str, Tensor]:
    for key in NESTED:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise InputError(f"tensors by name in {path}", type(loaded).__name__, "save model.state_dict()")
    return dict(loaded)


def _renamed(weights: dict[str, Tensor], wanted: Mapping[str, Any]) -> dict[str, Tensor]:
    """Without a prefix that all names have and the model's names have not."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights) and not any(name.startswith(prefix) for name in wanted):
            weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    return weights


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
