"""Makes the files of an export: the formats at the same time, each in a copy of this process, so that a crash costs only its own file."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from edgecnn.cpus import usable_cpus
from edgecnn.errors import BackendError, EdgeCnnError, first_line
from edgecnn.export.artifact import Artifact
from edgecnn.export.child import Child, ChildLostError, Send, can_fork, wait
from edgecnn.export.steps import ExportStep, Note, ignore
from edgecnn.system_errors import explain

Target = tuple[str, str]
Export = Callable[[Target, Note], Artifact]
Outcome = Artifact | EdgeCnnError
SLOWEST_FIRST = ("tflite", "onnx", "openvino")


def run_targets(
    targets: Sequence[Target], export: Export, done: Callable[[Target, Outcome], None], *, at_once: int | None = None
) -> None:
    """Call ``export`` for each (format, precision) and ``done`` with its artifact or error, in the order in which they end.

    A file that fails does not stop the others. Where this process can be copied (``can_fork``), a file that crashes a converter or an
    engine, or runs without end, fails like any other. ``at_once`` formats are made at the same time, None: as many as there are processors.
    """
    if can_fork():
        _run_in_children(targets, export, done, at_once or usable_cpus())
        return
    for target in targets:
        done(target, _attempt(target, export, ignore))


def _attempt(target: Target, export: Export, note: Note) -> Outcome:
    """The artifact, or what stopped it; an interrupt passes."""
    try:
        return export(target, note)
    except Exception as error:
        found = explain(error)
        if found is None:  # a fault of edgecnn
            traceback.print_exc()
            found = BackendError(f"{type(error).__name__}: {first_line(error)}", "report this as a bug, with the lines above")
        return found


@dataclass(slots=True)
class _FormatJob:
    """The files of one format that are still to be made, and the step that its process has announced last."""

    waiting: list[Target]
    step: ExportStep | None = None
    child: Child | None = field(default=None)

    def start(self, export: Export) -> None:
        targets = list(self.waiting)

        def work(send: Send) -> None:
            for target in targets:
                send((target, _attempt(target, export, partial(_announce, send, target))))

        self.step, self.child = None, Child(work)


def _announce(send: Send, target: Target, step: ExportStep) -> None:
    send((target, step))


def _run_in_children(targets: Sequence[Target], export: Export, done: Callable[[Target, Outcome], None], at_once: int) -> None:
    formats = sorted({target[0] for target in targets}, key=lambda name: (*SLOWEST_FIRST, name).index(name))
    queue = [_FormatJob([target for target in targets if target[0] == name]) for name in formats]
    running: list[_FormatJob] = []
    try:
        while queue or running:
            while queue and len(running) < at_once:
                running.append(queue.pop(0))
                running[-1].start(export)
            wait([job.child for job in running if job.child is not None])
            for job in list(running):
                if _collect(job, done):
                    running.remove(job)
                    if job.waiting:
                        queue.insert(0, job)
    finally:
        for job in running:
            _close(job)


def _collect(job: _FormatJob, done: Callable[[Target, Outcome], None]) -> bool:
    """Handle what the process of a format has sent; whether it has ended."""
    assert job.child is not None
    try:
        for target, found in job.child.received():
            if isinstance(found, ExportStep):
                job.step = found
            else:
                job.waiting.remove(target)
                done(target, found)
    except ChildLostError as lost:
        _give_up(job, lost, done)
    if job.child.ended:
        _close(job)
        return True
    return False


def _give_up(job: _FormatJob, lost: ChildLostError, done: Callable[[Target, Outcome], None]) -> None:
    """The file at which a process ended fails, and with it those that need the same step."""
    step = job.step or ExportStep("the export", "while it starts", shared=True)
    count = len(job.waiting) if step.shared else 1
    for target in job.waiting[:count]:
        fix = "export it in another format" if step.shared else "export it in another precision or format"
        done(target, BackendError(f"{step.tool} {lost} {step.doing}", fix))
    del job.waiting[:count]


def _close(job: _FormatJob) -> None:
    if job.child is not None:
        job.child.__exit__()
        job.child = None
