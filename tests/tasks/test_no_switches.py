"""Only the modules below compare the name of a task or ask for the type of a prediction; all others ask the task."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from edgecnn.task_names import TASK_NAMES
from edgecnn.tasks import TASKS

# Networks and card inference decide which task a file or an option means; the others do their work with one kind of prediction only.
NAMES = {
    "edgecnn.data.relabel": "the labels of key points are no classes",
    "edgecnn.data.drawn_dataset": "drawn images have classes and boxes",
    "edgecnn.data.scene_dataset": "the scene has ground truth for three tasks",
    "edgecnn.live.analytics": "a gallery is of vectors",
    "edgecnn.models.registry": "a network that classifies can have another head",
    "edgecnn.train.run": "the data decides which head that is",
    "edgecnn.runtime.model.foreign_metadata": "the names of tasks in other tools' files",
    "edgecnn.runtime.model.inferred_card": "the task of a file without a card",
    "edgecnn.runtime.snippets.python_decoders": "the decoders as text",
    "edgecnn.runtime.snippets.cpp_decoders": "the decoders as text",
    "edgecnn.shown_scores": "only boxes have a class of the model each",
    "edgecnn.trust.attack.certified": "the certificate is of a class",
    "edgecnn.trust.attack.target": "attacks are known for classes and boxes",
    "edgecnn.trust.explain.why.run": "the reasons for a class and for a box are found in different ways",
    "edgecnn.trust.gradients.adversary": "the loss of an attack on a class or on boxes",
    "edgecnn.trust.groups.grouping": "an image has one class, and boxes have positions",
    "edgecnn.trust.shortcuts.subject": "the evidence is for a class or for a box",
    "edgecnn.trust.shortcuts.text": "what is counted, in words",
}
TYPES = {
    "edgecnn.shown_scores": "boxes have a class with its own score, poses do not",
    "edgecnn.adapt.page": "boxes are drawn",
    "edgecnn.teachers": "boxes become labels",
    "edgecnn.runtime.model.detector": "a detector gives boxes",
    "edgecnn.runtime.model.tiling": "pictures of tiles are put together",
    "edgecnn.runtime.pipeline.region_inference": "boxes of tiles are merged",
    "edgecnn.runtime.sinks.files.coco_results": "a file of boxes",
    "edgecnn.runtime.sinks.files.mot_text": "a file of boxes",
    "edgecnn.runtime.sinks.files.snapshot": "a frame without boxes is not kept",
    "edgecnn.runtime.steps.class_events": "events of classes",
    "edgecnn.runtime.steps.class_filter": "filters boxes",
    "edgecnn.runtime.steps.gallery": "names vectors",
    "edgecnn.runtime.steps.line_counter": "counts boxes",
    "edgecnn.runtime.steps.smoother": "smooths boxes by track",
    "edgecnn.runtime.steps.tracker": "tracks boxes",
    "edgecnn.runtime.steps.zone_counter": "counts boxes",
    "edgecnn.trust.attack.certified": "the certificate is of a class",
    "edgecnn.trust.attack.pictures": "boxes are drawn, a class is written",
    "edgecnn.trust.attack.same_network": "classes are compared, boxes are matched",
    "edgecnn.trust.attack.square": "the score of a class or of boxes is lowered",
    "edgecnn.trust.attribution.target": "the evidence is for a class or for a box",
    "edgecnn.trust.explain.why.answer": "the answer is a class or a box",
    "edgecnn.trust.gate.pictures": "boxes are drawn, a class is written",
    "edgecnn.trust.invariance.consistency": "only a class can stay the same",
    "edgecnn.trust.paired.image_pair": "classes are compared, boxes are matched",
    "edgecnn.trust.paired.pictures": "boxes are drawn, a class is written",
    "edgecnn.trust.paired.run": "things are known one by one for classes and boxes",
    "edgecnn.trust.shortcuts.answers": "the score of a class or of a box",
    "edgecnn.trust.judgement": "the classes of an image or of its boxes are what is right or wrong",
}
OWN = ("edgecnn.tasks", "edgecnn.task_names", "edgecnn.postprocess", "edgecnn.metrics", "edgecnn.benchmarks.figures")

graph = importlib.util.spec_from_file_location("import_graph", Path(__file__).parents[1] / "test_import_graph.py")
assert graph is not None
assert graph.loader is not None
import_graph = importlib.util.module_from_spec(graph)
sys.modules["import_graph"] = import_graph
graph.loader.exec_module(import_graph)


def compared_names(tree: ast.AST) -> Iterator[str]:
    """Task names in comparisons and in ``match``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                parts = side.elts if isinstance(side, ast.Tuple | ast.List | ast.Set) else [side]
                yield from (part.value for part in parts if isinstance(part, ast.Constant) and part.value in TASK_NAMES)
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant) and node.value.value in TASK_NAMES:
            yield node.value.value


def asked_types(tree: ast.AST) -> Iterator[str]:
    """Types of predictions in calls of ``isinstance``."""
    predictions = {task.prediction.__name__ for task in TASKS.values()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            names = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
            yield from sorted(names & predictions)


def places() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    names, types = {}, {}
    for module, path in import_graph.modules().items():
        if module.startswith(OWN):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if found := list(compared_names(tree)):
            names[module] = found
        if found := list(asked_types(tree)):
            types[module] = found
    return names, types


def test_no_other_module_switches_on_the_task() -> None:
    names, types = places()
    assert {module: found for module, found in names.items() if module not in NAMES} == {}
    assert {module: found for module, found in types.items() if module not in TYPES} == {}


def test_the_exceptions_are_still_needed() -> None:
    names, types = places()
    assert {module for module in NAMES if module not in names} == set()
    assert {module for module in TYPES if module not in types} == set()


def test_a_switch_is_found() -> None:
    code = "if card.task in ('detect', 'x') or card.task == 'classify':\n    isinstance(found, Detections | int)"
    assert list(compared_names(ast.parse(code))) == ["detect", "classify"]
    assert list(asked_types(ast.parse(code))) == ["Detections"]
