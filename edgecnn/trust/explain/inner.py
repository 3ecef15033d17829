"""Reads the layers inside any model file: what they are, and their activations for an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from edgecnn.card import ModelCard
from edgecnn.engine_device import CPU
from edgecnn.errors import BackendError, EdgeCnnError, InputError, first_line
from edgecnn.preprocess import Preprocessor, tensor_shape
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.backends.one_image import batch_of, one_image
from edgecnn.runtime.backends.trial_load import open_checked
from edgecnn.runtime.model.card_inference import CardOptions, card_for
from edgecnn.shipped import artifact
from edgecnn.trust.explain.first_filters import pixel_filters
from edgecnn.trust.explain.inner_layer import InnerLayer
from edgecnn.trust.explain.network_layers import LayerStep, layer_steps
from edgecnn.trust.inside.graph import FileInside, FloatArray, HasGradients
from edgecnn.trust.inside.receptive_field import Field, receptive_fields
from edgecnn.trust.inside.without_quantizers import without_quantizers
from edgecnn.types import Image, Tensors, TensorSpec

__all__ = ["FileReader", "InnerLayer", "InnerReader", "open_inner"]

_INSIDES: Mapping[str, str] = {
    "onnx": "edgecnn.trust.inside.onnx_inside:OnnxInside",
    "tflite": "edgecnn.trust.inside.tflite_inside:TfliteInside",
    "openvino": "edgecnn.trust.inside.openvino_inside:OpenvinoInside",
    "torch": "edgecnn.trust.gradients.torch_inside:TorchInside",
}


class InnerReader(Protocol):
    """The layers inside a model file, and their activations."""

    @property
    def layers(self) -> tuple[InnerLayer, ...]:
        """Convolutions, pooling and sums behind their activation, in the order of the network."""
        ...

    def activations(self, image: Image, names: Sequence[str]) -> dict[str, FloatArray]:
        """The maps (channels, height, width) float32 of layers by name, for ``image`` (H, W, 3) uint8 BGR of any size."""
        ...

    def filters(self) -> FloatArray | None:
        """The filters of the first convolution, (out, in, height, width), in RGB order; None where they can't be read."""
        ...

    def close(self) -> None:
        """Free the file; calling it again does nothing."""
        ...

    def __enter__(self) -> InnerReader: ...

    def __exit__(self, *exc: object) -> None: ...


def open_inner(path: Path, options: CardOptions | None = None, threads: int | None = 1) -> FileReader:
    """The inside of a model file, with the preprocessing of its card.

    Raises what opening the file raises, and ``InputError`` for a file without a convolution, of a format that can't be looked into, or
    that takes no image.
    """
    path = artifact(path)
    backend = open_checked(path, CPU, threads=threads, requests=1, engine=None)
    try:
        card, rows = card_for(backend, path, options or CardOptions()), max(batch_of(backend), 1)
        inputs = one_image(backend).inputs
    finally:
        backend.close()
    if card.preprocess.tensors or len(inputs) != 1:
        raise InputError(f"{path.name} takes tensors, not an image", "name a model of images")
    kind = file_format(path)
    if kind not in _INSIDES:
        raise InputError(f"{path.name} can't be looked into: {kind} keeps no tensors", "name the ONNX file of this model")
    module, _, name = _INSIDES[kind].partition(":")
    opener: Callable[[Path, Tensors, int | None], FileInside] = getattr(import_module(module), name)
    try:
        shape = tensor_shape(card.preprocess, inputs[0])
        inside = opener(path, {inputs[0].name: np.zeros((rows, *shape[1:]), inputs[0].dtype)}, threads)
    except EdgeCnnError:
        raise
    # a file that its engine runs but whose inner tensors can't be named: bindings raise what they like
    except Exception as error:
        problem = f"the graph in {path.name} can't be read: {first_line(error)}"
        raise BackendError(problem, "name the file in another format") from error
    return FileReader(path, card, inputs[0], inside, rows)


class FileReader:
    """The inside of one file, see ``InnerReader``; ``steps`` say more of each layer, ``fields`` has the receptive field of each tensor."""

    def __init__(self, path: Path, card: ModelCard, spec: TensorSpec, inside: FileInside, rows: int = 1) -> None:
        self.path, self.card, self.spec = path, card, spec
        self._rows = rows
        self._inside, self._prepare = inside, Preprocessor(card.preprocess, spec)
        self.nodes, read = without_quantizers(inside.nodes)
        shapes = dict.fromkeys(inside.input_names, self._prepare.out.shape)
        self.fields: Mapping[str, Field] = receptive_fields(self.nodes, shapes, card.preprocess.size)
        self.steps: tuple[LayerStep, ...] = layer_steps(self.nodes, read, self.fields, card.preprocess.channels)
        if not any(step.layer.kind.endswith("conv") for step in self.steps):
            raise InputError(f"{path.name} has no convolution with maps, so there is nothing to look into", "name a CNN")
        self._by_name = {step.layer.name: step for step in self.steps}

    @property
    def layers(self) -> tuple[InnerLayer, ...]:
        """Convolutions, pooling and sums behind their activation, in the order of the network."""
        return tuple(step.layer for step in self.steps)

    def step(self, name: str) -> LayerStep:
        """The layer of this name, or of which this is the part before the first semicolon. Raises ``InputError`` that names near ones."""
        if name in self._by_name:
            return self._by_name[name]
        of_part = [step for known, step in self._by_name.items() if known.partition(";")[0] == name]
        if len(of_part) == 1:
            return of_part[0]
        raise InputError(f"{self.path.name} has no layer {name!r}", _near(name, list(self._by_name)))

    def activations(self, image: Image, names: Sequence[str]) -> dict[str, FloatArray]:
        """The maps (channels, height, width) float32 of layers by name, for ``image`` (H, W, 3) uint8 BGR of any size."""
        steps = [self.step(name) for name in names]
        found = self._inside.run(self._feeds(image), [step.read for step in steps])
        return {step.layer.name: _planes(found[step.read], step) for step in steps}

    @property
    def has_gradients(self) -> bool:
        """Whether values can be differentiated."""
        return isinstance(self._inside, HasGradients)

    def before_activation(self, image: Image, step: LayerStep) -> FloatArray | None:
        """The maps of a layer before its activation; None where the file has no tensor for them, or the layer no activation."""
        name = step.node.output
        if not step.activation or name == step.layer.name:
            return None
        return _planes(self._inside.run(self._feeds(image), [name])[name], step)

    def gradients(
        self, images: Sequence[Image], step: LayerStep, place: tuple[int, int], draws: int, seed: int
    ) -> FloatArray | None:
        """The mean magnitude (height, width) of the gradients of one place of a layer with respect to the pixels; None without gradients.

        The channels are added in random signs, ``draws`` times for each image.
        """
        if not isinstance(self._inside, HasGradients):
            return None
        random = np.random.default_rng(seed)
        total = np.zeros(self.card.preprocess.size, np.float32)
        for image in images:
            signs = random.choice(np.array([-1, 1], np.float32), (draws, step.layer.channels))
            found = self._inside.gradients(self._feeds(image), step.read, place, signs)
            if found is None:
                return None
            total += found
        return np.asarray(total / max(len(images), 1), np.float32)

    def filters(self) -> FloatArray | None:
        """The filters of the first convolution on the image, (out, in, height, width), in RGB order; None where they can't be read.

        Pixels that were moved to channels before, as in YOLOX, are put back, so that the filter is one over pixels.
        """
        first = self.first
        return None if first is None else pixel_filters(self._inside, first, self.fields, self._feeds)

    @property
    def first(self) -> LayerStep | None:
        """The first convolution."""
        return next((step for step in self.steps if step.layer.kind == "conv"), None)

    def close(self) -> None:
        """Free the file; calling it again does nothing."""
        self._inside.close()

    def __enter__(self) -> FileReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _feeds(self, image: Image) -> Tensors:
        """The input for an image; a file that takes several gets the same one in each row."""
        return {name: np.repeat(array, self._rows, axis=0) for name, array in self._prepare(image)[0].items()}


def _planes(values: FloatArray, step: LayerStep) -> FloatArray:
    own = values[0]
    return np.ascontiguousarray(own.transpose(2, 0, 1) if step.channels_last else own)


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, known, 3, 0.5) or [one for one in known if name.lower() in one.lower()][:3]
    if found:
        return f"near ones: {', '.join(found)}"
    return f"`edgecnn explain` without --layer lists them; the first ones are {', '.join(known[:3])}"
