"""A whole compression: the steps that were asked for, one after the other; a stopped run goes on with the step it was at."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from edgecnn.compress.options import CompressOptions
from edgecnn.compress.progress import STARTED, Journal
from edgecnn.compress.steps import LatencyOf, Say, Workshop, publish
from edgecnn.compress.teacher import Teacher
from edgecnn.data.pseudo_labels import Teacher as BoxTeacher
from edgecnn.models.checkpoint import SUFFIX, find_checkpoint, load_checkpoint
from edgecnn.train.cleanup import leaving_nothing
from edgecnn.train.distributed import join
from edgecnn.train.state import STATE


def compress(
    options: CompressOptions,
    say: Say = print,
    *,
    boxes: Sequence[BoxTeacher] = (),
    latency_of: LatencyOf | None = None,
    target_ms: float | None = None,
) -> list[Path]:
    """Do all steps and give their checkpoints, the one that it starts from first where there is one.

    ``boxes`` are the artifacts of ``options.train.pseudo``. With ``target_ms`` pruning goes on until ``latency_of`` a checkpoint is
    that or less. Raises ``InputError`` for data, teachers or folders that do not fit, for a target that can't be met, and what a
    training raises; what was finished stays.
    """
    teacher = Teacher.load(options.all_teachers) if options.all_teachers else None
    group = join()
    if options.checkpoint:
        load_checkpoint(options.checkpoint)  # a broken one is said before a folder is made
    workshop = Workshop(options, teacher, boxes, say if group.main else _silent, latency_of, target_ms, group)
    with leaving_nothing(options.train.out, _cost_time):
        return _all_steps(workshop)


def _all_steps(workshop: Workshop) -> list[Path]:
    options = workshop.options
    journal = Journal.open(
        options.train.out, options.identity(), options.command(), resume=options.train.resume, group=workshop.group
    )
    made = _start(options, journal)
    for number, step in enumerate(options.steps, 1):
        name = f"{number:02d}-{step}"
        if journal.finished(name):
            workshop.say(f"{name}: done before")
        else:
            workshop.say(f"{name}{_taught(workshop.teacher)}")
            _do(workshop, journal, name, made[-1:])
        made.append(journal.checkpoint(name))
    return made


def _cost_time(path: Path) -> bool:
    """Whether a file of a run is worth keeping where the run ends in an error."""
    return path.name == STATE or (path.suffix == SUFFIX and path.stem != STARTED)


def _start(options: CompressOptions, journal: Journal) -> list[Path]:
    if not options.checkpoint:
        return []
    path = journal.checkpoint(STARTED)
    if not journal.finished(STARTED):
        publish(find_checkpoint(options.checkpoint), path, journal.group)
        journal.finish(STARTED, {})
    return [path]


def _do(workshop: Workshop, journal: Journal, name: str, source: list[Path]) -> None:
    """One step, from the network of the step before."""
    began = time.perf_counter()
    folder, step = journal.folder / name, name.partition("-")[2]
    record = workshop.distil(folder) if step == "distil" else getattr(workshop, step)(folder, *source)
    journal.finish(name, {**record, "seconds": round(time.perf_counter() - began, 1)})


def _silent(_: str) -> None:
    """What the other processes of a group say."""


def _taught(teacher: Teacher | None) -> str:
    return f", taught by {', '.join(member.card.name for member in teacher.members)}" if teacher else ""
