"""One set of class names for a dataset and a model that is measured on it."""

from __future__ import annotations

from edgecnn.data.relabel import parse_renames, rename_classes
from edgecnn.data.sample import Dataset
from edgecnn.errors import InputError
from edgecnn.metrics.classmap import ClassMap, match_labels, normalised, rename


def name_both(
    dataset: Dataset, labels: tuple[str, ...], renames: str | None = None, merge: str | None = None
) -> tuple[Dataset, ClassMap]:
    """The dataset with the names that a user wants, and which class of the model, with ``labels``, each is.

    ``renames`` "a:b,c:d" are for both sides, ``merge`` makes one class of all of the dataset.
    Raises ``InputError`` for a name that neither side has, and where they have no class in common.
    """
    changes = parse_renames(renames) if renames else {}
    known = {normalised(name) for name in (*dataset.labels, *labels)}
    lacking = [name for name in changes if normalised(name) not in known]
    if lacking:
        wanted = f"classes of {dataset.name} ({', '.join(dataset.labels)}) or of the model"
        raise InputError(wanted, ", ".join(lacking), "correct the names")
    own = {normalised(name) for name in dataset.labels}
    dataset = rename_classes(dataset, {old: new for old, new in changes.items() if normalised(old) in own})
    labels = rename(labels, changes)
    if merge:
        changes = dict.fromkeys(dataset.labels, merge)
        dataset, labels = rename_classes(dataset, changes), rename(labels, changes)
    return dataset, match_labels(labels, dataset.labels, dataset.task)
