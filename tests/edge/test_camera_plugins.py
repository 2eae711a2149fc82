"""Cameras of other packages: found by their entry points, and told apart from ours."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from edge.camera import open_source
from edge.camera.openers import v4l2
from edge.camera.plugins import BUILT_IN, GROUP, Wish, added_schemes, opener
from edge.camera.uri import SCHEMES, parse_uri
from edge.config import CameraSettings, ModelSettings, default_config
from edge.errors import SourceError, UsageError
from edge.gatekeeper import Gatekeeper
from edge.kept import Kept

MODULE = """
from edge.camera.uri import only_options
class Camera:
    name, frames_per_second, live = "ids", 30.0, True
    def __init__(self, uri, wish): self.uri, self.wish = uri, wish
    def read(self, timeout): return None
    def close(self): pass
def open_camera(uri, wish):
    only_options(uri, "gain")
    return Camera(uri, wish)
def broken(uri, wish):
    raise ZeroDivisionError("first line\\nsecond line")
number = 7
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install packages that bring cameras, as pip would: name -> entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "maskgate_ids", raising=False)
    (tmp_path / "maskgate_ids.py").write_text(MODULE)

    def install(package: str, *lines: str) -> None:
        folder = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]) + "\n")

    yield install
    sys.modules.pop("maskgate_ids", None)


def test_another_package_adds_a_scheme(install):
    install("maskgate-ids", "ids = maskgate_ids:open_camera")
    source = open_source("ids://7?gain=2", patient=True, small_pixels=1000)
    assert (source.uri.scheme, source.uri.target, source.uri.options) == ("ids", "7", {"gain": "2"})
    assert source.wish == Wish(patient=True, small_pixels=1000)
    assert added_schemes() == ("ids",)


@pytest.mark.parametrize(("detail", "pixels"), [(1.0, 384 * 288), (1.8, 199065)])
def test_a_gate_asks_for_as_many_pixels_as_its_detector_looks_at(
    install, detail, pixels, monkeypatch, tmp_path
):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    install("maskgate-ids", "ids = maskgate_ids:open_camera")
    config = replace(
        default_config(), camera=CameraSettings("ids://7"), models=ModelSettings(detail=detail)
    )
    told = ("record", "events", "config", "no_pins", "realtime")
    with Kept() as kept:
        parts = Gatekeeper(kept, dict.fromkeys(told), print, print).open(config)
        assert parts.source.wish.small_pixels == pixels
        parts.shown.outputs.close()


def test_an_added_scheme_is_offered_where_one_is_mistyped(install):
    install("maskgate-ids", "ids = maskgate_ids:open_camera")
    with pytest.raises(UsageError, match=r"'idz' is not known; allowed: .*; ids://"):
        parse_uri("idz://7")


def test_a_plugins_own_refusal_is_told_as_it_is(install):
    install("maskgate-ids", "ids = maskgate_ids:open_camera")
    with pytest.raises(UsageError, match="option 'zoom' is not known for ids:; allowed: gain"):
        open_source("ids://7?zoom=2")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("maskgate_absent:open_camera", "cannot be loaded .ModuleNotFoundError: No module"),
        ("maskgate_ids:absent", "cannot be loaded .AttributeError"),
        ("maskgate_ids:number", "is no function but of type int"),
        ("maskgate_ids:broken", "failed .ZeroDivisionError: first line.; report"),
    ],
)
def test_a_plugin_that_is_broken_is_named_in_one_line(install, value, says):
    install("maskgate-ids", f"ids = {value}")
    with pytest.raises(SourceError, match=f"^ids: {value} of maskgate-ids {says}") as told:
        open_source("ids://0")
    assert "\n" not in str(told.value)


def test_a_scheme_that_two_packages_claim_opens_neither(install):
    install("maskgate-ids", "ids = maskgate_ids:open_camera")
    install("other-ids", "ids = maskgate_ids:broken")
    with pytest.raises(UsageError, match="ids: is claimed by maskgate-ids and other-ids"):
        open_source("ids://0")


def test_no_package_takes_one_of_our_cameras_over(install):
    install("maskgate-ids", "v4l2 = maskgate_ids:open_camera")
    assert opener("v4l2") is v4l2


def test_a_scheme_of_nobody_is_refused():
    with pytest.raises(UsageError, match="no camera has the scheme 'ids'; allowed: v4l2"):
        opener("ids", lambda: ())


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_each_of_our_schemes_has_an_opener_and_words(scheme):
    assert callable(opener(scheme, lambda: ())) and scheme in SCHEMES


def test_the_packages_metadata_lists_our_cameras_as_the_table_does():
    setup = ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    listed = setup["options.entry_points"].get(GROUP, "")
    lines = dict(line.split(" = ") for line in listed.strip().splitlines())
    assert lines == BUILT_IN
    for entry in entry_points(group=GROUP):
        if entry.dist is not None and entry.dist.name == "maskgate":
            assert BUILT_IN[entry.name] == entry.value
