"""Checkpoints: one .safetensors file with the weights, and the card in its header. Loading one never runs code from it.

The format: 8 bytes, the length of the header as a little-endian integer; the header, JSON with dtype, shape and byte range of each
tensor and in ``__metadata__`` strings, of which ``CARD_KEY`` is the card; then the bytes of all tensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn import got_models
from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.errors import ArtifactError, EdgeCnnError, InputError, MissingExtraError
from edgecnn.files import write_error, write_file
from edgecnn.models.factories import is_factory, network_of, opened
from edgecnn.models.registry import create
from edgecnn.shipped import checkpoint, names

if TYPE_CHECKING:
    from torch import Tensor, nn

SUFFIX = ".safetensors"
OF_TORCH = (".pt", ".pth", ".th", ".ckpt", ".bin", ".tar")
WITH_FACTORY = "weights alone are exported with `edgecnn export package.module:factory --weights FILE`"
AGAIN = "train it or copy it again"
ANOTHER_OUT = "choose another folder with --out"


def shipped() -> tuple[str, ...]:
    """Names of the checkpoints inside the package."""
    return names()


def find_checkpoint(name_or_path: str | Path) -> Path:
    """The file of a shipped checkpoint ("cups") or of a path; raises ``InputError`` where neither exists."""
    path = Path(name_or_path)
    if not path.is_file() and str(name_or_path) in shipped():
        return checkpoint(str(name_or_path))
    if not path.exists():
        got = got_models.path(str(name_or_path))
        if got is not None:
            raise InputError(
                f"{name_or_path} is a model file of other people ({got.name}), not a checkpoint",
                "it can be run, evaluated, measured and teach others, but not be exported or trained",
            )
        raise InputError(
            f"the checkpoint {name_or_path} does not exist",
            f"name a {SUFFIX} file, or one of the package: {', '.join(shipped()) or 'none'}",
        )
    if not path.is_file() or path.suffix != SUFFIX:
        kind = "is a folder, not a checkpoint" if path.is_dir() else f"is not a checkpoint, which is a {SUFFIX} file"
        foreign = path.suffix in OF_TORCH and not path.is_dir()
        raise InputError(f"{path} {kind}", WITH_FACTORY if foreign else "name the file that `edgecnn train` wrote")
    return path


def read_card(name_or_path: str | Path) -> ModelCard:
    """The card of a checkpoint, without its weights; raises ``InputError`` for a missing file, ``ArtifactError`` for a broken one."""
    path = find_checkpoint(name_or_path)
    with _opened(path, "numpy") as file:
        return _card(file, path)


def read_weights(name_or_path: str | Path) -> tuple[dict[str, Tensor], ModelCard]:
    """The tensors of a checkpoint by name, and its card, without building the model; raises what ``read_card`` raises."""
    path = find_checkpoint(name_or_path)
    with _opened(path, "pt") as file:
        weights, card = {key: file.get_tensor(key) for key in file.keys()}, _card(file, path)  # noqa: SIM118 - not a mapping
    if card.sha256 and digest(weights) != card.sha256:
        raise ArtifactError(
            f"the weights in {path} are not those that were written: their SHA-256 differs from the card's", AGAIN
        )
    return weights, card


def load_checkpoint(name_or_path: str | Path) -> tuple[nn.Module, ModelCard]:
    """The model in eval mode on the CPU, and its card.

    A network whose card says ``pruned`` has fewer channels than its options give: the shapes of the tensors say how many. One whose
    card says ``quantized`` was trained for int8, and is loaded as ``edgecnn.models.quantized.QuantizedModel``. A network of other
    people's code is made only where the caller named its factory (``edgecnn.models.factories``); ``name_or_path`` may be that name, too.
    Raises ``InputError`` for a missing file, ``ArtifactError`` for one that is truncated, has no card or does not fit its card.
    """
    if is_factory(name_or_path):
        return opened(str(name_or_path))
    path = find_checkpoint(name_or_path)
    weights, card = read_weights(path)
    if "name" not in card.model:
        raise ArtifactError(f"the card in {path} does not name its model", AGAIN)
    name = card.model["name"]
    model = network_of(name, path) if is_factory(name) else create(name, **card.model.get("options", {}))
    if card.model.get("quantized"):
        model = _with_fake_quant(model, card)
    if card.model.get("pruned"):
        from edgecnn.models.resize import resize

        resize(
            model, weights
        )  # after fake quantization was inserted, whose points depend on the layers but not on their channels
    _fill(model, weights, path, card.model["name"])
    if card.model.get("pruned"):
        _run_once(model.eval(), card, path)
    return model.eval(), card


def save_checkpoint(path: str | Path, model: nn.Module, card: ModelCard, *, half: bool = False) -> ModelCard:
    """Write weights and card into one file, atomically; returns the card with the digest of the weights.

    ``half`` stores parameters, but not batch-norm statistics, in half precision; a checkpoint is always loaded in single precision.
    Raises ``InputError`` where the folder can't be written.
    """
    from safetensors.torch import save

    path = Path(path)
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()}
    if half:
        # parameters only: half precision would round small running variances to zero
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
    for key in sorted(weights):  # a state dict has the order of the layers, which a rewritten model may change
        total.update(key.encode())
        total.update(weights[key].detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _opened(path: Path, framework: str) -> Any:
    if not path.stat().st_size:
        raise ArtifactError(f"{path} is empty", AGAIN)
    try:
        from safetensors import SafetensorError, safe_open

        if framework == "pt":
            import torch  # noqa: F401 - safe_open would raise another error without it
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from error
    try:
        return safe_open(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path} is broken or truncated ({error})", AGAIN) from error


def _card(file: Any, path: Path) -> ModelCard:
    text = (file.metadata() or {}).get(CARD_KEY)
    if text is None:
        raise ArtifactError(
            f"{path} holds weights without a card",
            "use a checkpoint of `edgecnn train`, or export with `edgecnn export package.module:factory --weights FILE`",
        )
    return ModelCard.from_json(text, str(path))


def _fill(model: nn.Module, weights: dict[str, Tensor], path: Path, name: str) -> None:
    expected = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    stored = {key: tuple(tensor.shape) for key, tensor in weights.items()}
    wrong = sorted(key for key in expected.keys() | stored.keys() if expected.get(key) != stored.get(key))
    if wrong:
        key = wrong[0]
        raise ArtifactError(
            f"{len(wrong)} tensors in {path} do not fit the model {name} "
            f"({key} is {stored.get(key, 'missing')} in the file, {expected.get(key, 'missing')} in the model)",
            AGAIN,
        )
    model.load_state_dict(weights)


def has_qat_ranges(name_or_path: str | Path) -> bool:
    """Whether this is a checkpoint of a network trained for int8; False for anything that is not a checkpoint."""
    try:
        return bool(read_card(name_or_path).model.get("quantized"))
    except EdgeCnnError:
        return False


def _with_fake_quant(model: nn.Module, card: ModelCard) -> nn.Module:
    """The network with fake quantization, whose ranges are tensors that are loaded next."""
    import torch

    from edgecnn.models.quantized import insert_fake_quant

    return insert_fake_quant(model, torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))


def _run_once(model: nn.Module, card: ModelCard, path: Path) -> None:
    """Check that layers resized to the stored shapes fit each other."""
    import torch

    try:
        with torch.inference_mode():
            model(torch.zeros((1, card.preprocess.channels, *card.preprocess.size)))
    except RuntimeError as error:
        reason = (str(error).splitlines() or [""])[0][:160]
        raise ArtifactError(f"the layers of the pruned network in {path} do not fit each other ({reason})", AGAIN) from error
