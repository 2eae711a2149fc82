"""Runs: train, convert, evaluate; watch, stop and resume; every run a real process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from edge.errors import UsageError
from edge.modelfile import Kind, released_model
from train.classifier.config import DEFAULT_CONFIG, read_config
from train.data.corrections import FOLDER as LABELS_FOLDER
from train.studio import forms
from train.studio.colours import BLUE, GREY, VERMILION, YELLOW
from train.studio.datasets import is_split_by_seed
from train.studio.forms import ClassifierForm, DetectorForm, Network
from train.studio.jobs import checked_name, log_tail, resume_job, start_job, stop_job
from train.studio.plots import history_chart
from train.studio.runs import (
    Run,
    headlines,
    list_runs,
    number_of,
    number_words,
    read_run,
    training_seed,
)
from train.studio.settings import StudioSettings
from train.studio.views import common, promotion

_VIEWS = {
    "all": ":material/list: Runs", "train": ":material/model_training: Train",
    "convert": ":material/compress: Convert", "evaluate": ":material/analytics: Evaluate",
    "releases": ":material/verified: Releases",
}
_STATE_COLOURS = {
    "running": BLUE, "starting": BLUE, "done": "#009E73", "failed": VERMILION,
    "stopped": YELLOW, "lost": YELLOW, "unfinished": GREY,
}
_WATCHED_EVERY = 2.0
_PICTURES = {
    "curves.png": "How it learnt", "confusion.png": "What is taken for what",
    "reliability.png": "How sure, and how right", "precision_recall.png": "Precision and recall",
    "worst_mistakes.png": "The worst mistakes",
}
_NETWORKS: dict[Network, str] = {"classifier": "Mask classifier", "detector": "Face detector"}
_KINDS: dict[Network, Kind] = {"classifier": "mask-classifier", "detector": "face-detector"}
_BACKBONES: dict[Literal["imagenet", "none"], str] = {
    "imagenet": "ImageNet weights", "none": "nothing",
}
ROOT = Path(__file__).resolve().parents[3]


def page() -> None:
    """Show the page."""
    if "started" in st.session_state:
        st.session_state["run"] = st.session_state.pop("started")
        st.session_state["runs_view"] = "all"
    view = st.segmented_control(
        "View", list(_VIEWS), format_func=_VIEWS.__getitem__, default="all", key="runs_view",
        label_visibility="collapsed",
    ) or "all"
    settings = common.settings()
    {
        "all": _all, "train": _train, "convert": _convert, "evaluate": _evaluate,
        "releases": promotion.show_releases,
    }[view](settings)


def _all(settings: StudioSettings) -> None:
    found = list_runs(settings.runs_folder)
    if not found:
        st.info("No run yet: start one under Train.", icon=":material/rocket_launch:")
        return
    names = {run.name: run for run in found}
    asked = st.query_params.get("run", "")
    if "run" not in st.session_state and asked in names:
        st.session_state["run"] = asked
    if st.session_state.get("run") not in names:
        st.session_state.pop("run", None)
    name = common.choice(
        st, "Run", names, key="run",
        format_func=lambda n: f"{n}  ·  {names[n].kind}  ·  {names[n].state}  ·  {names[n].when}",
    )
    st.query_params["run"] = name
    at_work = names[name].job is not None and names[name].state in ("starting", "running")
    # The part that changes by itself is drawn again by itself; the rest of the page stays.
    st.fragment(_live, run_every=_WATCHED_EVERY if at_work else None)(
        settings.runs_folder / name, at_work
    )
    if not at_work:
        promotion.offer(settings, names[name], list(names.values()))


def _live(folder: Path, was_at_work: bool) -> None:
    run = read_run(folder)
    if run is None:
        st.warning("This run is gone.")
        return
    at_work = run.job is not None and run.job.at_work
    if was_at_work and not at_work:
        st.rerun(scope="app")
    left, right = st.columns([4, 1], vertical_alignment="center")
    with left:
        _headline(run)
    with right:
        _buttons(run, at_work)
    if run.history:
        _curves(run)
    _results(run)
    text = log_tail(folder)
    if text:
        with st.expander("Log", expanded=at_work or run.state == "failed",
                         icon=":material/terminal:"):
            st.code(text, language=None, height=260, wrap_lines=True)


def _headline(run: Run) -> None:
    done, in_all = run.epochs
    st.html(
        common.chip(run.state, _STATE_COLOURS.get(run.state, GREY))
        + f' &nbsp;<b>{run.kind}</b> <span class="small">{run.when}'
        + (f", {done} of {in_all} epochs" if in_all else "")
        + (f", data {run.checksum[:10]}" if run.checksum else "") + "</span>"
    )
    if in_all and done < in_all and run.kind in ("classifier", "detector"):
        st.progress(min(1.0, done / in_all), text=f"epoch {done} of {in_all}")
    elif run.job is not None and run.job.at_work:
        st.progress(0.0, text="at work")
    if run.state == "lost":
        st.caption("Its process ended without a word, as in a power cut. Resume goes on.")


def _buttons(run: Run, at_work: bool) -> None:
    if at_work:
        st.button("Stop", icon=":material/stop:", width="stretch", key="stop",
                  on_click=_stop, args=(run.folder,))
        return
    ended_early = run.job is not None and run.job.state in ("failed", "stopped", "lost")
    if ended_early and st.button(
        "Resume", icon=":material/play_arrow:", width="stretch", key="resume"
    ):
        with common.told():
            resume_job(run.folder.parent, run.name)
            st.rerun(scope="app")


def _stop(folder: Path) -> None:
    stop_job(folder)


def _curves(run: Run) -> None:
    columns = list(dict.fromkeys(name for row in run.history for name in row))
    losses = [n for n in columns if n.endswith("loss")]
    rest = [n for n in columns if n.startswith("val_") and n not in losses and "_of_" not in n]
    left, right = st.columns(2)
    left.altair_chart(history_chart({run.name: run.history}, losses, "loss"), width="stretch")
    if rest:
        right.altair_chart(
            history_chart({run.name: run.history}, rest[:4], "validation"), width="stretch"
        )


def _results(run: Run) -> None:
    told = headlines(run)
    for start in range(0, len(told), 4):
        columns = st.columns(4)
        for column, (name, value) in zip(columns, told[start : start + 4], strict=False):
            number = number_of(value)
            if number is not None:
                column.metric(name, number_words(name, number), help=_interval(value))
    pictures = [p for p in run.pictures if p.name in _PICTURES]
    if pictures:
        with st.expander("Pictures", icon=":material/image:"):
            for path in sorted(pictures, key=lambda p: list(_PICTURES).index(p.name)):
                st.image(str(path), caption=_PICTURES[path.name])
    for path in run.models:
        st.download_button(
            f"{path.name} ({path.stat().st_size / 1e6:.1f} MB)", path.read_bytes,
            file_name=path.name, icon=":material/download:", key=f"get {path.name}",
        )


def _interval(value: object) -> str | None:
    if isinstance(value, dict) and value.get("low") is not None:
        return f"95 % interval {value['low']:.1%} to {value['high']:.1%}"
    return None


def _network(key: str) -> Network:
    return st.radio(
        "Network", _NETWORKS, horizontal=True, key=key, format_func=_NETWORKS.__getitem__
    )


def _train(settings: StudioSettings) -> None:
    network = _network("network")
    data = common.dataset_choice("train_data")
    if data is None:
        return
    with st.form("train"):
        name = st.text_input("Name of the run", _free(settings, network), max_chars=60)
        if network == "classifier":
            _train_classifier(settings, name, data)
        else:
            _train_detector(settings, name, data)


def _train_classifier(settings: StudioSettings, name: str, data: Path) -> None:
    usual = read_config()
    one, two, three = st.columns(3)
    form = ClassifierForm(
        data=data,
        epochs=one.number_input("Epochs", 1, 1000, usual.schedule.epochs),
        batch_size=two.number_input("Faces a step", 1, 1024, usual.schedule.batch_size),
        seed=three.number_input("Seed", 0, 2**31 - 1, usual.seed),
        alpha=one.select_slider("Width", (0.35, 0.5, 0.75, 1.0), usual.network.alpha),
        input_size=two.number_input("Input, pixels", 32, 448, usual.network.input_size, step=16),
        backbone=three.selectbox("Begin with", _BACKBONES, format_func=_BACKBONES.__getitem__),
    )
    own = Path(settings.corrections)
    corrected = st.checkbox(
        "Use the corrections made on the Data page", value=own.exists(), disabled=not own.exists()
    )
    if st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
        with common.told():
            out = settings.runs_folder / checked_name(name)
            config = None
            if corrected:
                _refuse_taken(out)
                used = [p for p in (LABELS_FOLDER / usual.sampling.corrections, own) if p.is_file()]
                config = forms.config_with_corrections(out, used, DEFAULT_CONFIG)
            command = forms.classifier_command(form, out, config)
            _start(settings, name, "classifier", command, form.epochs)


def _train_detector(settings: StudioSettings, name: str, data: Path) -> None:
    one, two = st.columns(2)
    form = DetectorForm(
        data, one.number_input("Epochs", 1, 1000, 56), two.number_input("Seed", 0, 2**31 - 1, 11)
    )
    if st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
        with common.told():
            command = forms.detector_command(form, settings.runs_folder / checked_name(name))
            _start(settings, name, "detector", command, form.epochs)


def _convert(settings: StudioSettings) -> None:
    trained = {
        run.name: run for run in list_runs(settings.runs_folder)
        if (run.folder / "model.keras").is_file() and run.kind in ("classifier", "detector")
    }
    if not trained:
        st.info("No trained network yet; train one first.", icon=":material/model_training:")
        return
    run = trained[common.choice(st, "Trained network", trained, key="trained")]
    data = common.dataset_choice("convert_data")
    if data is None:
        return
    network: Network = "detector" if run.kind == "detector" else "classifier"
    st.caption(
        "To int8, with its card, and a report of how often float and int8 answer the same. Where "
        "they differ by more than is allowed nothing is written."
    )
    with st.form("convert"):
        name = st.text_input("Name of the run", _free(settings, f"{run.name}-int8"), max_chars=60)
        version = st.number_input(
            "Version, only ever grows", 0, 10**6, common.next_version(_KINDS[network])
        )
        force = st.checkbox("Write it even where float and int8 differ by more; the card says so")
        if st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            with common.told():
                out = settings.runs_folder / checked_name(name)
                command = forms.convert_command(
                    network, run.folder, data, out, int(version), force
                )
                _start(settings, name, "convert", command)


def _evaluate(settings: StudioSettings) -> None:
    network = _network("evaluated")
    kind = _KINDS[network]
    models = common.model_files(kind, keras=True)
    chosen = models[common.choice(st, "Model", models, key="evaluated_model")]
    data = common.dataset_choice("evaluate_data")
    if data is None:
        return
    with st.form("evaluate"):
        name = st.text_input("Name of the run", _free(settings, f"eval-{network}"), max_chars=60)
        split = st.text_input("Split", "val", max_chars=40)
        repeats = st.number_input("Bootstrap resamples for the intervals", 0, 10_000, 300)
        if st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            with common.told():
                out = settings.runs_folder / checked_name(name)
                # Elsewhere the split by another seed would show it faces that it was trained on.
                by_seed = chosen is not None and is_split_by_seed(data, split)
                command = forms.evaluate_command(
                    network, chosen or released_model(kind), data, split, int(repeats), out,
                    training_seed(chosen) if chosen is not None and by_seed else None,
                )
                _start(settings, name, "evaluate", command)


def _start(
    settings: StudioSettings, name: str,
    kind: Literal["classifier", "detector", "convert", "evaluate"], command: Sequence[str],
    epochs: int = 0,
) -> None:
    start_job(settings.runs_folder, name, kind, command, cwd=ROOT, epochs=epochs)
    st.session_state["started"] = name
    st.rerun()


def _refuse_taken(out: Path) -> None:
    if read_run(out) is not None:
        raise UsageError(f"there is a run {out.name} already; choose another name")


def _free(settings: StudioSettings, stem: str) -> str:
    """Return the first of ``STEM-1``, ``STEM-2`` ... that no run is called."""
    stem = stem[:50]
    taken = {run.name for run in list_runs(settings.runs_folder)}
    return next(f"{stem}-{n}" for n in range(1, 10_000) if f"{stem}-{n}" not in taken)
