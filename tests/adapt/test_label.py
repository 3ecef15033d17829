from __future__ import annotations

from edgecnn.adapt.label import _keeping
from edgecnn.data.pseudo_labels import PseudoLabeler
from edgecnn.types import Detections, Image


def labeler(name: str, *labels: str) -> PseudoLabeler:
    def predict(image: Image) -> Detections:
        return Detections.empty()

    return PseudoLabeler(predict, labels, name)


def test_the_model_labels_only_what_no_teacher_knows() -> None:
    own, classes = labeler("own", "person", "face", "vehicle"), ("person", "face", "vehicle")
    (kept,) = _keeping(own, [labeler("a", "Person", "dog"), labeler("b", "vehicle")], classes)
    assert kept.classes(classes) == {1: 1}


def test_where_teachers_know_all_the_model_labels_nothing() -> None:
    own, classes = labeler("own", "person", "face"), ("person", "face")
    assert list(_keeping(own, [labeler("a", "face", "person")], classes)) == []
