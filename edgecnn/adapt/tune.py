"""Trains the model on the frames of its camera, and exports what comes out, verified."""

from __future__ import annotations

from pathlib import Path

from edgecnn.adapt.config import AdaptConfig, AdaptFolder, Say
from edgecnn.adapt.label import LabelledPart
from edgecnn.errors import EdgeCnnError
from edgecnn.export.config import ExportConfig, file_name
from edgecnn.export.run import run_exports
from edgecnn.files import write_file
from edgecnn.models import load_checkpoint, read_card
from edgecnn.train.config import TrainConfig
from edgecnn.train.hooks import TrainHooks
from edgecnn.train.recorder import CHECKPOINT
from edgecnn.train.run import train
from edgecnn.train.state import STATE

DONE = "done"  # a file beside the checkpoint: the training was finished


def tune(config: AdaptConfig, folder: AdaptFolder, labelled: LabelledPart, say: Say) -> Path:
    """The checkpoint of the model after training on the labelled frames and ``config.data``; an interrupted training goes on."""
    checkpoint = folder.training / CHECKPOINT
    if (folder.training / DONE).exists():
        return checkpoint
    model, card = load_checkpoint(config.model)
    training = TrainConfig(
        model=str(card.model["name"]),
        data=(str(labelled.data), *config.data),
        out=folder.training,
        name=card.name,
        classes=card.labels,
        epochs=config.epochs,
        batch=min(config.batch, labelled.images),
        lr=config.lr,
        val_fraction=0.0,
        multiscale_fraction=0.0,
        seed=config.seed,
        workers=config.workers,
        max_minutes=config.max_train_minutes,
        resume=(folder.training / STATE).exists(),
    )
    train(training, say, TrainHooks(initial=(model, card), record={"adapted_from": card.name}))
    write_file(folder.training / DONE, "")
    return checkpoint


def export(
    config: AdaptConfig, folder: AdaptFolder, checkpoint: Path, parts: tuple[LabelledPart, LabelledPart], say: Say
) -> list[Path]:
    """The verified files of the checkpoint, in the order of ``config.precisions``; a precision that fails is told and left out.

    Raises the error of the last one where none can be exported.
    """
    name, found = read_card(checkpoint).name, list[Path]()
    failed: EdgeCnnError | None = None
    for precision in config.precisions:
        path = folder.tried / file_name(name, "onnx", precision)
        try:
            if not path.exists():
                say(f"exporting {path.name}")
                run_exports(
                    ExportConfig(
                        model=str(checkpoint),
                        formats=("onnx",),
                        precisions=(precision,),
                        out=folder.tried,
                        name=name,
                        calibration=str(parts[0].data) if precision == "int8" else None,
                        force_calibration=True,  # a small dataset is no reason to leave the file out
                        verify=str(parts[1].data),
                    ),
                    tell=_told_by_training,
                )
            found.append(path)
        except EdgeCnnError as error:
            failed = error
            say(f"{precision} can't be used: {error}")
    if failed is not None and not found:
        raise failed
    return found


def _told_by_training(_: str) -> None:
    """What the training images were read as, which the training has printed already."""
