"""Promotion: a run's model becomes a release; and what was released so far."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import streamlit as st

from edge.errors import UsageError
from edge.files import write_whole
from edge.modelfile import ModelFile
from train.studio import releases
from train.studio.colours import BLUE, GREY, VERMILION
from train.studio.forms import EVALUATION_NAME, promote_command
from train.studio.jobs import start_job
from train.studio.releases import Release
from train.studio.runs import Run, evaluations_of, list_runs
from train.studio.settings import StudioSettings
from train.studio.views import common

NOTES_NAME = "notes.md"
_NOBODY = "nothing yet; the card tells what the training measured"
_SHOWN = 30
ROOT = Path(__file__).resolve().parents[3]


def offer(settings: StudioSettings, run: Run, found: Sequence[Run]) -> None:
    """Offer to promote the model of *run*, where it has one; *found* are all runs."""
    models = {
        path.name: model for path in run.models if path.suffix == ".tflite"
        if (model := common.model_file(str(path), path.stat().st_mtime_ns)) is not None
    }
    if not models:
        return
    st.markdown("##### Promote to a release")
    before = [r for r in releases.list_releases(settings.runs_folder) if r.facts.run == run.name]
    if before:
        st.caption(f"Released already as {', '.join(r.title for r in before)}.")
    model = next(iter(models.values()))
    if len(models) > 1:
        model = models[common.choice(st, "Model file", models, key="promoted")]
    if model.card.metrics.get("parity", {}).get("forced"):
        st.warning(
            "Float and int8 differ by more than is allowed; the card will say so.",
            icon=":material/warning:",
        )
    _form(settings, model, evaluations_of(found, model.path))


def _form(settings: StudioSettings, model: ModelFile, measured: Sequence[Run]) -> None:
    kind, evaluations = model.card.kind, {run.name: run for run in measured}
    with common.told():
        least = releases.newest_version(settings.runs_folder, kind) + 1
        # A form that was drawn before another promotion must not be sent with a version that
        # nobody has seen.
        drawn, st.session_state[f"least {kind}"] = st.session_state.get(f"least {kind}"), least
        with st.form("promote"):
            one, two = st.columns([1, 2])
            version = one.number_input("Version, only ever grows", least, 10**6, least)
            chosen = two.selectbox("Measured on this file", [*evaluations, _NOBODY])
            notes = st.text_area(
                "Sources and known weaknesses, for the card",
                max_chars=releases.LONGEST_NOTES, placeholder="Markdown", height=100,
            )
            st.caption(_what_happens(settings, model, least))
            if st.form_submit_button("Promote", type="primary", icon=":material/verified:"):
                if drawn not in (None, least):
                    raise UsageError(
                        f"{kind} {least - 1} was released meanwhile; look at the version, and "
                        "promote once more"
                    )
                _start(settings, model, int(version), notes, evaluations.get(chosen))


def _what_happens(settings: StudioSettings, model: ModelFile, least: int) -> str:
    words = (
        "It will be signed with the studio's key." if settings.signing_key else
        "It will not be signed, for the studio was started without `--signing-key`: gates that "
        "take only signed models will refuse it."
    )
    if model.card.version > least:
        words += (
            f" The run's file says version {model.card.version}: a gate that has tried it takes "
            "only a higher one."
        )
    return words


def _start(
    settings: StudioSettings, model: ModelFile, version: int, notes: str, evaluation: Run | None
) -> None:
    kind, root = model.card.kind, settings.runs_folder
    releases.check_version(root, kind, version)
    taken = {run.name for run in list_runs(root)}
    stem = f"promote-{kind}-{version}"
    name = next(n for i in range(1, 1000) if (n := f"{stem}-{i}") not in taken)
    file = root / name / NOTES_NAME
    write_whole(file, notes.strip() + "\n" if notes.strip() else "")
    result = evaluation.folder / EVALUATION_NAME if evaluation is not None else None
    command = promote_command(model.path, root, version, file, result, settings.signing_key)
    start_job(root, name, "promote", command, cwd=ROOT)
    st.session_state["started"] = name
    st.rerun()


def show_releases(settings: StudioSettings) -> None:
    """Show what was released, the last promotion first."""
    found = releases.list_releases(settings.runs_folder)
    if not found:
        st.info(
            "Nothing was promoted yet: choose a run that has a converted model, and promote it.",
            icon=":material/verified:",
        )
        return
    for release in found[:_SHOWN]:
        with st.container(border=True):
            _release(release)


def _release(release: Release) -> None:
    facts, path = release.facts, release.model
    model = common.model_file(str(path), path.stat().st_mtime_ns)
    trouble = releases.trouble_of(release, model.sha256 if model is not None else "")
    chip = (
        common.chip(trouble, VERMILION) if trouble
        else common.chip(f"signed by {facts.key}", BLUE) if facts.key
        else common.chip("not signed", GREY)
    )
    st.html(
        f"<b style='font-size:1.2rem'>{html.escape(release.title)}</b> &nbsp;{chip}"
        f'<div class="small">{html.escape(_when(facts.released))}, from the run '
        f"{html.escape(facts.run)}<br>SHA-256 <code>{html.escape(facts.sha256)}</code></div>"
    )
    if facts.notes.strip():
        st.caption(common.plain(" ".join(facts.notes.split())[:600]))
    with st.container(horizontal=True):
        for file, icon in ((path, ":material/download:"), (release.card, ":material/article:")):
            if file.is_file():
                st.download_button(
                    file.name, file.read_bytes, file_name=f"{release.folder.name}{file.suffix}",
                    icon=icon, key=f"get {release.folder.name} {file.name}",
                )
    if facts.public:
        with st.expander("For gates that take only what this key signed", icon=":material/key:"):
            st.code(f'[updates]\nkeys = ["{facts.public}"]', language="toml")


def _when(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text[:40]
