"""The page in a real headless Chromium: the video moves, numbers change, controls work, nothing comes from elsewhere."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("selenium")

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from edgecnn.runtime.pipeline.drift_status import DriftStatus
from edgecnn.runtime.view.auth import Access
from edgecnn.types import Event
from tests.runtime.view.harness import FakeSink, MovingSource, SilentSource, Watching, watching

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium with driver: run tests/install_peers.sh"),
]
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PIXEL = """const copy = new OffscreenCanvas(1, 1).getContext('2d');
copy.drawImage(document.querySelector(arguments[0]), -arguments[1], -arguments[2]);
return [...copy.getImageData(0, 0, 1, 1).data]"""
CHART = "return document.getElementById(arguments[0]).toDataURL()"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def until(holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := _unless_replaced(holds)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def _unless_replaced(holds: Callable[[], Any]) -> Any:
    """None where the page was loaded anew between finding an element and asking it."""
    try:
        return holds()
    except StaleElementReferenceException:
        return None


def text(browser: Any, selector: str) -> str:
    """What the first such element shows; nothing where there is none (yet)."""
    return next((str(element.text) for element in browser.find_elements(By.CSS_SELECTOR, selector)), "")


def requested(browser: Any, page: str) -> set[str]:
    """Addresses that the page asked for; the browser's own first page asks for some too."""
    sent = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    requests = [message["params"] for message in sent if message["method"] == "Network.requestWillBeSent"]
    return {request["request"]["url"] for request in requests if request["documentURL"].startswith(page)}


def problems(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def test_the_video_moves_numbers_change_and_nothing_comes_from_elsewhere(browser: Any) -> None:
    with watching(cameras={"door": MovingSource(), "yard": SilentSource()}, sinks=lambda: [FakeSink()]) as run:
        run.multi_camera.events.append(Event("line-crossed", time.perf_counter(), "door", {"line": "gate"}))
        browser.get(run.view.url)
        first = until(lambda: browser.execute_script("return Number(document.querySelector('article canvas')?.dataset.number)"))
        pixel = browser.execute_script(PIXEL, "article canvas", 8, 8)
        captured = text(browser, "#ledger")
        until(
            lambda: browser.execute_script("return Number(document.querySelector('article canvas')?.dataset.number)") > first + 5
        )
        until(lambda: browser.execute_script(PIXEL, "article canvas", 8, 8) != pixel)
        until(lambda: text(browser, "#ledger") != captured)
        assert pixel[3] == 255
        assert text(browser, "#health") == "1 of 2 cameras live"
        assert [badge.text for badge in browser.find_elements(By.CSS_SELECTOR, "article .badge")] == ["live", "lost"]
        assert SilentSource.detail in text(browser, "article:nth-of-type(2) .cover")
        assert "1 thing" in text(browser, "article .summary")
        assert "infer" in text(browser, "#stages-legend")
        assert "the broker does not answer" in text(browser, "#sinks")
        assert "door: line crossed line gate" in text(browser, "#events")
        for chart in ("age", "stages"):
            drawn = browser.execute_script(CHART, chart)
            until(lambda chart=chart, drawn=drawn: browser.execute_script(CHART, chart) != drawn)
        assert problems(browser) == []
        addresses = requested(browser, run.view.url)
        assert len(addresses) > 5
        assert [address for address in addresses if not address.startswith(run.view.url)] == []


def test_a_drift_is_told_with_its_measures(browser: Any) -> None:
    told = [DriftStatus("normal", "no drift", "300 images of training (set)")]
    with watching(cameras={"door": MovingSource()}) as run:
        camera = run.multi_camera.cameras["door"]
        camera.setup = dataclasses.replace(camera.setup, drift=lambda: told[0])
        browser.get(run.view.url)
        until(lambda: text(browser, "article .drift") == "no drift, compared with 300 images of training (set)")
        assert text(browser, "#health") == "live"
        lines = ("brightness 9 for 20 s, usual: 46 to 198 in training", "contrast 2 for 20 s, usual: 20 to 61 in training")
        told[0] = DriftStatus("drifted", "drift: brightness 9", "300 images of training (set)", lines=lines)
        until(lambda: text(browser, "article .drift").splitlines() == ["drift:", *lines])
        assert text(browser, "#health") == "live · drift"
        assert browser.find_elements(By.CSS_SELECTOR, "article .drift.warn")
        assert problems(browser) == []


def test_the_controls_work_by_mouse_and_by_keyboard(browser: Any) -> None:
    with watching() as run:
        browser.get(run.view.url)
        slider = until(lambda: browser.find_elements(By.CSS_SELECTOR, "#classes button") and browser.find_element(By.ID, "score"))
        slider.send_keys(Keys.ARROW_RIGHT * 5)
        until(lambda: run.multi_camera.controls.setting.score_threshold == pytest.approx(0.35))
        until(lambda: text(browser, "#score-value") == "0.35")
        thing, _ = browser.find_elements(By.CSS_SELECTOR, "#classes button")
        thing.click()
        until(lambda: run.multi_camera.controls.setting.only == {"other"})
        until(lambda: thing.get_attribute("aria-pressed") == "false")
        thing.send_keys(Keys.SPACE)
        until(lambda: run.multi_camera.controls.setting.only == {"thing", "other"})
        browser.find_element(By.ID, "none").click()
        until(lambda: run.multi_camera.controls.setting.only == frozenset())
        pause = browser.find_element(By.CSS_SELECTOR, "article .pause")
        pause.click()
        until(lambda: run.multi_camera.controls.setting.paused == {"door"})
        until(lambda: text(browser, "article .badge") == "paused")
        until(lambda: pause.text == "Resume")
        pause.click()
        until(lambda: text(browser, "article .badge") == "live")
        assert problems(browser) == []


def test_what_another_viewer_changes_is_shown(browser: Any) -> None:
    with watching() as run:
        browser.get(run.view.url)
        until(lambda: text(browser, "#score-value") == "0.30")
        run.ask("/api/controls", {"score_threshold": 0.8})
        until(lambda: text(browser, "#score-value") == "0.80")


def test_cameras_come_and_go_and_one_can_be_large(browser: Any) -> None:
    with watching(cameras={"door": MovingSource(), "yard": MovingSource()}) as run:
        browser.get(run.view.url)
        until(lambda: [title.text for title in browser.find_elements(By.CSS_SELECTOR, "article h3")] == ["door", "yard"])
        small, large = (browser.find_elements(By.CSS_SELECTOR, selector)[1] for selector in ("article", "article .large"))
        before = small.size["width"]
        large.click()
        until(lambda: small.size["width"] > 1.5 * before)
        assert browser.execute_script("return document.getElementById('which').value") == "yard"
        run.multi_camera.remove("door")
        run.view.remove_camera("door")
        until(lambda: [title.text for title in browser.find_elements(By.CSS_SELECTOR, "article h3")] == ["yard"])
        assert problems(browser) == []


def test_the_token_opens_the_page_for_this_browser(browser: Any) -> None:
    with watching(access=Access("127.0.0.1", 0, "a-token-for-the-test")) as run:
        browser.get(run.view.url)
        field = until(lambda: next(iter(one for one in browser.find_elements(By.ID, "token") if one.is_displayed()), None))
        assert not browser.find_element(By.ID, "page").is_displayed()
        field.send_keys("wrong", Keys.ENTER)
        until(lambda: "not the access token" in text(browser, "#wrong"))
        field.clear()
        field.send_keys("a-token-for-the-test", Keys.ENTER)
        until(lambda: browser.find_element(By.ID, "page").is_displayed())
        browser.get(run.view.url)
        until(lambda: browser.find_element(By.ID, "page").is_displayed())
        assert "a-token-for-the-test" not in browser.execute_script("return document.cookie + location.href")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_width_and_every_control_has_a_name(browser: Any, width: int, dark: bool) -> None:
    cameras = {"a camera with quite a long name, behind the house": MovingSource(), "yard": SilentSource()}
    labels = [f"a label of some length {number}" for number in range(40)]
    with watching(cameras=cameras, labels=labels, sinks=lambda: [FakeSink(name="x" * 90)]) as run:
        scale = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", scale)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        browser.get(run.view.url)
        until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#classes button")) == 40)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        nodes = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        spoken = [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
            and node["role"]["value"] in ("button", "slider", "searchbox", "combobox", "image", "img", "listitem")
        ]
        assert [role for role, name in spoken if not name and role != "listitem"] == []
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) == dark


def test_the_page_says_when_the_run_is_gone_and_follows_the_next_one(browser: Any) -> None:
    with watching() as run:
        port = run.port
        browser.get(run.view.url)
        until(lambda: browser.find_elements(By.CSS_SELECTOR, "article"))
        until(lambda: run.view.run_metrics.tick > 4)
    until(lambda: browser.find_element(By.ID, "offline").is_displayed())
    with watching(cameras={"yard": MovingSource()}, access=Access("127.0.0.1", port)):
        until(lambda: not browser.find_element(By.ID, "offline").is_displayed() and text(browser, "article h3") == "yard")


def test_a_browser_that_reads_slowly_slows_only_itself(browser: Any) -> None:
    with watching(cameras={"door": MovingSource(fps=25, size=(720, 1280))}) as run:
        crawl = {"offline": False, "latency": 300, "downloadThroughput": 40_000, "uploadThroughput": 40_000}
        browser.execute_cdp_cmd("Network.enable", {})
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", crawl)
        browser.get(run.view.url)
        until(lambda: browser.find_elements(By.CSS_SELECTOR, "article"), 60)
        before, started = _captured_and_numbers(run), time.monotonic()
        time.sleep(5)
        (captured, processed), seconds = _captured_and_numbers(run), time.monotonic() - started
        assert captured - before[0] > 2 * seconds
        assert processed - before[1] > 2 * seconds
        shown = browser.execute_script("return Number(document.querySelector('article canvas')?.dataset.number ?? 0)")
        assert shown < processed


def _captured_and_numbers(run: Watching) -> tuple[int, int]:
    counts = run.multi_camera.cameras["door"].ledger.counts()
    return counts.captured, counts.processed
