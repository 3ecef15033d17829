"""The exporter to TFLite."""

from __future__ import annotations

import zipfile

from edgecnn.card import CARD_KEY, ModelCard
from edgecnn.export import Artifact
from tests.contracts.exporter import ExporterContract

Artifacts = dict[tuple[str, str], Artifact]


class TestTflite(ExporterContract):
    format = "tflite"

    def test_any_unzip_reads_the_card(self, artifacts: Artifacts) -> None:
        artifact = artifacts["classify", "int8"]
        with zipfile.ZipFile(artifact.path) as archive:
            assert archive.namelist() == ["edgecnn.card", "edgecnn.goldens", "edgecnn.engine", "edgecnn.digest"]
            assert ModelCard.from_json(archive.read(CARD_KEY).decode()) == artifact.card

    def test_module_paths_are_not_inside(self, artifacts: Artifacts) -> None:
        content = artifacts["detect", "fp32"].path.read_bytes()
        assert content[4:8] == b"TFL3"
        assert b"torch.nn.modules" not in content
