"""A dataset check as text for a terminal and as a JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from edgecnn.counts import counted
from edgecnn.data.check.dataset import DatasetCheck, OddBox, PartCheck, Place
from edgecnn.data.formats.left_out import as_text
from edgecnn.labels import label_of
from edgecnn.tasks import find

SCHEMA, VERSION = "edgecnn.dataset_check", 1
SHOWN_CLASSES, SHOWN, SHOWN_COPIES = 20, 5, 4


def to_lines(check: DatasetCheck, shown: int = SHOWN) -> list[str]:
    """The whole report; of each kind of finding the first ``shown``."""
    return [*_heading(check), "", *class_table(check), "", *_findings(check, shown), "", verdict(check)]


def verdict(check: DatasetCheck) -> str:
    """One line: what is wrong for certain, or that nothing is; then what may make scores too high."""
    faults, doubts = check.faults(), check.doubts()
    also = f"look at {' and '.join(doubts)}, below" if doubts else ""
    return f"{check.name}: {'; '.join(filter(None, [*faults, also])) or 'no problem found'}"


def reading(check: DatasetCheck) -> str:
    """What the files were taken for and why; "" for a dataset that was rendered."""
    first = check.parts[0].dataset
    return f"read as {first.kind} ({first.evidence})" if first.kind else ""


def _heading(check: DatasetCheck) -> Iterator[str]:
    classes = "" if not check.about.has_classes else f", {counted(len(check.labels), 'class')}"
    boxes = f", {counted(sum(part.boxes for part in check.parts), 'box')}" if check.about.has_boxes else ""
    yield f"{check.name}: {counted(check.images, 'image')}{boxes}{classes}"
    if words := reading(check):
        yield f"  {words}"
    for part in check.parts:
        yield f"  {part.name or 'all images'}: {'; '.join(part_facts(part))}"


def part_facts(part: PartCheck) -> list[str]:
    """Counts and sizes of one split."""
    facts = [counted(part.images, "image")]
    if find(part.dataset.task).has_boxes:
        sizes = ", ".join(f"{part.box_sizes[name]:,} {name}" for name in ("small", "medium", "large"))
        facts.append(f"{counted(part.boxes, 'box')} ({sizes}{f', and {part.crowd:,} ignored' if part.crowd else ''})")
        facts.append(f"{part.background:,} without objects")
    if part.values:
        facts.append(f"values {min(part.values):g} to {max(part.values):g}, mean {sum(part.values) / len(part.values):.4g}")
    if part.image_sizes:
        facts.append(_sizes(part.image_sizes))
    return facts


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    if len(sizes) == 1:
        (width, height) = next(iter(sizes))
        return f"{width}x{height} pixels"
    widths, heights = zip(*sizes, strict=True)
    return f"{_range(widths)} pixels wide, {_range(heights)} high"


def _range(values: Sequence[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def class_table(check: DatasetCheck) -> list[str]:
    """Boxes (detection) or images of each class in each split, the most frequent classes first where there are many."""
    if not check.about.has_classes or not check.labels:
        return []
    rows = class_rows(check)
    head = ["class", *(part.name or "all" for part in check.parts)]
    shown = sorted(rows, key=lambda row: -sum(row[1]))[:SHOWN_CLASSES] if len(rows) > SHOWN_CLASSES else rows
    cells = [head, *([name, *(f"{count:,}" for count in counts)] for name, counts in shown)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = [
        "  "
        + "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    ]
    unit = "boxes" if check.about.has_boxes else "images"
    left = [f"  and {len(rows) - len(shown)} rarer classes"] if len(shown) < len(rows) else []
    return [f"{unit} by class", *lines, *left]


def class_rows(check: DatasetCheck) -> list[tuple[str, list[int]]]:
    """For each class its name and its number of boxes, or of images for a dataset without boxes, in each part."""
    counts = [part.class_boxes if check.about.has_boxes else part.class_images for part in check.parts]
    return [(name, [own[index] for own in counts]) for index, name in enumerate(check.labels)]


def _findings(check: DatasetCheck, shown: int) -> Iterator[str]:
    for title, lines in findings(check):
        yield title
        yield from (f"  {line}" for line in lines[:shown])
        if len(lines) > shown:
            yield f"  {len(lines) - shown:,} more"


def findings(check: DatasetCheck) -> list[tuple[str, list[str]]]:
    """Each kind of finding with its lines, the certain mistakes first."""
    found: list[tuple[str, list[str]]] = []

    def add(title: str, lines: Sequence[str]) -> None:
        if lines:
            found.append((title, list(lines)))

    problems = [f"{problem.where}: {problem.what}" for problem in check.problems]
    add(f"{counted(len(problems), 'problem')} in the files", problems)
    add(f"{counted(len(check.leaks), 'image')} in more than one split", [_together(check, places) for places in check.leaks])
    add(
        f"{counted(len(check.conflicts), 'image')} with copies that are labelled differently",
        [_together(check, places) for places in check.conflicts],
    )
    rest = [places for places in check.copies if places not in set(check.leaks) | set(check.conflicts)]
    add(f"{counted(len(rest), 'image')} with copies of the same pixels", [_together(check, places) for places in rest])
    across = check.near_across
    within = [pair for pair in check.near_copies if pair[0].part == pair[1].part]
    add(
        f"{counted(len(across), 'pair')} of nearly equal images in different splits",
        [_together(check, pair, " ~ ") for pair in across],
    )
    add(f"{counted(len(within), 'pair')} of nearly equal images", [_together(check, pair, " ~ ") for pair in within])
    add(
        f"{counted(len(check.shared_groups), 'group')} of images (clips) in more than one split: split by group with val_fraction=",
        [f"{group}: {', '.join(names)}" for group, names in check.shared_groups],
    )
    add(
        f"{counted(sum(check.odd_counts.values()), 'box')} to look at",
        [*_kinds(check), *(odd_line(check, one) for one in check.odd)],
    )
    unit = "box" if check.about.has_boxes else "image"
    empty = check.empty_classes
    add(f"{counted(len(empty), 'class')} without any {unit}", [", ".join(empty)] if empty else [])
    left_out = sum((Counter(part.dataset.left_out) for part in check.parts), Counter[str]())
    add("files that are not read", [as_text(left_out)] if left_out else [])
    missing = [f"{part.name}: {', '.join(names)}" for part in check.parts if (names := _missing(check, part))]
    add("classes that a split lacks", missing)
    add("notes", check.notes)
    return found


def odd_line(check: DatasetCheck, one: OddBox) -> str:
    """Image, class, corners and kind of a box to look at."""
    boxes = check.sample(one.place).boxes
    if boxes is None:
        return f"{check.shown(one.place)}: {one.kind}"
    corners = ", ".join(f"{value:g}" for value in boxes.xyxy[one.box].round(1).tolist())
    return f"{check.shown(one.place)}: {label_of(check.labels, int(boxes.class_id[one.box]))} ({corners}): {one.kind}"


def _kinds(check: DatasetCheck) -> list[str]:
    return [f"{counted(count, 'box')}: {kind}" for kind, count in check.odd_counts.most_common()]


def _missing(check: DatasetCheck, part: PartCheck) -> list[str]:
    """Classes that other parts have, but this one has not."""
    if len(check.parts) < 2 or not check.about.has_classes:
        return []
    empty = set(check.empty_classes)
    return [name for index, name in enumerate(check.labels) if not part.class_images[index] and name not in empty]


def _together(check: DatasetCheck, places: Sequence[Place], sign: str = " = ") -> str:
    names = sign.join(check.shown(place) for place in places[:SHOWN_COPIES])
    return names if len(places) <= SHOWN_COPIES else f"{names}, {len(places):,} in all"


def to_document(check: DatasetCheck) -> dict[str, Any]:
    """The JSON document; docs/data.md documents its fields."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": check.name,
        "read_as": reading(check),
        "task": check.task,
        "classes": list(check.labels),
        "image_count": check.images,
        "faults": check.faults(),
        "parts": [_part_document(check, part) for part in check.parts],
        "problems": [{"where": problem.where, "what": problem.what} for problem in check.problems],
        "notes": list(check.notes),
        "odd_box_counts": dict(check.odd_counts),
        "odd_boxes": [_odd_document(check, one) for one in check.odd],
        "copies": [_names(check, places) for places in check.copies],
        "copies_across_splits": [_names(check, places) for places in check.leaks],
        "copies_labelled_differently": [_names(check, places) for places in check.conflicts],
        "near_copies": [_names(check, places) for places in check.near_copies],
        "groups_in_several_splits": {group: list(names) for group, names in check.shared_groups},
        "empty_classes": check.empty_classes,
    }


def _odd_document(check: DatasetCheck, one: OddBox) -> dict[str, Any]:
    boxes = check.sample(one.place).boxes
    own = {} if boxes is None else {"class": check.labels[int(boxes.class_id[one.box])], "xyxy_px": boxes.xyxy[one.box].tolist()}
    return {"image": check.shown(one.place), "box": one.box, **own, "kind": one.kind}


def _part_document(check: DatasetCheck, part: PartCheck) -> dict[str, Any]:
    return {
        "split": part.name,
        "image_count": part.images,
        "unreadable_count": len(part.unreadable),
        "box_count": part.boxes,
        "ignored_box_count": part.crowd,
        "background_image_count": part.background,
        "boxes_by_class": {check.labels[index]: part.class_boxes[index] for index in sorted(part.class_boxes)},
        "images_by_class": {check.labels[index]: part.class_images[index] for index in sorted(part.class_images)},
        "boxes_by_size": dict(part.box_sizes),
        "image_sizes_px": [[width, height, count] for (width, height), count in part.image_sizes.most_common(SHOWN_CLASSES)],
    }


def _names(check: DatasetCheck, places: Sequence[Place]) -> list[str]:
    return [check.shown(place) for place in places]
