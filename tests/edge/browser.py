"""A real headless Chromium, driven through its own driver's plain HTTP (W3C WebDriver)."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def missing() -> str:
    """Return why there is no browser here, "" where there is one."""
    absent = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"not on PATH: {', '.join(absent)} (Debian: chromium-driver)" if absent else ""


class Browser:
    """One window.  Every wait ends after *patience* seconds with an AssertionError."""

    def __init__(self, base: str, patience: float = 20.0) -> None:
        self._base = base
        self._patience = patience
        chrome = {"binary": shutil.which("chromium"), "args": list(_FLAGS)}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome,
                  "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._call("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._base += f"/{answer['sessionId']}"

    def open(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    def size(self, width: int, height: int, scale: float = 1.0) -> None:
        """Show the page as a screen of so many CSS pixels does, each *scale* of its own."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                      deviceScaleFactor=scale, mobile=width < 600)

    def devtools(self, command: str, **values: Any) -> Any:
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": values})

    def script(self, text: str) -> Any:
        """Return what the body of a function *text* returns in the page."""
        return self._call("POST", "/execute/sync", {"script": text, "args": []})

    def text(self, selector: str) -> str:
        return str(self._on(selector, "GET", "/text"))

    def type(self, selector: str, text: str) -> None:
        self._on(selector, "POST", "/value", {"text": text})

    def click(self, selector: str) -> None:
        self._on(selector, "POST", "/click", {})

    def until(self, expression: str) -> Any:
        """Return the value of *expression* in the page once it is true."""
        end = time.monotonic() + self._patience
        while not (value := self.script(f"return {expression}")):
            assert time.monotonic() < end, f"never came true: {expression}"
            time.sleep(0.05)
        return value

    def complaints(self) -> list[str]:
        """Return what the console holds since this was asked last: errors, blocked loads."""
        return [line["message"] for line in self._call("POST", "/se/log", {"type": "browser"})]

    def picture(self, whole: bool = False) -> bytes:
        """Return a PNG of the window, or of the *whole* page."""
        answer = self.devtools("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def close(self) -> None:
        self._call("DELETE", "")

    def _on(self, selector: str, method: str, what: str, values: Any = None) -> Any:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return self._call(method, f"/element/{found[_ELEMENT]}{what}", values)

    def _call(self, method: str, path: str, values: Any = None) -> Any:
        data = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(self._base + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {json.load(error)['value']['message']}") from None


@contextmanager
def browser() -> Iterator[Browser]:
    """A window of a Chromium of its own, which ends with the block."""
    driver = subprocess.Popen(
        ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert driver.stdout is not None
        ports = (re.search(r"on port ([1-9]\d*)", line) for line in driver.stdout)
        port = next(found[1] for found in ports if found)
        window = Browser(f"http://127.0.0.1:{port}/session")
        try:
            yield window
        finally:
            window.close()
    finally:
        driver.terminate()
        driver.communicate(timeout=20)
