"""The steps of `edgecnn adapt`: each is kept when it is finished, and an interrupted run goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.adapt.collect import FrameJournal, collect
from edgecnn.adapt.config import AdaptConfig, AdaptFolder
from edgecnn.adapt.label import LabelledPart, label
from edgecnn.adapt.time_split import TimeSplit, split_by_time
from edgecnn.adapt.tune import export, tune
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.card import ModelCard
from edgecnn.data import open_dataset
from edgecnn.errors import InputError
from edgecnn.export.config import check_targets
from edgecnn.files import atomic_path, write_error, write_file
from edgecnn.json_text import dump_json
from edgecnn.models import find_checkpoint, read_card
from edgecnn.shipped import artifact
from edgecnn.tasks import find
from edgecnn.teachers import open_teachers
from edgecnn.trust.paired.comparison import PairedEvaluation
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.measure import MeanChange
from edgecnn.trust.paired.run import evaluate_pair
from edgecnn.zoo.register import check_got

SCHEMA, VERSION = "edgecnn.adapt", 1
Say = Callable[[str], None]
Step = Callable[[str, float, float], None]  # what is done, how much of how much


@dataclass(frozen=True, slots=True, eq=False)
class Adapted:
    """A finished run: its parts, the comparison of the model as it was with the new one, and the ``files`` that are kept, () if none."""

    config: AdaptConfig
    folder: AdaptFolder
    split: TimeSplit
    train: LabelledPart
    held_out: LabelledPart
    pair: PairConfig
    compared: PairedEvaluation
    files: tuple[Path, ...] = ()

    @property
    def change(self) -> MeanChange:
        """The scores before and after, with the interval of the difference."""
        assert self.compared.mean is not None
        return self.compared.mean

    @property
    def better(self) -> bool:
        """Whether the new model is better beyond chance: its interval is above zero."""
        return self.change.interval is not None and self.change.interval.low > 0

    def to_document(self) -> dict[str, Any]:
        """The JSON document."""
        parts = {"train": self.train, "held_out": self.held_out}
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "settings": self.config.identity(),
            "frames": {
                "kept": sum(map(len, (self.split.train, self.split.held_out, self.split.between))),
                "between": len(self.split.between),
                **{name: {"images": part.images, "boxes": part.boxes, "ignored": part.ignored} for name, part in parts.items()},
            },
            "comparison": self.compared.to_document(),
            "better": self.better,
            "files": [path.name for path in self.files],
        }


def adapt(config: AdaptConfig, say: Say = lambda line: None, step: Step = lambda what, done, total: None) -> Adapted:
    """Collect, label, train, export and compare; the new files get their names in ``config.out`` only where they are better.

    ``say`` gets lines, ``step`` the progress. Raises ``InputError`` for a model that is no detector or a folder of another run, and what
    the steps raise; after an interrupt the same call goes on.
    """
    checkpoint = find_checkpoint(config.model)
    card = read_card(checkpoint)
    if not find(card.task).has_boxes:
        raise InputError(f"{card.name} is {find(card.task).model}, and teachers label boxes only", "name a detector")
    _check(config, card)
    folder = AdaptFolder(config.out)
    _claim(config, folder)
    journal = collect(config, folder, lambda at, kept: step(f"watching, {kept} frames", at, 60 * config.minutes))
    split = split_by_time(journal.at_s)
    say(f"{len(journal.at_s)} different frames in {journal.watched_s / 60:.1f} minutes: {_parts(split)}")
    train, held_out = label(config, folder, split, card.labels, step)
    say(f"labels by teachers: {_boxes(train)} to train on; {_boxes(held_out)} to compare with")
    unknown = [name for name in card.labels if name not in held_out.boxes]
    if unknown:
        say(f"no teacher knows {', '.join(unknown)}: not compared; to train, the model labels it itself")
    new = tune(config, folder, train, say)
    files = export(config, folder, new, (train, held_out), say)
    before = artifact(config.model)
    pair = PairConfig(before=before, after=files[-1], data=DatasetSelection(str(held_out.data)), seed=config.seed)
    compared = evaluate_pair(pair, progress=lambda done, total: step("comparing", done, total))
    found = Adapted(config, folder, split, train, held_out, pair, compared)
    kept = _kept(found, files, new) if found.better else ()
    found = Adapted(config, folder, split, train, held_out, pair, compared, kept)
    write_file(folder.document, dump_json(found.to_document(), indent=1))
    return found


def _check(config: AdaptConfig, card: ModelCard) -> None:
    """Raise before half an hour of watching what would else be raised after it: teachers, data and precisions that can't be used."""
    check_targets(("onnx",), config.precisions, calibrated=True)
    for address in config.teachers:
        check_got(address.partition("?")[0])
    with open_teachers(config.teachers) as teachers:
        for teacher in teachers:
            teacher.classes(card.labels)
    for address in config.data:
        open_dataset(address, limit=1, task="detect")


def _claim(config: AdaptConfig, folder: AdaptFolder) -> None:
    """Note the settings in the folder, or check that they are those of the run that was begun there; one without frames is replaced."""
    own = json.loads(dump_json(config.identity()))
    if folder.settings.exists():
        try:
            before = json.loads(folder.settings.read_text())
        except ValueError as error:
            raise InputError(f"{folder.settings} is damaged", "name another folder with --out") from error
        other = [key for key in own if before.get(key) != own[key]]
        if other and not FrameJournal.read(folder.journal).at_s:  # nothing came of it, such as after a mistyped source
            folder.journal.unlink(missing_ok=True)
            write_file(folder.settings, dump_json(own, indent=1))
        elif other:
            shown = ", ".join(f"{key} {before.get(key)!r}" for key in other)
            raise InputError(
                f"{folder.root} holds another run, with {shown}", "repeat its options, or name another folder with --out"
            )
        return
    if folder.root.exists() and (not folder.root.is_dir() or any(folder.root.iterdir())):
        raise InputError(f"{folder.root} holds something else already", "name another folder with --out")
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder.root, error, "name another folder with --out") from error
    write_file(folder.settings, dump_json(own, indent=1))


def _kept(found: Adapted, files: list[Path], checkpoint: Path) -> tuple[Path, ...]:
    """Copies of files and checkpoint under their final names."""
    targets = [found.folder.root / path.name for path in files]
    targets.append(found.folder.root / f"{read_card(checkpoint).name}.safetensors")
    for path, target in zip([*files, checkpoint], targets, strict=True):
        with atomic_path(target) as draft:
            shutil.copyfile(path, draft)
    return tuple(targets)


def _parts(split: TimeSplit) -> str:
    counts = len(split.train), len(split.held_out), len(split.between)
    return "{} to train on, {} in blocks of time that are held out, {} too near to those".format(*counts)


def _boxes(part: LabelledPart) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in part.boxes.items()) or "none"
