"""Writes the files of a training run: checkpoint and curves after each epoch, test scores and plots at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from tqdm import tqdm

from edgecnn.card import ModelCard
from edgecnn.counts import counted
from edgecnn.data import Dataset
from edgecnn.data.for_task import for_task
from edgecnn.files import write_file
from edgecnn.json_text import dump_json
from edgecnn.metrics import Score
from edgecnn.metrics.report import primary_text
from edgecnn.models import save_checkpoint
from edgecnn.reference_profile.collect import LEAST_IMAGES, collect, evenly
from edgecnn.reference_profile.profile import PROFILE_KEY, takes_images
from edgecnn.tasks import find
from edgecnn.tasks.evaluate import evaluate
from edgecnn.train import plots, provenance
from edgecnn.train.config import TrainConfig
from edgecnn.train.datasets import TrainingData
from edgecnn.train.hooks import TrainHooks
from edgecnn.train.predict import EagerPredictor, one_thread, scoring_card

CHECKPOINT, SCORES = "model.safetensors", "scores.json"
_ENOUGH, _PROFILE_IMAGES = 100, 300  # images of the reference profile: least of a held-out part, and most
REDRAW_S = 20.0  # between two drawings of the curves: a plot takes as long as an epoch of a tiny network


@dataclass(slots=True)
class TrainRecorder:
    """Evaluates the averaged weights of a training run, and writes its files into ``config.out``.

    ``seen`` is what the card says of the training images, by which an evaluation knows them again.
    """

    config: TrainConfig
    card: ModelCard
    data: TrainingData
    say: Callable[[str], None]
    hooks: TrainHooks = field(default_factory=TrainHooks)
    seen: Mapping[str, Any] = field(default_factory=dict)
    _epoch_started: float = field(default_factory=time.perf_counter)
    _drawn: float = field(default_factory=time.perf_counter)
    _profile: dict[str, Any] = field(default_factory=dict)

    def after_epoch(self, model: nn.Module, history: list[dict[str, float]]) -> dict[str, float]:
        """Evaluate, report one line, draw the curves; returns the numbers to add to the history."""
        found: dict[str, float] = {}
        score = self._score(model, self.data.val)
        if score is not None:
            found["score"] = score.primary
        found["seconds"] = time.perf_counter() - self._epoch_started
        self._epoch_started = time.perf_counter()
        last = history[-1] | found
        shown = f"  {primary_text(score)}" if score else ""
        of = "" if self.config.max_minutes else f"/{self.config.epochs}"
        self.say(f"epoch {last['epoch']}{of}  loss {last['loss']:.4f}{shown}  {found['seconds']:.1f} s")
        if time.perf_counter() - self._drawn > REDRAW_S:
            self._curves([*history[:-1], last])
        return found

    def after_save(self, model: nn.Module, history: list[dict[str, float]]) -> None:
        """Write the checkpoint of an epoch whose state is saved: without one, a folder with a checkpoint can't be resumed."""
        self._write(model, history, {})

    def finish(self, model: nn.Module, history: list[dict[str, float]]) -> None:
        """Evaluate once on the test images, or else on the validation images, and write all files."""
        self._curves(history)
        dataset = self.data.test or self.data.val
        score = self._score(model, dataset)
        if score is None or dataset is None:
            self._write(model, history, {})  # resumed after the last epoch, it may be missing
            return
        self.card = find(self.card.task).tuned(self.card, score.values)
        part = "test" if self.data.test else "val" if self.config.val else "held out"
        self.say(f"{primary_text(score)} on {counted(score.n, 'image')} of {dataset.name} ({part})")
        self._profile = self._measured(model)
        self._write(model, history, {"data": dataset.name, "part": part, "n": score.n, **score.values})
        record = {"part": part, **score.to_dict()}
        write_file(self.config.out / SCORES, dump_json(record, indent=1))
        self._plot(score, part)

    def _measured(self, model: nn.Module) -> dict[str, Any]:
        """The reference profile for `edgecnn run --drift`, {} of too few images.

        Of held-out images where there are enough: on those of the training the scores of the model are too good.
        """
        held_out = [dataset for dataset in (self.data.val, self.data.test) if dataset is not None and len(dataset) >= _ENOUGH]
        dataset = for_task([*held_out, *self.data.train][0], self.card)
        if not takes_images(self.card) or len(dataset) < LEAST_IMAGES:
            return {}
        images = (dataset.samples[place].read() for place in evenly(len(dataset), _PROFILE_IMAGES))
        with one_thread():
            return {PROFILE_KEY: collect(images, EagerPredictor(model, self.card), "training", dataset.name).to_record()}

    def _plot(self, score: Score, part: str) -> None:
        folder, name = self.config.out, self.card.name
        if score.confusion is not None:
            title = f"{name}: top-1 {score.primary:.1%} ({part})"
            plots.confusion([(title, score.confusion)], score.labels, folder / "confusion.png")
        elif score.pairs is not None:
            title = f"{name}: R² {score.primary:.3f}, mean absolute error {score.values['mae']:.3g} ({part})"
            plots.scatter(title, score.labels[0], score.pairs, folder / "values.png")
        elif score.per_class:
            plots.bars(f"{name}: mAP@50-95 {score.primary:.3f} ({part})", score.per_class, folder / "classes.png")

    def _score(self, model: nn.Module, dataset: Dataset | None) -> Score | None:
        if dataset is None:
            return None
        shown = for_task(dataset, self.card)
        with (
            one_thread(),
            tqdm(total=len(shown), desc=f"scoring on {dataset.name}", unit="image", disable=None, leave=False) as bar,
        ):
            predictor = EagerPredictor(model, scoring_card(self.card))
            # strict: without an image that can't be read, scores would be of other images than in other runs
            return evaluate(predictor, shown, progress=lambda done, total: bar.update(), strict=True)

    def _write(self, model: nn.Module, history: list[dict[str, float]], scores: dict[str, Any]) -> None:
        record = {
            "command": self.hooks.command or self.config.command(),
            "data": self.config.identity()["data"],
            "images": self.data.count,
            "sources": [dict(source) for source in self.data.sources],
            "augmentation": self.config.policy(self.card.task).record(),
            "seed": self.config.seed,
            "epochs": len(history),
            "seconds": round(sum(row.get("seconds", 0.0) for row in history), 1),
            "history": [{key: round(value, 6) for key, value in row.items()} for row in history],
            "scores": scores,
            **self.seen,
            **self._profile,
            **self.hooks.record,
            **provenance.versions(),
        }
        card = self.card.replace(training=record, source_commit=provenance.source_commit())
        save_checkpoint(self.config.out / CHECKPOINT, model, card)

    def _curves(self, history: list[dict[str, float]]) -> None:
        plots.curves(self.card.name, history, self.card.task, self.config.out / "curves.png")
        self._drawn = time.perf_counter()
