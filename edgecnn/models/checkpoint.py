"""A checkpoint is one .safetensors file: the weights, and in its header the card. Loading one never runs code from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError, MissingExtraError
from edgecnn.files import write_error, write_file
from edgecnn.models.registry import create
from edgecnn.shipped import checkpoint, names

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".safetensors"
AGAIN = "train it again or copy it again"
ANOTHER_OUT = "choose another folder with --out"


def shipped() -> tuple[str, ...]:
    """Names of the checkpoints inside the package."""
    return names()


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The file of a shipped checkpoint ("cups") or of a path; raises ``InputError`` where there is neither."""
    path = Path(name_or_path)
    if not path.is_file() and str(name_or_path) in shipped():
        return checkpoint(str(name_or_path))
    if not path.exists():
        raise InputError(
            f"a checkpoint ({SUFFIX} file, or {', '.join(shipped()) or 'none'} from the package)",
            f"nothing at {name_or_path}",
            "check the path",
        )
    if not path.is_file() or path.suffix != SUFFIX:
        found = "a folder" if path.is_dir() else path.name
        raise InputError(f"a checkpoint, a {SUFFIX} file", found, "name the file that `edgecnn train` wrote")
    return path


def read_card(name_or_path: str | Path) -> ModelCard:
    """The card of a checkpoint, without its weights; raises ``InputError`` for no file, ``ArtifactError`` for a broken one."""
    path = find_checkpoint(name_or_path)
    with _opened(path, "numpy") as file:
        return _card(file, path)


def read_weights(name_or_path: str | Path) -> tuple[dict[str, Tensor], ModelCard]:
    """The tensors of a checkpoint by name, and its card, without building the model; raises what ``read_card`` raises."""
    path = find_checkpoint(name_or_path)
    with _opened(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, _card(file, path)  # noqa: SIM118 - not a mapping


def load_checkpoint(name_or_path: str | Path) -> tuple[nn.Module, ModelCard]:
    """The model in eval mode on the CPU, and its card.

    A card whose ``model`` says ``pruned`` has fewer channels than its options make: the shapes of the tensors say how many. One that
    says ``quantized`` is of a network trained for int8, which comes back as ``edgecnn.models.quantized.Quantized``.
    Raises ``InputError`` for no file, ``ArtifactError`` for a file that is truncated, has no card or does not fit the model of its card.
    """
    path = find_checkpoint(name_or_path)
    weights, card = read_weights(path)
    if "name" not in card.model:
        raise ArtifactError(f"a card in {path} that names its model", "none", AGAIN)
    model = create(card.model["name"], **card.model.get("options", {}))
    if card.model.get("quantized"):
        model = _rounding(model, card)
    if card.model.get("pruned"):
        from edgecnn.models.resize import resize

        resize(model, weights)
    _fill(model, weights, path, card.model["name"])
    if card.model.get("pruned"):
        _run_once(model.eval(), card, path)
    return model.eval(), card


def save_checkpoint(path: str | Path, model: nn.Module, card: ModelCard, *, half: bool = False) -> ModelCard:
    """Write weights and card into one file, at once or not at all; gives the card back with the digest of the weights.

    ``half`` stores parameters, but not statistics, in half precision; a checkpoint is always loaded in single precision.
    Raises ``InputError`` where the folder can't be written.
    """
    from safetensors.torch import save

    path = Path(path)
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    if half:
        weights |= {key: weights[key].half() for key, _ in model.named_parameters()}
    card = card.replace(sha256=digest(weights))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(path, error, ANOTHER_OUT) from error
    write_file(path, save(weights, {CARD_KEY: card.to_json()}), fix=ANOTHER_OUT)
    return card


def digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of the names and bytes of all tensors, in the order of their names."""
    total = hashlib.sha256()
    for key in sorted(weights):
        total.update(key.encode())
        total.update(weights[key].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _opened(path: Path, framework: str) -> Any:
    if not path.stat().st_size:
        raise ArtifactError(f"a checkpoint at {path}", "an empty file", AGAIN)
    try:
        from safetensors import SafetensorError, safe_open

        if framework == "pt":
            import torch  # noqa: F401 - else safe_open itself would complain
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from error
    try:
        return safe_open(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"a checkpoint at {path}", f"a broken or truncated file ({error})", AGAIN) from error


def _card(file: Any, path: Path) -> ModelCard:
    text = (file.metadata() or {}).get(CARD_KEY)
    if text is None:
        raise ArtifactError(
            f"a checkpoint with a card at {path}",
            "weights without one",
            "use a checkpoint of `edgecnn train`, or export with `edgecnn export package.module:factory --weights FILE`",
        )
    return ModelCard.from_json(text, str(path))


def _fill(model: nn.Module, weights: dict[str, Tensor], path: Path, name: str) -> None:
    wanted = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if wrong:
        first = wrong[0]
        raise ArtifactError(
            f"weights in {path} that fit the model {name} ({first}: {wanted.get(first, 'not there')})",
            f"{len(wrong)} tensors that do not ({first}: {found.get(first, 'missing')})",
            AGAIN,
        )
    model.load_state_dict(weights)


def brings_ranges(name_or_path: str | Path) -> bool:
    """Whether this is a checkpoint of a network trained for int8; False for whatever is no checkpoint."""
    try:
        return bool(read_card(name_or_path).model.get("quantized"))
    except EdgeCnnError:
        return False


def _rounding(model: nn.Module, card: ModelCard) -> nn.Module:
    """The network with its places to round, whose ranges are still to come."""
    import torch

    from edgecnn.models.quantized import quantized

    return quantized(model, torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))


def _run_once(model: nn.Module, card: ModelCard, path: Path) -> None:
    """Layers that were brought to stored shapes fit each other, or the file is wrong."""
    import torch

    try:
        with torch.inference_mode():
            model(torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))
    except RuntimeError as error:
        raise ArtifactError(
            f"a pruned network in {path} whose layers fit each other", (str(error).splitlines() or [""])[0][:160], AGAIN
        ) from error
