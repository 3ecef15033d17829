from __future__ import annotations

from edgecnn.trust.attack.findings import findings
from edgecnn.trust.attack.result import AttackedFile, AttackLevel


def file(name: str = "net.safetensors", images: int = 400, **curves: float) -> AttackedFile:
    half = 0.5 / images**0.5
    values = {"none": 0.9, **curves}
    levels = tuple(
        AttackLevel(
            method=method,
            eps=0 if method == "none" else 8,
            metric="top1",
            value=value,
            low=value - half,
            high=value + half,
            images=images,
        )
        for method, value in values.items()
    )
    return AttackedFile(name=name, format="torch", precision="fp32", levels=levels)


def test_an_attack_that_works_is_not_doubted() -> None:
    assert findings([file(noise=0.88, fgsm=0.4, pgd=0.3, square=0.5)], "net.safetensors") == ()


def test_an_attack_weaker_than_noise_is_told() -> None:
    (line,) = findings([file(noise=0.6, pgd=0.85)], "net.safetensors")
    assert "pgd is weaker than noise (noise leaves 60.0 %, pgd 85.0 % at 8/255); the gradients may be masked" in line


def test_answers_that_beat_gradients_are_told() -> None:
    (line,) = findings([file(noise=0.9, pgd=0.6, square=0.3)], "net.safetensors")
    assert "pgd is weaker than square" in line


def test_an_attack_that_does_not_carry_over_is_no_masking() -> None:
    (line,) = findings([file("net-int8.onnx", noise=0.9, pgd=0.6, square=0.3)], "net.safetensors")
    assert "does not carry over" in line


def test_too_few_queries_and_too_few_images_are_told() -> None:
    lines = findings([file(images=20, noise=0.5, square=0.7)], "")
    assert "give it more --queries" in lines[0]
    assert "20 images are too few" in lines[1]
