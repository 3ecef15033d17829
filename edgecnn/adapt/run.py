"""The steps of `edgecnn adapt`: each is kept when it is finished, and an interrupted run goes on where it was."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.adapt.checks import check
from edgecnn.adapt.claim import alone, claim
from edgecnn.adapt.collect import collect
from edgecnn.adapt.config import AdaptConfig, AdaptFolder, Say, Step
from edgecnn.adapt.kept_split import divide
from edgecnn.adapt.label import LabelledPart, label
from edgecnn.adapt.time_split import TimeSplit
from edgecnn.adapt.tune import export, tune
from edgecnn.benchmarks.measure.dataset_selection import DatasetSelection
from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.files import atomic_path, write_file
from edgecnn.json_text import dump_json
from edgecnn.models import read_card
from edgecnn.shipped import artifact
from edgecnn.trust.paired.comparison import PairedEvaluation, PairedFile
from edgecnn.trust.paired.config import PairConfig
from edgecnn.trust.paired.measure import MeanChange
from edgecnn.trust.paired.run import evaluate_pair

SCHEMA, VERSION = "edgecnn.adapt", 1


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
            "settings": self.config.identity() | {"model": Path(self.config.model).name},  # documents are shared with others
            "frames": {
                "kept": sum(map(len, (self.split.train, self.split.held_out, self.split.between))),
                "between": len(self.split.between),
                **{name: {"images": part.images, "boxes": part.boxes, "ignored": part.ignored} for name, part in parts.items()},
            },
            "comparison": dataclasses.replace(
                self.compared, before=_by_name(self.compared.before), after=_by_name(self.compared.after)
            ).to_document(),
            "better": self.better,
            "files": [path.name for path in self.files],
        }


def adapt(config: AdaptConfig, say: Say = lambda line: None, step: Step = lambda what, done, total: None) -> Adapted:
    """Collect, label, train, export and compare; the new files get their names in ``config.out`` only where they are better.

    ``say`` gets lines, ``step`` the progress. Raises ``InputError`` for a model that is no detector or a folder of another source, and
    what the steps raise. After an interrupt the same call goes on; with more minutes frames are added, and with other options the steps
    that depend on them are made again.
    """
    step("loading the model and its teachers", 0, 0)
    card = check(config)
    folder = AdaptFolder(config.out)
    with alone(folder):
        claim(config, folder, say)
        return _adapted(config, folder, card, say, step)


def _adapted(config: AdaptConfig, folder: AdaptFolder, card: ModelCard, say: Say, step: Step) -> Adapted:
    journal = collect(config, folder, step, say)
    split = divide(folder, journal.at_s, say)
    say(f"{counted(len(journal.at_s), 'different frame')} in {journal.watched_s / 60:.1f} minutes: {_parts(split)}")
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


def _by_name(one: PairedFile) -> PairedFile:
    """The file without its folder: documents are shared with others."""
    return dataclasses.replace(one, file=Path(one.file.name))


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
