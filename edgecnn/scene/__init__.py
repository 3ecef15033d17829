"""The built-in virtual camera: renders a procedural table-top scene with exact ground truth."""

from __future__ import annotations

from edgecnn.scene.ground_truth import SceneGroundTruth
from edgecnn.scene.options import LABELS, SceneOptions, parse_scene
from edgecnn.scene.scene import Scene

__all__ = ["LABELS", "Scene", "SceneGroundTruth", "SceneOptions", "parse_scene"]
