"""Splits a dataset into train and val by a seed without dividing groups, and selects images by a list."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path, PurePath, PureWindowsPath

import numpy as np

from edgecnn.data.calibration import fingerprint
from edgecnn.data.problems import short
from edgecnn.data.sample import Dataset, Problem, Sample
from edgecnn.errors import InputError
from edgecnn.text_files import read_lines

CONTENT = "@content"


def train_val_split(dataset: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """Split a dataset into train and val with a ``fraction`` (0..1) of the images in val, at least one; the order is kept.

    Images of a group (``Sample.group``) stay together, one without is a group of its own. Groups come in an order made by ``seed``;
    one becomes val where that brings the number of val images closer to the fraction.
    Raises ``InputError`` where no image would be left for training.
    """
    groups = group_indices(dataset)
    sizes = [len(group) for group in groups]
    # the length belongs to the seed: datasets of other sizes are shuffled independently
    order = np.random.default_rng((seed, len(dataset))).permutation(len(groups)).tolist()
    held = _choose(sizes, max(round(len(dataset) * fraction), 1), order)
    if len(held) == len(groups):
        group = f", all of one group ({dataset.samples[0].group})" if sizes[0] > 1 else ""
        raise InputError(f"too few images to divide: {len(dataset)} in {dataset.name}{group}", "use a larger dataset")
    # sorted: the order of the dataset is kept in both parts
    held_indices = np.sort(np.array([index for group in held for index in groups[group]], np.int64))
    learnt = np.setdiff1d(np.arange(len(dataset)), held_indices)
    return dataset.pick(learnt.tolist()), dataset.pick(held_indices.tolist())


def filter_by_list(dataset: Dataset, path: Path) -> Dataset:
    """Only the images whose file names are lines of ``path``, in the order of the dataset; names without an image become problems.

    Folders in a line count only where several images have the file name; a path of Windows is read, too. Raises ``InputError`` where the
    file can't be read or names none of the images.
    """
    lines = read_lines(path, f"list={short(path)}")
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(dataset.samples):
        by_name[PurePath(sample.name).name].append(index)
    chosen: set[int] = set()
    problems = list(dataset.problems)
    for number, line in lines.items():
        wanted = PureWindowsPath(line).parts or (line,)  # "." has no parts
        found = _closest(wanted, by_name.get(wanted[-1], []), dataset.samples)
        chosen.update(found)
        if len(found) != 1:
            what = f"{len(found)} images of the name {short(line)}; all are used" if found else f"no image {short(line)}"
            problems.append(Problem(f"{path.name}:{number}", what))
    if not chosen:
        raise InputError(f"list={short(path)} names none of the images of {dataset.name}", "write one file name per line")
    return dataclasses.replace(dataset.pick(sorted(chosen)), problems=tuple(problems))


def _closest(wanted: Sequence[str], indices: list[int], samples: Sequence[Sample]) -> list[int]:
    """Of images with one file name, those whose folders agree with the most folders of the path ``wanted``, from its end on."""
    if len(indices) < 2:
        return indices

    def agreement(index: int) -> int:
        pairs = zip(reversed(wanted), reversed(PurePath(samples[index].name).parts), strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    best = max(map(agreement, indices))
    return [index for index in indices if agreement(index) == best]


def group_indices(dataset: Dataset) -> list[list[int]]:
    """The sample indices of each group, in order of appearance; a sample without a group forms its own."""
    found: dict[str | int, list[int]] = {}
    for index, name in enumerate(_names(dataset)):
        found.setdefault(name or index, []).append(index)
    return list(found.values())


def shared_groups(one: Dataset, other: Dataset) -> list[str]:
    """The groups (clips, patients) that have images in both datasets, in order."""
    return sorted((set(_names(one)) & set(_names(other))) - {""})


def _content(sample: Sample) -> str:
    """A group name from the pixels of the image, "" if it can't be read."""
    try:
        return fingerprint(sample.read())[:16]
    except InputError:
        return ""


def _names(dataset: Dataset) -> Sequence[str]:
    """The group of each sample; rendered samples give it without computing their ground truth, which is slow."""
    quick = getattr(dataset.samples, "group", None)
    return [quick(index) if quick else dataset.samples[index].group for index in range(len(dataset))]


def _choose(sizes: list[int], wanted: int, order: Sequence[int]) -> list[int]:
    """Greedy selection in ``order`` of the groups that bring the sum of sizes closer to ``wanted``; the smallest if none does."""
    chosen: list[int] = []
    total = 0
    for group in order:
        if abs(total + sizes[group] - wanted) < abs(total - wanted):
            chosen.append(group)
            total += sizes[group]
    return chosen or [min(order, key=lambda group: sizes[group])]


def assign_groups(dataset: Dataset, pattern: str) -> Dataset:
    """The dataset with groups by the first (...) of the regular expression ``pattern`` in each file name, or by the whole match.

    An image that it does not match is a problem, and forms its own group. With "@content" copies of an image are a group.
    Raises ``InputError`` where it matches none.
    """
    if pattern == CONTENT:
        samples = [dataclasses.replace(sample, group=_content(sample)) for sample in dataset.samples]
        return dataclasses.replace(dataset, samples=samples)
    rule = re.compile(pattern)
    names = [PurePath(sample.name).name for sample in dataset.samples]
    found = [rule.search(name) for name in names]
    if not any(found):
        raise InputError(f"group={pattern} matches no file name of {dataset.name}, such as {names[0]}", "correct the expression")
    samples = [
        dataclasses.replace(sample, group="" if match is None else match[1 if rule.groups else 0] or "")
        for sample, match in zip(dataset.samples, found, strict=True)
    ]
    what = f"a file name that {pattern!r} does not match; a group of its own"
    lost = [Problem(sample.name, what) for sample in samples if not sample.group]
    return dataclasses.replace(dataset, samples=samples, problems=(*dataset.problems, *lost))
