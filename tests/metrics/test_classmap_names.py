"""Classes whose names differ in case and separators only."""

from __future__ import annotations

from edgecnn.metrics.classmap import match_labels


def test_two_classes_with_one_name_are_said() -> None:
    found = match_labels(("cat", "dog"), ("Cat", "cat", "dog"))
    assert found.dataset_class.tolist() == [0, 2]
    assert found.notes == (
        "the dataset has several classes that are one name but for case and separators (Cat and cat); only the first is compared",
        "the model lacks 1 of the dataset's 3 classes, they score 0: cat",
    )
    both = match_labels(("traffic light", "traffic_light"), ("traffic light",))
    assert both.dataset_class.tolist() == [0, 0]
    assert both.notes == (
        "the model has several classes that are one name but for case and separators (traffic light and traffic_light); "
        "they count as one class",
    )
    assert match_labels(("a", "b"), ("a", "b")).notes == ()
