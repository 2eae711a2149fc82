"""The metrics, read by Prometheus' own parsers."""

from __future__ import annotations

import numpy as np
import pytest

from edge.camera.frame import Frame
from edge.gate.policy import Gate, GateState
from edge.report.events import Event
from edge.watch import Scene
from tests.edge.status_pages import Served

parser = pytest.importorskip("prometheus_client.parser")
openmetrics = pytest.importorskip("prometheus_client.openmetrics.parser")

FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), 0.0, 0)
ASKED = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture(scope="module")
def page():
    page = Served()
    page.see(FRAME, GateState.PASS, Scene(gate=Gate(GateState.PASS)))
    for verdict in ("mask", "mask", "no_mask"):
        page.poster.event(Event(1.0, "person_left", 1, verdict))
    page.poster.event(Event(1.0, "alarm_started", 1, "no_mask"))
    page.poster.event(Event(1.0, "camera_fault", fault="frozen", detail="..."))
    yield page
    page.server.close()


def families(page, accept=""):
    answer = page.ask("/metrics", Accept=accept)
    kind = answer.headers["Content-Type"]
    read = openmetrics if "openmetrics" in kind else parser
    return kind, list(read.text_string_to_metric_families(answer.text))


def samples(found):
    return {(one.name, *one.labels.values()): one.value for family in found
            for one in family.samples}


@pytest.mark.parametrize(("accept", "kind"), [
    ("", "text/plain"), ("*/*", "text/plain"), (ASKED, "application/openmetrics-text"),
    ("text/plain;version=0.0.4", "text/plain"), ("x" * 5000, "text/plain"), (";,=;", "text/plain"),
])
def test_a_scraper_gets_the_format_that_it_asks_for(page, accept, kind):
    got, found = families(page, accept)
    assert got.startswith(kind) and len(found) > 10


@pytest.mark.parametrize("accept", ["", ASKED])
def test_the_figures_are_those_of_the_gate(page, accept):
    values = samples(families(page, accept)[1])
    assert values["maskgate_people_total", "mask"] == 2
    assert values["maskgate_people_total", "incorrect"] == 0
    assert values["maskgate_alarms_total",] == 1 and values["maskgate_frames_total",] == 1
    assert values["maskgate_state", "pass"] == 1 and values["maskgate_state", "alarm"] == 0
    assert values["maskgate_camera_faults_total", "frozen"] == 1
    assert values["maskgate_camera_faults_total", "unplugged"] == 0
    assert values["maskgate_healthy",] == 1 and values["maskgate_preview_watched",] == 0


def test_every_metric_says_what_it_is_and_is_the_gates_own(page):
    for family in families(page)[1]:
        assert family.name.startswith("maskgate_") and family.documentation.endswith(".")


def test_one_state_at_a_time(page):
    values = samples(families(page)[1])
    assert sum(value for name, value in values.items() if name[0] == "maskgate_state") == 1


def test_what_is_not_known_yet_is_left_out():
    page = Served()
    try:
        names = {family.name for family in families(page)[1]}
        assert "maskgate_frame_age_seconds" not in names and "maskgate_uptime_seconds" in names
        assert samples(families(page)[1])["maskgate_healthy",] == 0
    finally:
        page.server.close()


def test_the_global_registry_of_the_library_is_left_alone(page):
    from prometheus_client import REGISTRY

    families(page)
    assert not any(one.name.startswith("maskgate") for one in REGISTRY.collect())
