"""The choice that counts on this device: the kept one while nothing has changed, else a new measurement that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgecnn.benchmarks.choose import kept
from edgecnn.benchmarks.choose.candidates import model_paths
from edgecnn.benchmarks.choose.config import ChooseConfig
from edgecnn.benchmarks.choose.document import to_document, without_folders
from edgecnn.benchmarks.choose.report import to_text
from edgecnn.benchmarks.choose.run import measure_choice
from edgecnn.benchmarks.measure.progress import Progress, no_progress
from edgecnn.benchmarks.measure.record import model_files
from edgecnn.devices import probe
from edgecnn.errors import InputError
from edgecnn.files import check_reports, write_file
from edgecnn.json_text import dump_json

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ChoiceOutcome:
    """``text`` for the terminal and the ``document``; ``met``: whether a candidate keeps to the limits."""

    text: str
    document: Mapping[str, Any]
    met: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to run on this device: a model file, the engine with its precision, and the number of threads; ``line`` describes it."""

    path: Path
    engine: str
    threads: int
    line: str


def choose(config: ChooseConfig, progress: Progress = no_progress, report: Report = no_progress) -> ChoiceOutcome:
    """The choice of `edgecnn benchmark --choose`; ``progress`` gets one short line at each step, ``report`` lines on the dataset.

    Raises what ``measure_choice`` raises, and ``InputError`` for a JSON file that can't be written.
    """
    device, paths = probe(), model_paths(config.files)
    check_reports([config.json_path], [part for path in paths for part in model_files(path)])
    now = kept.circumstances(config, paths, device)
    before = kept.read(device, paths)
    if before is not None and not config.again and not kept.differences(before, now):
        lines = [*before["lines"], f"kept from {before['made']}; --again measures anew"]
        outcome = ChoiceOutcome("\n".join(lines), before, met=True)
    else:
        outcome = _measured(config, now, progress, report)
    if config.json_path is not None:
        write_file(config.json_path, dump_json(without_folders(outcome.document), indent=1))
    return outcome


def choice_for_run(config: ChooseConfig, say: Report, progress: Progress = no_progress) -> Chosen:
    """The choice of `edgecnn run --auto`: the kept one, with the limits that it was made with, or a new one; ``say`` tells which.

    Raises what ``measure_choice`` raises.
    """
    device, paths = probe(), model_paths(config.files)
    before = kept.read(device, paths)
    if before is None:
        say("no choice is kept for this model on this device: measuring its candidates")
    else:
        files = [Path(path) for path in before["circumstances"]["files"]]
        existing = tuple(path for path in files if path.is_file())
        changed = kept.differences(before, kept.circumstances(config, existing, device), kept.OF_THE_RUN)
        if not changed:
            return _chosen(before)
        say(f"the choice of {before['made']} does not hold any more, since {' and '.join(changed)} changed: measuring again")
        config = kept.restored(config, before, existing)
    paths = model_paths(config.files)
    outcome = _measured(config, kept.circumstances(config, paths, device), progress, say)
    if not outcome.met:
        nearest = "; ".join(outcome.document["lines"][1:3])
        raise InputError(
            f"no candidate keeps to the limits of the choice ({nearest})", "run edgecnn benchmark --choose with others"
        )
    return _chosen(outcome.document)


def _measured(config: ChooseConfig, now: Mapping[str, Any], progress: Progress, report: Report) -> ChoiceOutcome:
    """Measure, and keep the choice where there is one."""
    choice = measure_choice(config, progress, report)
    made = datetime.now(timezone.utc).isoformat(timespec="seconds")
    document = to_document(choice, now, made)
    met = choice.decision.chosen is not None
    text = to_text(choice, config.budget)
    path = kept.keep(document, choice.device, choice.paths) if met else None
    return ChoiceOutcome(text if path is None else f"{text}\nkept in {path}; edgecnn run --auto uses it", document, met)


def _chosen(document: Mapping[str, Any]) -> Chosen:
    chosen = document["chosen"]
    line: str = document["lines"][0]
    return Chosen(Path(chosen["path"]), chosen["engine"], chosen["threads"], f"{line} (measured {document['made']})")
