"""Runs a whole compression, step by step; an interrupted run resumes at the unfinished step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from edgecnn.compress.config import CompressConfig
from edgecnn.compress.progress import START, ProgressFile
from edgecnn.compress.steps import LatencyOf, PipelineContext, Say, publish
from edgecnn.compress.teacher import DistillationTeacher
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.models.checkpoint import SUFFIX, find_checkpoint, load_checkpoint, save_checkpoint
from edgecnn.models.factories import is_factory
from edgecnn.train.cleanup import remove_if_failed
from edgecnn.train.distributed import join_group
from edgecnn.train.state import STATE


def compress(
    config: CompressConfig,
    say: Say = print,
    *,
    labelers: Sequence[PseudoLabeler] = (),
    latency_of: LatencyOf | None = None,
    target_ms: float | None = None,
) -> list[Path]:
    """Run all steps and give their checkpoints, preceded by a copy of the network to compress where there is one.

    ``labelers`` are the opened model files of ``config.train.pseudo``. With ``target_ms`` the network is pruned until ``latency_of`` its
    checkpoint, in milliseconds, is that or less. ``say`` gets a line for each event.
    Raises ``InputError`` for data, teachers or folders that do not fit, for a target that can't be met, and what a training raises;
    finished steps are kept.
    """
    teacher = DistillationTeacher.load(config.all_teachers) if config.all_teachers else None
    group = join_group()
    if config.checkpoint:
        load_checkpoint(config.checkpoint)  # a broken one is reported before a folder is made
    context = PipelineContext(config, teacher, labelers, say if group.main else _silent, latency_of, target_ms, group)
    with remove_if_failed(config.train.out, _worth_keeping):
        return _run_steps(context)


def _run_steps(context: PipelineContext) -> list[Path]:
    config = context.config
    progress = ProgressFile.open(
        config.train.out, config.identity(), config.command(), resume=config.train.resume, group=context.group
    )
    # the network to compress is copied, so that the report can compare with it even if the original is replaced
    made = _copy_start(config, progress)
    for number, step in enumerate(config.steps, 1):
        name = f"{number:02d}-{step}"
        if progress.finished(name):
            context.say(f"{name}: done before")
        else:
            context.say(f"{name}{_teacher_names(context.teacher)}")
            _run_step(context, progress, name, made[-1:])
        made.append(progress.checkpoint(name))
    return made


def _worth_keeping(path: Path) -> bool:
    """Whether a file of a failed run took time to compute."""
    return path.name == STATE or (path.suffix == SUFFIX and path.stem != START)


def _copy_start(config: CompressConfig, progress: ProgressFile) -> list[Path]:
    if not config.checkpoint:
        return []
    path = progress.checkpoint(START)
    if not progress.finished(START):
        if is_factory(config.checkpoint):
            if progress.group.main:
                save_checkpoint(path, *load_checkpoint(config.checkpoint))
            progress.group.wait()
        else:
            publish(find_checkpoint(config.checkpoint), path, progress.group)
        progress.finish(START, {})
    return [path]


def _run_step(context: PipelineContext, progress: ProgressFile, name: str, source: list[Path]) -> None:
    """Run one step on the network of the previous step, and record it as done."""
    started = time.perf_counter()
    folder, step = progress.folder / name, name.partition("-")[2]
    record = context.distil(folder) if step == "distil" else getattr(context, step)(folder, *source)
    progress.finish(name, {**record, "duration_s": round(time.perf_counter() - started, 1)})


def _silent(_: str) -> None:
    """Print nothing: used in all processes of a group except the main one."""


def _teacher_names(teacher: DistillationTeacher | None) -> str:
    return f", taught by {', '.join(network.card.name for network in teacher.networks)}" if teacher else ""
