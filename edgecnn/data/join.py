"""Concatenates datasets with the same classes."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from edgecnn.data.sample import Dataset, LazySamples, Sample


def join(datasets: Sequence[Dataset]) -> Dataset:
    """One dataset with the samples of all ``datasets`` in order, created lazily.

    Raises ``ValueError`` if their tasks or classes differ.
    """
    first = datasets[0]
    if len(datasets) == 1:
        return first
    # the order of the names counts, too: class ids are positions in them
    if any((dataset.task, dataset.labels) != (first.task, first.labels) for dataset in datasets):
        raise ValueError(f"the datasets have other classes than {first.name}; bring them to one list with to_classes")
    ends = list(accumulate(map(len, datasets)))

    def make(index: int) -> Sample:
        # ``ends`` holds cumulative lengths: the first end above ``index`` is that of its dataset
        which = bisect_right(ends, index)
        return datasets[which].samples[index - (ends[which - 1] if which else 0)]

    splits = {dataset.split for dataset in datasets}
    return dataclasses.replace(
        first,
        name=", ".join(dict.fromkeys(dataset.name for dataset in datasets)),
        samples=LazySamples(ends[-1], make),
        problems=tuple(problem for dataset in datasets for problem in dataset.problems),
        notes=tuple(dict.fromkeys(note for dataset in datasets for note in dataset.notes)),
        split=splits.pop() if len(splits) == 1 else "",
        left_out=sum((Counter(dataset.left_out) for dataset in datasets), Counter()),
        sources=tuple(source for dataset in datasets for source in dataset.sources),
        unlabelled=frozenset.intersection(*(dataset.unlabelled for dataset in datasets)),  # samples keep their own
    )
