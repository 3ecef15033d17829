"""The built-in virtual camera: a procedural table-top with exact truth."""

from __future__ import annotations

from edgecnn.data.scene.dataset import dataset
from edgecnn.data.scene.options import LABELS, SceneOptions, parse_scene
from edgecnn.data.scene.scene import Scene
from edgecnn.data.scene.truth import Truth

__all__ = ["LABELS", "Scene", "SceneOptions", "Truth", "dataset", "parse_scene"]
