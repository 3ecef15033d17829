"""Makes tables of measurements: every figure with its 95 % interval, its dataset and the number of images."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgecnn.counts import counted
from edgecnn.errors import InputError
from edgecnn.metrics.left_out import jackknife_interval
from edgecnn.metrics.score import IN_UNITS, TITLES
from edgecnn.tasks import find
from edgecnn.trust.model_card.blocks import FigureTable
from edgecnn.trust.model_card.results import ATTACK, BENCHMARK, EVALUATION, GROUPS, PAIRED, ROBUSTNESS, SHORTCUTS, MeasuredResult

CLASSES = 20  # rows of a table of classes, the worst first
INTERVAL = "95 % interval"
Ends = tuple[Any, Any]


def tables_of(measured: MeasuredResult) -> tuple[FigureTable, ...]:
    """The tables of one document. Raises ``InputError`` for one that lacks fields."""
    try:
        return tuple(_TABLES[measured.schema](measured))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InputError(
            f"{measured.source} lacks fields of {measured.schema} ({type(error).__name__}: {error})",
            "write it again with this edgecnn",
        ) from error


def figures_of(measured: MeasuredResult) -> dict[str, tuple[float, Ends]]:
    """The figures of all images in an evaluation, by the keys of ``TITLES``, the primary metric first, with their intervals."""
    score, detail = measured.document["score"], measured.document.get("detail") or {}
    values, primary = score["values"], find(score["task"]).metric
    known = {name: (one["low"], one["high"]) for name, one in detail.get("figures", {}).items()}
    found = {}
    for name in [primary, *(name for name in values if name in TITLES and name != primary)]:
        if name.endswith(("_low", "_high")) or name not in values:
            continue
        ends = known.get(name) or (values.get(f"{name}_low"), values.get(f"{name}_high"))
        if ends == (None, None) and name == primary:
            ends = jackknife_interval(values[name], tuple(score.get("left_out", ()))) or ends
        found[name] = (values[name], ends)
    return found


def dataset_of(measured: MeasuredResult) -> str:
    """The dataset with its split and the number of its images."""
    data = measured.own["dataset"] if measured.schema == SHORTCUTS else measured.document["dataset"]
    split = f", split {data['split']}" if data.get("split") else ""
    count = measured.own["images"] if measured.schema == SHORTCUTS else data["image_count"]
    return f"{data['name']}{split}, {counted(count, 'image')}"


def shown(name: str, value: float | None) -> str:
    """A metric as it is printed."""
    if value is None:
        return "-"
    return f"{value:.3g}" if name in IN_UNITS else percent(value)


def percent(value: float | None, sign: str = "") -> str:
    """A fraction in percent."""
    return "-" if value is None else f"{100 * value:{sign}.1f} %"


def between(name: str, ends: Sequence[Any] | None) -> str:
    """An interval; without one it says so."""
    if ends is None or None in ends:
        return "no interval"
    low, high = ends
    return f"{shown(name, low)} to {shown(name, high)}"


def _evaluation(measured: MeasuredResult) -> Iterator[FigureTable]:
    score, detail = measured.document["score"], measured.document.get("detail") or {}
    rows = [(TITLES[name], shown(name, value), between(name, ends)) for name, (value, ends) in figures_of(measured).items()]
    yield FigureTable(
        f"Accuracy on {dataset_of(measured)}", ("figure", "value", INTERVAL), tuple(rows), tuple(map(_sentence, score["notes"]))
    )
    per_class: Mapping[str, float] = score["per_class"]
    intervals = {label: one.get("recall") or one.get("ap") or {} for label, one in detail.get("classes", {}).items()}
    worst = sorted((label for label in per_class if per_class[label] is not None), key=lambda label: per_class[label])
    if not worst:
        return
    cells = [
        (
            label,
            f"{score['support'].get(label, 0):,}",
            percent(per_class[label]),
            between("", [intervals.get(label, {}).get(end) for end in ("low", "high")]),
        )
        for label in worst[:CLASSES]
    ]
    more = f"The other {len(worst) - CLASSES} classes are better than these." if len(worst) > CLASSES else ""
    counted = "boxes" if find(score["task"]).has_boxes else "images"
    title = f"By class, the worst first, on {dataset_of(measured)}"
    yield FigureTable(title, ("class", counted, "value", INTERVAL), tuple(cells), (more,) if more else ())


def _groups(measured: MeasuredResult) -> Iterator[FigureTable]:
    found = measured.document
    rows = [
        (one["name"], f"{one['instances']:,}", percent(one["rate"]), between("", one["interval"]), f"{one['p_corrected']:.3g}")
        for one in found["groups"]
    ]
    gap = found["gap"]
    notes = [f"From the best to the worst group: {percent(gap['value'])}, {INTERVAL} {between('', gap['interval'])}."]
    notes += [f"The class {one['class']} ({one['instances']:,}) is never named." for one in found["never_named"]]
    notes += map(_sentence, found["notes"])
    heads = ("group", "objects or images", "right", INTERVAL, "p, corrected")
    yield FigureTable(f"By {found['group_by']}, the worst first, on {dataset_of(measured)}", heads, tuple(rows), tuple(notes))


def _paired(measured: MeasuredResult) -> Iterator[FigureTable]:
    found, is_after = measured.document, measured.own is measured.document["after"]
    before, after = (found[side]["file"].rpartition("/")[2] for side in ("before", "after"))
    agreement = found["agreement"]
    rows = [("same labels or boxes", percent(agreement["share"]), between("", agreement["interval"]))]
    if found["mean"]:
        mean = found["mean"]
        name, both = mean["metric"], (("before", before), ("after", after))
        rows += [(f"{TITLES[name]} of {file}", shown(name, mean[side]["values"][name]), "-") for side, file in both]
        change = shown(name, mean["difference"]) if name in IN_UNITS else percent(mean["difference"], "+")
        rows.append((f"change from {before} to {after}", change, between(name, mean["interval"])))
    paying = [one["name"] for one in found["classes"] if (one["p_corrected"] or 1.0) < _CHANCE and (one["difference"] or 0) < 0]
    notes = [f"Classes that lose more than by chance: {', '.join(paying)}."] if paying else []
    notes += [_sentence(one["words"]) for one in found["causes"]] if is_after else []
    yield FigureTable(
        f"Before and after: {before} and {after} on {dataset_of(measured)}",
        ("figure", "value", INTERVAL),
        tuple(rows),
        tuple(notes),
    )


def _robustness(measured: MeasuredResult) -> Iterator[FigureTable]:
    own, metric = measured.own, TITLES[measured.document["metric"]]
    clean = own["clean"]
    rows = [("images as they are", "", percent(clean["value"]), between("", (clean["low"], clean["high"])))]
    units = {one["name"]: one["unit"] for one in measured.document["transformations"]}
    for name, unit in units.items():
        levels = [one for one in own["levels"] if one["transformation"] == name and one["value"] is not None]
        if levels:
            worst = min(levels, key=lambda one: one["value"])
            level = f"{worst['level']:g} {unit}".strip()
            rows.append((name, level, percent(worst["value"]), between("", (worst["low"], worst["high"]))))
    error, notes = own["corruption_error"], []
    if error and error["mean"] is not None:
        against = f", relative to {error['baseline']}" if error["baseline"] else ", the plain mean of the errors"
        notes.append(f"Corruption error {percent(error['mean'])}{against}, {INTERVAL} {between('', error['interval'])}.")
    heads = ("change of the images", "worst level", metric, INTERVAL)
    notes += map(_sentence, measured.document["notes"])
    yield FigureTable(f"Where images change, at the worst level, on {dataset_of(measured)}", heads, tuple(rows), tuple(notes))


def _shortcuts(measured: MeasuredResult) -> Iterator[FigureTable]:
    own = measured.own
    rows = [
        (
            one["name"],
            f"{one['images']:,}",
            percent(one["before"]),
            percent(one["after"]),
            _change(one["effect"]),
            one["verdict"],
        )
        for one in own["changes"]
    ]
    heads = ("change", "images", "before", "after", f"effect ({INTERVAL})", "verdict")
    evidence = [
        f"Evidence by {one['method']}: {percent(one['inside']['value'])} inside the boxes, which cover {percent(one['area'])} of the "
        f"image ({one['images']:,} images; {one['verdict']})."
        for one in own["evidence"]
    ]
    notes = [f"Verdict: {own['verdict']}.", *map(_sentence, own["findings"]), *evidence, *map(_sentence, own["notes"])]
    yield FigureTable(f"Does it look at the object? On {dataset_of(measured)}", heads, tuple(rows), tuple(notes))


def _change(effect: Mapping[str, Any]) -> str:
    if None in (effect["value"], effect["low"], effect["high"]):
        return "-"
    return f"{effect['value']:+.2f} ({effect['low']:+.2f} to {effect['high']:+.2f})"


def _attack(measured: MeasuredResult) -> Iterator[FigureTable]:
    own, name = measured.own, measured.document["metric"]
    rows = [
        (one["method"], f"{one['eps_grey_levels']:g}", shown(name, one["value"]), between(name, (one["low"], one["high"])))
        for one in own["levels"]
    ]
    heads = ("attack", "strength in grey levels", TITLES[name], INTERVAL)
    notes = tuple(map(_sentence, [*measured.document["warnings"], *measured.document.get("notes", ())]))
    yield FigureTable(f"Under attack, on {dataset_of(measured)}", heads, tuple(rows), notes)


def _benchmark(measured: MeasuredResult) -> Iterator[FigureTable]:
    found, own = measured.document, measured.own
    rows = []
    for clock, one in own["clocks"].items():
        rounds = _round_medians(one["samples_ms"], one["round_sizes"])
        spread = f"{min(rounds):.3g} to {max(rounds):.3g} ms" if rounds else "no interval"
        rows.append((clock, f"{one['p50_ms']:.3g} ms", spread, f"{one['p99_ms']:.3g} ms", f"{one['count']:,}", one["verdict"]))
    device = found["device"]
    heads = ("clock", "median", "medians of the rounds", "p99", "runs", "verdict")
    name = device["name"] or device["cpu"]
    memory = f"Peak memory {own['peak_memory_mib']:.0f} MiB, cold start {own['cold_start']['total_ms']:.0f} ms."
    noisy = [f"Noisy ({clock}): {'; '.join(one['reasons'])}." for clock, one in own["clocks"].items() if one["reasons"]]
    threads = f"{counted(found['threads'], 'thread')}"
    yield FigureTable(f"Latency on {name}, {found['engine_device']}, {threads}", heads, tuple(rows), (memory, *noisy))


def _round_medians(samples: Sequence[float], sizes: Sequence[int]) -> list[float]:
    found, start = [], 0
    for size in sizes:
        if size:
            found.append(statistics.median(samples[start : start + size]))
        start += size
    return found


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"


_CHANCE = 0.05
_TABLES: Mapping[str, Callable[[MeasuredResult], Iterator[FigureTable]]] = {
    EVALUATION: _evaluation,
    GROUPS: _groups,
    PAIRED: _paired,
    ROBUSTNESS: _robustness,
    SHORTCUTS: _shortcuts,
    ATTACK: _attack,
    BENCHMARK: _benchmark,
}
