"""Gates: how each one is, and how a new model comes to them."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from edge.errors import MaskgateError
from edge.modelfile import Kind, ModelFile
from train.studio.colours import GREY, STATE_COLOURS
from train.studio.gates import (
    Fleet,
    gate_status,
    last_of,
    model_of,
    read_fleet,
    send_model,
)
from train.studio.jobs import log_tail, read_job, start_job, stop_job
from train.studio.listening import Told
from train.studio.pagewatch import Answer, joined
from train.studio.plots import people_chart, verdicts_chart
from train.studio.runs import list_runs
from train.studio.views import common
from train.studio.views.runs import ROOT

_KINDS: tuple[Kind, Kind] = ("face-detector", "mask-classifier")
_REFRESH = 3.0
_WORDS = {
    "alarm": "ALARM", "pass": "pass", "looking": "looking", "idle": "idle",
    "camera_fault": "camera fault", "software_fault": "software fault", "offline": "offline",
    "unhealthy": "does not work",
}


def page() -> None:
    """Show the page."""
    settings = common.settings()
    if not settings.gates:
        st.info(
            "No gates are named yet. Start the studio with `--gates gates.toml`; "
            "the documentation has an example.", icon=":material/door_front:",
        )
        return
    with common.told():
        fleet = read_fleet(Path(settings.gates))
        st.fragment(_gates, run_every=_REFRESH)(fleet)
        if fleet.takers:
            st.markdown("##### Bring a model to the gates")
            _bring(fleet)
    st.fragment(_rollouts, run_every=_REFRESH)()


def _gates(fleet: Fleet) -> None:
    told: Mapping[str, Told] = {}
    if fleet.broker.host:
        try:
            listener = common.listener(fleet.broker)
            told = listener.gates()
            if listener.trouble:
                st.warning(common.sentence(listener.trouble), icon=":material/wifi_off:")
        except MaskgateError as error:
            st.error(common.sentence(str(error)))
    pages = common.pages(fleet.pages).look() if fleet.pages else {}
    names = sorted({*fleet.gates, *told})
    if not names:
        st.info("No gate has been heard yet.", icon=":material/hearing:")
    for start in range(0, len(names), 2):
        for column, name in zip(st.columns(2), names[start : start + 2], strict=False):
            with column.container(border=True):
                _gate(name, fleet, told.get(name), pages.get(name))


def _gate(name: str, fleet: Fleet, told: Told | None, page: Answer | None) -> None:
    if page is not None:
        told = joined(told, page.told)
    state = told.state if told is not None else ""
    fault = str(told.value("state", "fault")) if told is not None else ""
    st.html(
        f"<b style='font-size:1.2rem'>{html.escape(name)}</b> &nbsp;"
        + (common.chip(_WORDS.get(state, state), STATE_COLOURS.get(state, GREY)) if state else "")
        + (f' <span class="small">{html.escape(fault[:80])}</span>' if fault else "")
    )
    if page is not None and page.trouble:
        st.caption(common.sentence(page.trouble[:300]))
    if told is not None and told.values:
        people = dict(told.values.get("people", {}))
        rate = told.value("health", "frames_per_second", None)
        st.caption(common.sentence(
            f"{people.get('date', 'today')}: alarms {people.get('alarms', 0)}"
            + (f"; {rate} frames per second" if rate is not None else "")
        ))
        st.altair_chart(people_chart(_counts(people)), width="stretch", key=f"people {name}")
        if told.verdicts:
            with st.expander("Verdicts heard", icon=":material/timeline:"):
                st.altair_chart(
                    verdicts_chart(told.verdicts), width="stretch", key=f"verdicts {name}"
                )
    _models(name, fleet, told)


def _models(name: str, fleet: Fleet, told: Told | None) -> None:
    gate = fleet.gates.get(name)
    if gate is None or not gate.models:
        said = [told.value("health", key) for key in ("detector", "model")] if told else []
        words = "; ".join(str(model)[:80] for model in said if model)
        st.caption(common.sentence(f"models: {words or 'not told'}"))
        return
    try:
        status = _status(gate.ssh, gate.models) if gate.ssh else gate_status(gate)
    except MaskgateError as error:
        st.caption(common.sentence(str(error)))
        return
    st.html("".join(_model_line(kind, model_of(status, kind)) for kind in _KINDS))
    last = last_of(status)
    if last.get("words"):
        st.caption(common.sentence(f"{str(last.get('at', ''))[:16]} {last['words']}"[:240]))


def _model_line(kind: Kind, model: Mapping[str, Any]) -> str:
    told = f"{model.get('name', '?')} {model.get('version', '?')}"
    return (
        f'<div class="small">{kind}: <b>{html.escape(told)}</b>, '
        f"{html.escape(str(model.get('standing', '?')))}</div>"
    )


def _bring(fleet: Fleet) -> None:
    models = _sendable()
    if not models:
        st.info("No converted model yet; make one under Runs.", icon=":material/compress:")
        return
    one, two = st.columns(2)
    model = models[common.choice(one, "Model", models, key="sent")]
    first = common.choice(two, "The gate that tries it first", fleet.takers, key="first_gate")
    st.caption(
        "A roll-out sends it to that gate, waits until it has proved itself there, and only then "
        "to the next. At the first refusal or rollback it stops, and the rest keep what they have."
    )
    with st.container(horizontal=True):
        if st.button("Roll out to all", type="primary", key="roll", icon=":material/moving:"):
            _roll_out(fleet, model, first)
        if st.button(f"Send to {first} only", key="send", icon=":material/send:"):
            with st.spinner("Sending …"):
                name = send_model(fleet.gates[first], model)
            st.success(f"Sent as {name}.", icon=":material/check:")


def _roll_out(fleet: Fleet, model: ModelFile, first: str) -> None:
    settings = common.settings()
    stem = f"rollout-{model.card.kind}-{model.card.version}-{model.sha256[:6]}"
    taken = {run.name for run in list_runs(settings.runs_folder)}
    name = next(n for i in range(1, 1000) if (n := f"{stem}-{i}") not in taken)
    command = (
        "train.studio.rollout", "start", "--gates", settings.gates, "--model", str(model.path),
        "--first", first,
    )
    start_job(settings.runs_folder, name, "rollout", command, cwd=ROOT)


def _rollouts() -> None:
    """Show the newest roll-out while it goes on, and how the last one ended."""
    folders = sorted(
        common.settings().runs_folder.glob("rollout-*/job.json"), key=lambda p: p.stat().st_mtime
    )
    if not folders:
        return
    folder = folders[-1].parent
    job = read_job(folder)
    if job is None:
        return
    st.markdown(f"##### {folder.name}: {job.state}")
    st.code(log_tail(folder, 3000), language=None, wrap_lines=True)
    if job.at_work:
        st.button("Stop the roll-out", icon=":material/stop:", key="stop_roll",
                  on_click=_stop, args=(folder,))


def _stop(folder: Path) -> None:
    stop_job(folder)


def _sendable() -> dict[str, ModelFile]:
    found = common.promoted()
    for run in list_runs(common.settings().runs_folder):
        for path in run.models:
            if path.suffix == ".tflite":
                model = common.model_file(str(path), path.stat().st_mtime_ns)
                if model is not None:
                    found[f"{run.name}: {model.card.kind} {model.card.version}"] = model
    return found


def _counts(people: Mapping[str, Any]) -> dict[str, int]:
    return {k: v for k, v in people.items() if isinstance(v, int) and not isinstance(v, bool)}


def _remote_status(ssh: str, models: str) -> dict[str, Any]:
    from train.studio.gates import GateSettings

    return gate_status(GateSettings(models, ssh))


# A call over the network for every visitor and every three seconds would be too many.
_status = st.cache_data(ttl=15, max_entries=100, show_spinner=False)(_remote_status)
