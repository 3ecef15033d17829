"""Networks of other people's code: ``package.module:factory``. Only those that the caller names are made, never what a file names."""

from __future__ import annotations

import copy
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import ArtifactError, InputError

if TYPE_CHECKING:
    from torch import nn

    from edgecnn.card import ModelCard

_named: dict[
    str, tuple[nn.Module, ModelCard] | None
] = {}  # what the user named in this process, with its weights where they are loaded


def is_factory(target: str | Path) -> bool:
    """Whether a text names a factory; a path may contain a colon, too (C:\\model.safetensors)."""
    return ":" in str(target) and not Path(target).exists()


def name_factory(target: str, opened: tuple[nn.Module, ModelCard] | None = None) -> None:
    """Allow checkpoints of the factory ``target`` to be loaded in this process; ``opened`` is its network with weights, and its card."""
    _named[target] = opened


def opened(target: str) -> tuple[nn.Module, ModelCard]:
    """A copy of the network that was opened as ``target``, and its card; raises ``InputError`` where none was."""
    found = _named.get(target)
    if found is None:
        raise InputError(f"there is no network {target}", "name a checkpoint, or a factory as package.module:factory")
    return copy.deepcopy(found[0]), found[1]


def network_of(target: str, path: Path) -> nn.Module:
    """A new network for the weights in the checkpoint at ``path``; raises ``ArtifactError`` unless the user named the factory."""
    if target not in _named:
        raise ArtifactError(
            f"the network of {path} is made by {target}, which is not part of edgecnn",
            f"name both: edgecnn export {target} --weights {path}",
        )
    return build_model(target)


def build_model(target: str) -> nn.Module:
    """The model that ``package.module:factory`` returns, in eval mode; the working directory is searched too.

    Raises ``InputError`` for a missing module or factory, for a factory that fails, and for a result that is not a model.
    """
    from torch import nn

    from edgecnn.models.weights_file import reason_of

    module_name, _, factory_name = target.partition(":")
    module = _import_module(module_name)
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise InputError(f"{module_name} has no function or class {factory_name!r}", "name it as package.module:factory")
    try:
        model = factory()
    except Exception as error:
        raise InputError(f"{target}() failed: {reason_of(error)}", "make it callable without arguments") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{target}() returned {type(model).__name__}, not a torch.nn.Module", "return the model itself")
    return model.eval()


def _import_module(name: str) -> Any:
    from edgecnn.models.weights_file import reason_of

    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        fix = (
            "run the command where it can be imported" if error.name and name.startswith(error.name) else f"install {error.name}"
        )
        raise InputError(f"{name} can't be imported: no module named {error.name}", fix) from error
    except Exception as error:
        raise InputError(f"{name} can't be imported: {reason_of(error)}", "correct the module") from error
    finally:
        sys.path.remove(str(Path.cwd()))
