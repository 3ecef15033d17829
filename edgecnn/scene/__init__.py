"""The built-in virtual camera: a procedural table-top with exact truth."""

from __future__ import annotations

from edgecnn.scene.ground_truth import Truth
from edgecnn.scene.options import LABELS, SceneOptions, parse_scene
from edgecnn.scene.scene import Scene

__all__ = ["LABELS", "Scene", "SceneOptions", "Truth", "parse_scene"]
