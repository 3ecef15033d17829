"""A model prepared once for all its exports: its graph, its card, the PyTorch reference, and the fp32 program of each format."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from torch import nn

from edgecnn.card import ModelCard, Precision
from edgecnn.errors import InputError
from edgecnn.export.config import FORMATS, GraphOptions
from edgecnn.export.fold import fold_preprocessing
from edgecnn.export.graph import Deployable, example, examples, inference_copy, output_names, wrap
from edgecnn.export.nms.attach import with_nms
from edgecnn.export.nms.decoders import check_decoder
from edgecnn.export.quantize.calibration import Calibration
from edgecnn.export.quantize.qat_ranges import TrainedRanges, trained_ranges
from edgecnn.export.quiet import quiet
from edgecnn.export.refusal import refused
from edgecnn.export.reparametrize import fused
from edgecnn.export.steps import ExportStep, Note, ignore, tools
from edgecnn.export.tensor_graph import TensorGraph, wrap_tensors
from edgecnn.export.verify.parity import Verified
from edgecnn.export.verify.reference import Reference
from edgecnn.models.quantized import QuantizedModel


@dataclass(slots=True, eq=False)
class PreparedModel:
    """A model prepared once for all its exports; the fp32 program of each format is cached, because every precision starts from it.

    ``trained_ranges`` are those of a network trained for int8 (QAT). Its ``reference`` then rounds as int8 does, it can only be
    exported in int8, and ``unrounded`` is the reference without rounding.
    """

    graph: Deployable | TensorGraph
    card: ModelCard
    reference: Reference
    programs: dict[str, Any] = field(default_factory=dict)
    trained_ranges: TrainedRanges | None = None
    unrounded: Reference | None = None
    note: Note = ignore
    fp32_checks: dict[str, Verified] = field(default_factory=dict, init=False)  # by format

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(tensor.numel() for tensor in self.graph.state_dict().values())

    def program(self, format: str) -> Any:
        """The fp32 program in ``format``; raises ``InputError`` for a model that the converter refuses."""
        if format not in self.programs:
            self.note(ExportStep(tools(format).converter, f"while it converts the model to {format}", shared=True))
            try:
                with quiet():
                    self.programs[format] = import_module(FORMATS[format]).convert(
                        self.graph, *examples(self.card, self.graph.options)
                    )
            except (KeyboardInterrupt, MemoryError, InputError):
                raise
            except Exception as error:
                raise refused(f"the model can't be converted to {format}", error, "export it in another format") from error
        return self.programs[format]

    def lowered(self, format: str, precision: Precision, calibration: Calibration | None) -> Any:
        """The program in ``precision``; trained ranges take precedence over a calibration."""
        module = import_module(FORMATS[format])
        program = self.program(getattr(module, "TRAINED_FROM", format) if self.trained_ranges else format)
        feeds = (
            calibration.feeds(self.card) if calibration is not None and precision == "int8" and not self.trained_ranges else []
        )
        if precision != "fp32":
            self.note(ExportStep(tools(format).quantizer, f"while it makes the model {precision}"))
        try:
            with quiet():
                return (
                    module.lower_trained(program, self.trained_ranges)
                    if self.trained_ranges
                    else module.lower(program, precision, feeds)
                )
        except (KeyboardInterrupt, MemoryError, InputError):
            raise
        except Exception as error:
            raise refused(f"the {format} model can't be made {precision}", error, "export it in another precision") from error


def has_trained_ranges(model: nn.Module | PreparedModel) -> bool:
    """Whether ``model`` was trained for int8 and has its own ranges."""
    return model.trained_ranges is not None if isinstance(model, PreparedModel) else isinstance(model, QuantizedModel)


def prepare(
    model: nn.Module, card: ModelCard, precision: Precision = "fp32", options: GraphOptions | None = None
) -> PreparedModel:
    """Copy ``model`` and wrap the copy for export; ``card`` is the checkpoint's, ``options`` are those of the exported graph.

    Raises ``InputError`` where they do not match.

    ``precision`` matters only for a network trained for int8: in int8 the reference is the network with its rounding, as it was
    trained and scored; in other precisions the same weights without rounding.
    """
    mine = inference_copy(model)
    found = trained_ranges(mine, card) if isinstance(mine, QuantizedModel) and precision == "int8" else None
    if found and replace(options or GraphOptions(), nms=False) != GraphOptions():
        raise InputError(
            "a network trained for int8 keeps the usual input in int8",
            "leave out --layout, --input-dtype, --batch and --dynamic-size",
        )
    plain = mine.plain() if isinstance(mine, QuantizedModel) else mine
    if card.preprocess.tensors:
        return _prepare_tensors(plain, card, options)
    shape = (1, card.preprocess.channels, *card.preprocess.size)
    deployed = plain if found else fused(plain, shape)
    if options is not None and options.nms:
        check_decoder(card)
    graph, artifact_card = wrap(deployed, card, options)
    names, final = graph.names, None
    if options is not None and options.nms:
        graph, artifact_card = with_nms(deployed, card, artifact_card, graph)
        final = artifact_card.decode
    graph = fold_preprocessing(graph, example(card, graph.options))
    training = {key: value for key, value in card.training.items() if key != "history"}  # long, and in the checkpoint
    source, unrounded = (Reference(net, card, names, final) for net in (mine if found else plain, plain))
    return PreparedModel(graph, artifact_card.replace(training=training), source, {}, found, unrounded if found else None)


def _prepare_tensors(model: nn.Module, card: ModelCard, options: GraphOptions | None) -> PreparedModel:
    """``prepare`` for a model that takes tensors."""
    deployed = fused(model, *(spec.shape for spec in card.preprocess.tensors))
    graph, artifact_card = wrap_tensors(deployed, card, options, output_names)
    return PreparedModel(graph, artifact_card, Reference(model, card, graph.names))
