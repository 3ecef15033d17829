"""The methods of attribution by name, and which of them a file allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from edgecnn.errors import InputError
from edgecnn.runtime.backends import file_format
from edgecnn.runtime.model.predictor import Predictor
from edgecnn.trust.attribution.many import ManyImages
from edgecnn.trust.attribution.occlusion import occlusion
from edgecnn.trust.attribution.rise import rise
from edgecnn.trust.attribution.target import Target
from edgecnn.types import Float32, Image

Explain = Callable[[Image, Target], Float32]
"""The map (h, w) of an image of the size of the model's input."""

WITH_GRADIENTS: Mapping[str, str] = {
    "gradient": "edgecnn.trust.gradients.input_gradients:gradient",
    "integrated-gradients": "edgecnn.trust.gradients.input_gradients:integrated_gradients",
    "grad-cam": "edgecnn.trust.gradients.grad_cam:grad_cam",
}
WITHOUT_GRADIENTS = ("occlusion", "rise")
METHODS = (*WITHOUT_GRADIENTS, *WITH_GRADIENTS)
AUTO = "auto"


def explainers(predictor: Predictor, names: tuple[str, ...], seed: int, masks: int) -> dict[str, Explain]:
    """The methods ``names`` for the file of ``predictor``, by name; ``auto`` is integrated gradients for a checkpoint, else occlusion.

    Raises ``InputError`` for an unknown name, and for a method that needs gradients where the file has none.
    """
    has_gradients = file_format(predictor.path) == "torch"
    many = ManyImages(predictor)
    network: Any = None
    found: dict[str, Explain] = {}
    for given in names:
        name = ("integrated-gradients" if has_gradients else "occlusion") if given == AUTO else given
        if name not in METHODS:
            raise InputError(f"--method: {given!r} is no method of attribution", f"use {AUTO}, {', '.join(METHODS)}")
        if name in WITHOUT_GRADIENTS:
            found[name] = _without(many, name, seed, masks)
            continue
        if not has_gradients:
            problem = f"--method {name} needs gradients, which {predictor.path.name} does not have"
            raise InputError(problem, "use occlusion or rise, or name the checkpoint that the file was exported from")
        if network is None:
            network = import_module("edgecnn.trust.gradients.network").GradientNetwork.open(predictor.path)
        found[name] = _with(network, WITH_GRADIENTS[name])
    return found


def _without(many: ManyImages, name: str, seed: int, masks: int) -> Explain:
    def explain(image: Image, target: Target) -> Float32:
        def score(images: Image) -> Float32:
            return many.scores(images, target)

        return occlusion(score, image) if name == "occlusion" else rise(score, image, seed=seed, masks=masks)

    return explain


def _with(network: Any, path: str) -> Explain:
    module, _, function = path.partition(":")
    method = getattr(import_module(module), function)

    def explain(image: Image, target: Target) -> Float32:
        heat: Float32 = method(network, image, target)
        return heat

    return explain
