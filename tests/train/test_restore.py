"""Training of restoration, and runs of what was trained."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edgecnn.live import CameraConfig, RunConfig, run
from edgecnn.live.config import OutputConfig
from edgecnn.models import create, load_checkpoint
from edgecnn.train import TrainConfig, train

TINY = {"width": 8, "depth": 1, "size": (24, 32)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for index in range(12):
        image = np.full((60, 80, 3), random.integers(40, 200, 3), np.uint8)
        for _ in range(4):
            x, y = (int(value) for value in random.integers(0, 60, 2))
            cv2.rectangle(image, (x, y), (x + 20, y + 15), random.integers(0, 256, 3).tolist(), -1)
        cv2.imwrite(str(folder / f"{index:02d}.png"), image)
    return folder


@pytest.fixture(scope="module")
def denoiser(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainConfig(
        model="denoise",
        data=(str(pictures),),
        out=tmp_path_factory.mktemp("out") / "run",
        model_options=TINY,
        epochs=60,
        batch=3,
        lr=0.01,
        ema=0.5,
        val_fraction=0.25,
        workers=0,
        amp="fp32",
    )
    return train(config, lambda line: None)


def test_an_untrained_network_without_its_last_layer_repeats_the_pixels() -> None:
    model = create("superres", **{**TINY, "upscale": 2})
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.zero_()
        x = torch.rand(1, 3, 6, 8)
        assert torch.equal(model(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_training_removes_noise_from_any_images(denoiser: Path) -> None:
    _, card = load_checkpoint(denoiser)
    scores = card.training["scores"]
    assert card.labels == ()
    assert card.decode.options["noise"] == 25.0
    assert scores["n"] == 3
    assert scores["psnr_input"] == pytest.approx(20.5, abs=1.5)  # 20 log10(255 / 25), and clipping
    assert scores["psnr"] > scores["psnr_input"] + 1.5
    assert scores["ssim"] > scores["ssim_input"]


def test_run_writes_restored_pictures_of_the_size_of_the_source(denoiser: Path, pictures: Path, tmp_path: Path) -> None:
    noisy = tmp_path / "noisy"
    noisy.mkdir()
    original = cv2.imread(str(pictures / "00.png")).astype(float)
    image = np.clip(original + np.random.default_rng(0).normal(0, 25, original.shape), 0, 255)
    cv2.imwrite(str(noisy / "00.png"), image.astype(np.uint8))
    outputs = OutputConfig(out=f"{tmp_path / 'clean'}/", jsonl=str(tmp_path / "out.jsonl"))
    run(RunConfig(cameras=(CameraConfig(source=str(noisy), model=denoiser, outputs=outputs),), log="off"))
    clean = cv2.imread(str(tmp_path / "clean" / "00.png")).astype(float)
    assert clean.shape == (60, 80, 3)  # larger than the input of 24 x 32: worked on in tiles
    assert ((clean - original) ** 2).mean() < 0.75 * ((image - original) ** 2).mean()
    assert '"pictures":[{"size_px":[80,60]}]' in (tmp_path / "out.jsonl").read_text()
