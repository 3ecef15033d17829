"""The inside of a checkpoint: the operators that PyTorch runs for an input, with the modules that they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.backend_errors import inference_error
from edgecnn.errors import MissingExtraError
from edgecnn.trust.inside.graph import FloatArray, InsideNode, NodeKind, SlidingWindow
from edgecnn.trust.inside.operators import kind_of
from edgecnn.types import Tensors

try:
    import torch
    from torch import Tensor, nn
    from torch.utils._python_dispatch import TorchDispatchMode
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "train") from error

from edgecnn.models import load_checkpoint
from edgecnn.models.fake_quant import FakeQuant

ENGINE = "PyTorch"
INPUT = "image"
_IGNORED = ("size", "symsize", "stride", "numel", "zeros", "ones", "empty", "arange")


class TorchInside:
    """A network in eval mode; ``feeds`` is any input. Raises what loading the checkpoint raises."""

    def __init__(self, path: Path, feeds: Tensors, threads: int | None = 1) -> None:
        del threads  # PyTorch has one pool of threads for the whole process
        model, _ = load_checkpoint(path)
        self.model: nn.Module = model.eval().requires_grad_(False)
        self.input_names: Sequence[str] = (INPUT,)
        found = self._watched(feeds, ())
        self.nodes: Sequence[InsideNode] = found.nodes
        self._weights = found.weights

    def run(self, feeds: Tensors, names: Sequence[str]) -> dict[str, FloatArray]:
        """The values of tensors by name. Raises ``BackendError``."""
        kept = self._watched(feeds, names).kept
        (image,) = feeds.values()
        return {name: np.asarray(image if name == INPUT else kept[name].numpy(), np.float32) for name in names}

    def weights(self, node: InsideNode) -> FloatArray | None:
        """The weights of a convolution, (out, in, height, width)."""
        return np.asarray(self._weights[node.output].detach().numpy(), np.float32)

    def gradients(self, feeds: Tensors, name: str, place: tuple[int, int], signs: FloatArray) -> FloatArray | None:
        """The mean over ``signs`` (draws, channels) of |d sum(signs * values at ``place``) / d pixel|, summed over the colours."""
        (image,) = feeds.values()
        x = torch.from_numpy(np.array(image)).requires_grad_(True)
        with torch.enable_grad():
            values = self._watch(x, (name,), graph=True).kept.get(name)
            if values is None or values.grad_fn is None:
                return None
            at = values[0, :, place[0], place[1]]
            total = torch.zeros_like(x[0, 0])
            for row in torch.from_numpy(signs):
                total += torch.autograd.grad((row * at).sum(), x, retain_graph=True)[0][0].abs().sum(0)
        return np.asarray((total / len(signs)).numpy(), np.float32)

    def close(self) -> None:
        """Free the network; calling it again does nothing."""
        self._weights = {}

    def _watched(self, feeds: Tensors, names: Sequence[str]) -> OperatorWatch:
        (image,) = feeds.values()
        with torch.no_grad():
            return self._watch(torch.from_numpy(np.array(image)), names)

    def _watch(self, x: Tensor, names: Sequence[str], *, graph: bool = False) -> OperatorWatch:
        watch = OperatorWatch(x, frozenset(names), graph)
        hooks = watch.hooks(self.model)
        try:
            with watch:
                self.model(x)
        except RuntimeError as error:
            raise inference_error(ENGINE, error) from error
        finally:
            for hook in hooks:
                hook.remove()
        return watch


class OperatorWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes each operator that reads what depends on ``x``, and keeps the tensors whose names are in ``wanted``.

    ``graph``: with the graph of their gradients.
    """

    def __init__(self, x: Tensor, wanted: frozenset[str], graph: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = graph
        self._quantizes = False
        self.nodes: list[InsideNode] = []
        self.kept: dict[str, Tensor] = {}
        self.weights: dict[str, Tensor] = {}
        self._wanted, self._counts = wanted, Counter[str]()
        self._names: dict[int, str] = {id(x): INPUT}
        # ids are those of objects that live: none may be freed meanwhile
        self._alive: list[Tensor] = [x]
        self._modules: list[tuple[str, bool]] = []

    def hooks(self, model: nn.Module) -> list[Any]:
        """Hooks that say which module runs."""
        found = []
        for name, module in model.named_modules():
            entry = name, not any(True for _ in module.children())
            found.append(module.register_forward_pre_hook(lambda _module, _inputs, entry=entry: self._modules.append(entry)))
            if isinstance(module, FakeQuant):
                found.append(module.register_forward_pre_hook(lambda _module, _inputs: self._enter_quantizer()))
                found.append(
                    module.register_forward_hook(lambda _module, inputs, output: self._leave_quantizer(inputs[0], output))
                )
            found.append(module.register_forward_hook(lambda _module, _inputs, _output: self._leave()))
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run one operator and note it."""
        result = func(*args, **(kwargs or {}))
        word = func._schema.name.rpartition("::")[2].strip("_")
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        tensors = [one for one in outputs if isinstance(one, Tensor)]
        inputs = tuple(self._names[id(one)] for one in _tensors(args) if id(one) in self._names)
        if not self._quantizes and inputs and tensors and word.replace("_", "") not in _IGNORED:
            for one in tensors if word in ("split", "chunk", "split_with_sizes", "unbind") else tensors[:1]:
                self._note(word, inputs, one, args)
        return result

    def _enter_quantizer(self) -> None:
        self._quantizes = True

    def _leave_quantizer(self, source: Tensor, output: Tensor) -> None:
        """One node for all operators of a quantizer."""
        if output is not source and id(source) in self._names:
            self._note("fakequantize", (self._names[id(source)],), output, ())
        self._quantizes = False

    def _leave(self) -> None:
        self._modules.pop()

    def _note(self, word: str, inputs: tuple[str, ...], output: Tensor, args: Sequence[Any]) -> None:
        kind, window = kind_of(word), None
        if word == "convolution":
            kind, window = _convolution(args)
        elif kind in ("max pool", "average pool"):
            window = _pooling(args)
        module, is_leaf = self._modules[-1] if self._modules else ("", False)
        name = module if is_leaf and module else f"{module}.{word}".lstrip(".")
        self._counts[name] += 1
        if self._counts[name] > 1:
            name = f"{name}#{self._counts[name]}"
        weights = ""
        if word == "convolution":
            self.weights[name] = args[1]
            weights = f"{module}.weight"
        before = self._names.get(id(output), "")
        if self._graph and before != name:
            self.kept.pop(before, None)  # changed in place: its gradients would be those of the change
        self._names[id(output)] = name
        self._alive.append(output)
        self.nodes.append(InsideNode(name, kind, inputs, tuple(output.shape), window=window, word=word, weights=weights))
        if name in self._wanted:
            # a layer behind it may change it in place; with the graph of gradients it is kept as it is
            self.kept[name] = output if self._graph else output.detach().clone()


def _tensors(args: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for one in args:
        if isinstance(one, Tensor):
            found.append(one)
        elif isinstance(one, (tuple, list)):
            found += _tensors(one)
    return found


def _convolution(args: Sequence[Any]) -> tuple[NodeKind, SlidingWindow | None]:
    """Kind and window of aten::convolution: input, weight, bias, stride, padding, dilation, transposed, output_padding, groups."""
    x, weight, _, strides, pads, dilations, transposed, _, groups = args[:9]
    kernel = tuple(weight.shape[2:])
    window = None
    if len(kernel) == 2:
        window = SlidingWindow((kernel[0], kernel[1]), _pair(strides), _pair(dilations), _pair(pads))
    if transposed:
        return "transposed conv", window
    return ("depthwise conv" if groups > 1 and groups == x.shape[1] else "conv"), window


def _pooling(args: Sequence[Any]) -> SlidingWindow | None:
    """The window of aten::max_pool2d_with_indices and aten::avg_pool2d: input, kernel, stride, padding and, of the first, dilation."""
    kernel = _pair(args[1])
    strides = _pair(args[2]) if len(args) > 2 and args[2] else kernel
    pads = _pair(args[3]) if len(args) > 3 else (0, 0)
    dilations = _pair(args[4]) if len(args) > 4 and isinstance(args[4], (list, tuple)) else (1, 1)
    return SlidingWindow(kernel, strides, dilations, pads)


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (int(values[0]), int(values[0])) if len(values) == 1 else (int(values[0]), int(values[1]))
