"""The studio as a visitor meets it: a real server, a real browser, and painted pictures."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import cv2
import numpy as np
import pytest

from edge.vision.mask_painting import MaskStyle, paint_mask

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds until a page must show something; much longer than it takes, even on a busy machine."""

_WEARS = {"with_mask": "right", "incorrect_mask": "under_nose"}


@cache
def portrait(label: str = "without_mask") -> np.ndarray:
    """Return a public-domain portrait, a mask painted on as *label* says, (512, 512, 3) BGR."""
    pytest.importorskip("skimage", reason="scikit-image, which brings the portrait, is missing")
    from edge.camera.portrait import LANDMARKS, load_portrait

    picture = load_portrait()
    if label in _WEARS:
        picture = paint_mask(picture, LANDMARKS, MaskStyle("surgical", wear=_WEARS[label]))
    return picture


def encoded(image: np.ndarray, kind: str = ".jpg") -> bytes:
    return cv2.imencode(kind, image)[1].tobytes()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run the studio with *options* in *folder*; yield its address."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "train.studio", "--port", str(port), *options],
            cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(f"{address}/_stcore/health"))
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def eventually(holds: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Return what *holds* says once it is true; fail after *patience* seconds."""
    until = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < until, f"not so after {patience:g} s: {holds}"
        time.sleep(0.1)
    return found


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


class Browser:
    """A real Chromium without a window; skips where there is none."""

    def __init__(self, width: int = 1280, height: int = 1000) -> None:
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if chromium is None or driver is None:
            pytest.skip("chromium and chromium-driver are not installed")
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
            f"--window-size={width},{height}", "--hide-scrollbars",
        ):
            options.add_argument(argument)
        service = webdriver.ChromeService(executable_path=driver)
        self.driver = webdriver.Chrome(options=options, service=service)

    def as_phone(self, width: int = 390, height: int = 844) -> None:
        """Be a phone of so many pixels from now on; a window cannot be as narrow."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def open(self, address: str, waiting_for: str) -> None:
        self.driver.get(address)
        self.sees(waiting_for)

    @property
    def text(self) -> str:
        from selenium.common.exceptions import WebDriverException

        # What is chosen in a box is no text of the page, but of the field in it.
        script = (
            "return document.body.innerText + '\\n' + "
            "[...document.querySelectorAll('input')].map(i => i.value).join('\\n')"
        )
        try:
            return str(self.driver.execute_script(script))
        except WebDriverException:
            return ""

    def sees(self, words: str, patience: float = PATIENCE) -> None:
        """Wait until the page shows *words*."""
        until = time.monotonic() + patience
        while words not in self.text:
            assert time.monotonic() < until, f"{words!r} is not in {self.text[-3000:]!r}"
            time.sleep(0.1)

    def click(self, words: str) -> None:
        """Click the button, tab or choice whose text holds *words*."""
        self._once(lambda: next(
            e for e in self.driver.find_elements("css selector", "button, [role=option], label")
            if words in e.text and e.is_displayed()
        ).click())

    def follow(self, words: str) -> None:
        """Follow the link that says *words*."""
        self._once(lambda: next(
            e for e in self.driver.find_elements("css selector", "a")
            if e.text.strip() == words and e.is_displayed()
        ).click())

    def click_until(self, words: str, shown: str) -> None:
        """Click what :meth:`click` would, while it is there, until the page shows *shown*."""
        from selenium.common.exceptions import WebDriverException

        def seen() -> bool:
            for button in self.driver.find_elements("css selector", "button"):
                with suppress(WebDriverException):
                    if words in button.text:
                        button.click()
            return shown in self.text

        eventually(seen)

    def choose(self, label: str, option: str) -> None:
        """Choose *option* in the select box called *label*."""
        self._once(lambda: self._field(label).click())
        self.click(option)

    def fill(self, label: str, text: str) -> None:
        """Put *text* into the field called *label*."""
        from selenium.webdriver.common.keys import Keys

        field = self._once(lambda: self._field(label))
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(text, Keys.TAB)

    def upload(self, *paths: Path) -> None:
        """Give *paths* to the first uploader."""
        find = self.driver.find_element
        place = self._once(lambda: find("css selector", "input[type=file]"))
        place.send_keys("\n".join(map(str, paths)))

    @property
    def too_wide(self) -> list[str]:
        """What reaches beyond the right edge, so that a phone would have to be pushed about."""
        script = (
            "const wide = document.documentElement.clientWidth + 1; "
            "return [...document.querySelectorAll('button, p, a, img, video, canvas, input')]"
            ".filter(e => e.offsetWidth && e.getBoundingClientRect().right > wide"
            " && e.getBoundingClientRect().left < wide).map(e => e.tagName + ' ' + e.innerText)"
        )
        return [str(words) for words in self.driver.execute_script(script)]

    def press(self, key: str) -> None:
        """Press *key* on the page itself."""
        self.driver.find_element("tag name", "body").send_keys(key)

    def camera_runs(self) -> bool:
        """Return whether the page shows what a camera sees."""
        script = "const v = document.querySelector('video'); return !!v && v.readyState === 4"
        return bool(self.driver.execute_script(script))

    def film_runs(self, seconds: float) -> None:
        """Wait for the film on the page, and hold it at *seconds*."""
        script = (
            "const v = document.querySelector('video'); "
            "if (!v || v.readyState < 2) return false; "
            "v.pause(); v.currentTime = arguments[0]; return true"
        )
        self._once(lambda: self.driver.execute_script(script, seconds) or next(iter(())))

    def save(self, path: Path) -> None:
        self.driver.save_screenshot(str(path))

    def close(self) -> None:
        self.driver.quit()

    def _field(self, label: str) -> Any:
        places = ", ".join(f'{kind}[aria-label*="{label}"]' for kind in ("input", "textarea"))
        return self.driver.find_element("css selector", places)

    def _once(self, action: Callable[[], Any]) -> Any:
        """Return what *action* does once the page is ready for it: it is drawn anew at times."""
        from selenium.common.exceptions import WebDriverException

        until = time.monotonic() + PATIENCE
        while True:
            try:
                return action()
            except (WebDriverException, StopIteration) as error:
                assert time.monotonic() < until, f"{error} in {self.text[-2000:]!r}"
                time.sleep(0.1)
