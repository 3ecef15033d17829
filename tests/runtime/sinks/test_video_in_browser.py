"""Videos in a real headless Chromium: they play, know how long they are, and any moment is found."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av", reason="videos are written by PyAV: the extra video")
pytest.importorskip("selenium")

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from edgecnn.runtime.sinks.files.video_writer import VideoWriter

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium with driver: run tests/install_peers.sh"),
]
PAGE = """<video muted></video><script>
const video = document.querySelector('video');
async function play(name) {
  video.src = name;
  await new Promise((found, failed) => { video.oncanplay = found; video.onerror = () => failed(video.error.message); });
  await video.play();
}
async function shown(second) {
  video.pause();
  const found = new Promise(then => { video.onseeked = then; });
  video.currentTime = second;
  await found;
  const copy = new OffscreenCanvas(1, 1).getContext('2d');
  copy.drawImage(video, -8, -8);
  return [...copy.getImageData(0, 0, 1, 1).data];
}
</script>"""
CALL = "const done = arguments[arguments.length - 1]; {}.then(done, error => done('error: ' + error))"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--allow-file-access-from-files"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def record(path: Path, frames: int = 75) -> VideoWriter:
    """Frame n is as grey as 3 n and shown at n / 25 s."""
    file = VideoWriter(path, np.zeros((96, 128, 3), np.uint8), 25)
    for index in range(frames):
        file.add(np.full((96, 128, 3), index * 3, np.uint8), index / 25)
    return file


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_finished_video_plays_to_its_end_and_any_moment_is_found(tmp_path: Path, browser: Any, suffix: str) -> None:
    record(tmp_path / f"v{suffix}").close()
    (tmp_path / "page.html").write_text(PAGE)
    browser.get((tmp_path / "page.html").as_uri())
    assert browser.execute_async_script(CALL.format(f"play('v{suffix}')")) is None
    assert browser.execute_script("return video.duration") == pytest.approx(3.0, abs=0.05)
    assert browser.execute_script("return [video.videoWidth, video.videoHeight]") == [128, 96]
    until_ended(browser)
    assert browser.execute_script("return [video.readyState >= 2, video.error]") == [True, None]
    for second in (2.42, 0.42, 1.42):
        grey = browser.execute_async_script(CALL.format(f"shown({second})"))
        assert grey == pytest.approx([int(second * 25) * 3] * 3 + [255], abs=6)


def test_an_mp4_that_was_never_finished_plays(tmp_path: Path, browser: Any) -> None:
    file = record(tmp_path / "growing.mp4")
    shutil.copy(tmp_path / "growing.mp4", tmp_path / "killed.mp4")
    file.close()
    (tmp_path / "page.html").write_text(PAGE)
    browser.get((tmp_path / "page.html").as_uri())
    assert browser.execute_async_script(CALL.format("play('killed.mp4')")) is None
    until_ended(browser)
    assert browser.execute_script("return video.currentTime") > 2.4
    assert browser.execute_script("return video.error") is None


def until_ended(browser: Any) -> None:
    deadline = time.monotonic() + 60
    while not browser.execute_script("return video.ended"):
        assert time.monotonic() < deadline, browser.execute_script("return [video.currentTime, video.error?.message]")
        time.sleep(0.1)
