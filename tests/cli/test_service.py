from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edgecnn import shipped
from edgecnn.cli import main


def service(*words: str) -> Result:
    return CliRunner().invoke(main, ["service", *words])


def test_writes_three_files_and_says_how_to_use_them(tmp_path: Path) -> None:
    done = service("--name", "door", "--out", str(tmp_path), "--", "cups", "--source", "0")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Containerfile", "compose.yaml", "door.service"]
    assert "systemctl enable --now door" in done.output
    assert "run cups --source 0 --serve 127.0.0.1:8501" in (tmp_path / "door.service").read_text()


def test_model_file_is_named_whole_and_copied_for_the_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, weights, out = tmp_path / "my model.xml", tmp_path / "my model.bin", tmp_path / "out"
    model.write_text("<net/>")
    weights.write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    done = service("--out", "out", "--", "my model.xml", "--source", "0")
    assert done.exit_code == 0, done.output
    assert f'run "{model}" --source 0' in (out / "edgecnn.service").read_text()
    assert (out / "my model.bin").read_bytes() == b"1"
    assert "[live,openvino]" in (out / "Containerfile").read_text()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("mine")
    done = service("--out", str(tmp_path), "--", "cups", "--source", "0")
    assert done.exit_code == 2
    assert "--force" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["compose.yaml"]
    assert service("--out", str(tmp_path), "--force", "--", "cups", "--source", "0").exit_code == 0


def test_password_is_refused_and_not_repeated(tmp_path: Path) -> None:
    done = service("--out", str(tmp_path), "--", "cups", "--source", "rtsp://me:secret@camera/door")
    assert done.exit_code == 2
    assert "EDGECNN_SOURCE" in done.output
    assert "secret" not in done.output
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = service("--out", str(tmp_path / "file" / "below"), "--", "cups", "--source", "0")
    assert done.exit_code == 2
    assert done.output.count("\n") == 1


def test_a_file_after_an_equals_sign_is_named_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner.pub").write_text("key")
    monkeypatch.chdir(tmp_path)
    done = service("--out", "out", "--", "cups", "--source", "0", "--require-signature=owner.pub")
    assert done.exit_code == 0, done.output
    assert f"--require-signature={tmp_path}/owner.pub" in (tmp_path / "out" / "edgecnn.service").read_text()
    assert "[live,sign]" in (tmp_path / "out" / "Containerfile").read_text()


def test_extras_that_a_cameras_file_needs(tmp_path: Path) -> None:
    cameras = tmp_path / "cameras.toml"
    cameras.write_text('require_signature = "owner.pub"\n# "old.xml"\n[[camera]]\nmodel = "m.tflite"\nsource = 0\n')
    done = service("--out", str(tmp_path / "out"), "--", "--cameras", str(cameras))
    assert done.exit_code == 0, done.output
    assert "[live,sign,tflite]" in (tmp_path / "out" / "Containerfile").read_text()


@pytest.mark.parametrize("named", ["net.safetensors", "plain"])
def test_a_checkpoint_needs_pytorch_and_that_is_said(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("net", "plain"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"1")
    done = service("--out", str(tmp_path / "out"), "--", named, "--source", "0")
    assert done.exit_code == 0, done.output
    assert "the machine needs the extra train" in done.stderr
    assert "[live,train]" in (tmp_path / "out" / "Containerfile").read_text()


def test_a_shipped_onnx_file_needs_no_pytorch(tmp_path: Path) -> None:
    done = service("--out", str(tmp_path), "--", "cups", "--source", "0")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "[live]" in (tmp_path / "Containerfile").read_text()


def test_the_word_run_is_not_repeated(tmp_path: Path) -> None:
    done = service("--out", str(tmp_path), "--", "run", "cups", "--source", "0")
    assert done.exit_code == 2
    assert done.output == "error: the words after -- are those after `edgecnn run`; leave the word run out\n"
    assert not list(tmp_path.iterdir())


def test_an_address_after_an_equals_sign_is_kept(tmp_path: Path) -> None:
    done = service("--out", str(tmp_path), "--", "cups", "--source", "0", "--serve=0.0.0.0:80")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "edgecnn.service").read_text().count("--serve") == 1
