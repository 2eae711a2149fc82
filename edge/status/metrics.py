"""What Prometheus scrapes: the status in its text format, made anew for each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, get_args

from edge import __version__
from edge.camera.fault import FaultName
from edge.errors import OutputError
from edge.gate.policy import GateState
from edge.status.board import VERDICTS, Status

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_LONGEST_ACCEPT = 1000


class Metrics:
    """Writes statuses in the text format that the scraper wants.

    Nothing is counted here: all figures are those of the status, so that the gate's loop has
    nothing more to do.  The registry is its own; the library's global one, which tells of the
    process, is not used.  Raises OutputError where prometheus-client is not installed.
    """

    def __init__(self, status: Callable[[], Status], watched: Callable[[], bool]) -> None:
        try:
            from prometheus_client.exposition import choose_encoder
            from prometheus_client.registry import CollectorRegistry
        except ModuleNotFoundError:
            raise OutputError(
                "the status page needs prometheus-client, which is not installed; install it "
                "with: pip install 'prometheus-client>=0.20'"
            ) from None
        self._status = status
        self._watched = watched
        self._choose = choose_encoder
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their media type, one of those that *accept* names."""
        encode, kind = self._choose(accept[:_LONGEST_ACCEPT])
        return encode(self._registry), kind

    def describe(self) -> list[Metric]:
        """Return nothing, so that no status is asked for before there is one."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the status that is so now."""
        return families(self._status(), self._watched())


def families(status: Status, watched: bool) -> Iterator[Metric]:
    """Yield what *status* comes to, each metric with the words that explain it.

    What is not known yet is left out.
    """
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
    )

    standing, turn = status.standing, status.turn
    state = standing.board.state

    def gauge(name: str, says: str, value: float) -> Metric:
        return GaugeMetricFamily(f"maskgate_{name}", says, value=value)

    def labelled(
        kind: Callable[..., Metric], name: str, says: str, label: str, values: Mapping[str, float]
    ) -> Metric:
        family = kind(f"maskgate_{name}", says, labels=[label])
        for which, value in values.items():
            family.add_metric([which], value)  # type: ignore[attr-defined]
        return family

    detector, classifier = standing.models
    yield InfoMetricFamily(
        "maskgate_build", "Version of the program, and the networks at work.",
        value={"version": __version__, "detector": detector, "classifier": classifier},
    )
    yield gauge("healthy", "1 when the gate does its work, 0 when something is wrong.",
                float(not status.trouble[0]))
    yield labelled(GaugeMetricFamily, "state", "1 for what the gate shows now, 0 for the others.",
                   "state", {one.value: float(one is state) for one in GateState})
    yield gauge("muted", "1 in quiet hours, when there is no sound.", float(standing.board.muted))
    yield labelled(GaugeMetricFamily, "people_present", "People before the gate now, by verdict.",
                   "verdict", turn.people)
    yield labelled(
        CounterMetricFamily, "people", "People who left since the start, by their last verdict.",
        "verdict", {one: standing.totals.get(one, 0) for one in VERDICTS},
    )
    yield CounterMetricFamily("maskgate_alarms", "Alarms that started since the start.",
                              value=standing.totals.get("alarms", 0))
    yield labelled(
        CounterMetricFamily, "camera_faults", "Faults of the camera since the start, by name.",
        # All of them from the start: a rise from nothing at all is none to Prometheus.
        "fault", {one: standing.faults.get(one, 0) for one in get_args(FaultName)},
    )
    yield CounterMetricFamily("maskgate_model_changes", "Changes of a network since the start.",
                              value=standing.totals.get("models_changed", 0))
    yield CounterMetricFamily("maskgate_frames", "Pictures processed since the start.",
                              value=turn.frames)
    if status.rate is not None:
        yield gauge("frames_per_second", "Pictures processed a second, lately.", status.rate)
    if status.frame_age is not None:
        yield gauge("frame_age_seconds", "Seconds since a picture was processed.",
                    status.frame_age)
    yield gauge("loop_age_seconds", "Seconds since the main loop gave a sign of life.",
                status.loop_age)
    yield gauge("uptime_seconds", "Seconds since the page was opened; falls with each restart.",
                status.uptime)
    yield gauge("preview_watched", "1 while somebody watches the picture.", float(watched))
