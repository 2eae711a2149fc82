"""Data: what a data set holds, where it leaks, and which labels a person should look at."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from edge.modelfile import LABELS
from train.data.corrections import DROP
from train.studio import dataset
from train.studio.colours import LABEL_WORDS
from train.studio.dataset import Audit, AuditedFace
from train.studio.drawing import lightened, picture
from train.studio.jobs import log_tail, read_job, start_job
from train.studio.messages import Pixels
from train.studio.relabel import read_rows, relabel
from train.studio.settings import StudioSettings
from train.studio.views import common
from train.studio.views.runs import ROOT

_KEYS = {"with_mask": "1", "without_mask": "2", "incorrect_mask": "3", DROP: "0"}
_SHOWN = 24
_AHEAD = 8
_VIEWS = {
    "doubtful": "Doubtful labels", "duplicates": "Near-duplicates", "leaks": "Leaks",
    "poor": "Small, dark, blurred",
}


def page() -> None:
    """Show the page."""
    settings = common.settings()
    data = common.dataset_choice("audited")
    if data is None:
        return
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:8]
    # A folder may be called anything, a run may not; the digest tells two of them apart.
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", data.name[:30])
    folder = settings.runs_folder / f"look-{plain}-{digest}"
    job = read_job(folder)
    if job is not None and job.at_work:
        st.fragment(_waiting, run_every=1.5)(folder)
        return
    audit = dataset.read_audit(folder)
    label = "Look at it" if audit is None else "Look again"
    if audit is None:
        st.caption(
            "Every face is read, measured, compared with all others and judged by the released "
            "classifier. Nothing in the folder is changed."
        )
    if st.button(label, type="primary" if audit is None else "secondary",
                 icon=":material/search:", key="look"):
        with common.told():
            _look(settings, folder, data)
            st.rerun()
    if job is not None and job.state in ("failed", "lost"):
        st.error("The last look failed.")
        st.code(log_tail(folder, 1500), language=None, wrap_lines=True)
    if audit is not None:
        _show(audit, settings)


def _look(settings: StudioSettings, folder: Path, data: Path) -> None:
    from train.studio.jobs import resume_job

    if read_job(folder) is not None:
        resume_job(settings.runs_folder, folder.name)
        return
    command = ("train.studio.audit", "look", "--data", str(data), "--out", str(folder))
    start_job(settings.runs_folder, folder.name, "audit", command, cwd=ROOT)


def _waiting(folder: Path) -> None:
    job = read_job(folder)
    if job is None or not job.at_work:
        st.rerun(scope="app")
    # The log begins with the command, which tells a visitor nothing.
    lines = [line for line in log_tail(folder).splitlines() if not line.startswith("$ ")]
    st.progress(0.0, text=common.plain(lines[-1][:120]) if lines else "starting")


def _show(audit: Audit, settings: StudioSettings) -> None:
    leaks, alike = dataset.leaks(audit), dataset.duplicates(audit)
    doubtful = dataset.doubtful(audit)
    columns = st.columns(5)
    for column, name, number, words in (
        (columns[0], "faces", len(audit.faces), f"in {audit.pictures} pictures"),
        (columns[1], "doubtful labels", len(doubtful), "the network finds another likelier"),
        (columns[2], "near-duplicates", len(alike), "groups of pictures that look the same"),
        (columns[3], "leaks", len(leaks), "such groups on both sides of the split"),
        (columns[4], "unreadable", len(audit.broken), "pictures"),
    ):
        column.metric(name, number, help=words)
    st.dataframe(dataset.counts(audit), hide_index=True, width="stretch")
    for note in audit.notes:
        st.caption(common.sentence(note))
    view = st.segmented_control(
        "View", list(_VIEWS), format_func=_VIEWS.__getitem__, default="doubtful",
        key="data_view", label_visibility="collapsed",
    ) or "doubtful"
    with common.told():
        if view == "doubtful":
            _relabelling(audit, doubtful, settings)
        elif view == "poor":
            for name, faces in dataset.poor(audit).items():
                st.markdown(f"##### {len(faces)} {name}")
                _tiles(faces[:_SHOWN], audit)
        else:
            _groups(leaks if view == "leaks" else alike, audit)


def _relabelling(
    audit: Audit, faces: Sequence[AuditedFace], settings: StudioSettings
) -> None:
    """One face at a time, a key a label."""
    path = Path(settings.corrections)
    rows = read_rows(path)
    passed: set[str] = st.session_state.setdefault("passed", set())
    # Of several faces of one name the CSV cannot say which; those are not asked about.
    alone = dataset.names_alone(audit)
    left = [
        f for f in faces
        if f.name in alone and (f.name, f.label) not in rows and f.file not in passed
    ]
    unsaid = sum(f.name not in alone for f in faces)
    if unsaid:
        st.caption(
            f"{unsaid} doubtful faces are not asked about: pictures of the same name, or faces in "
            "the same picture, cannot be told apart in the CSV."
        )
    st.caption(
        f"{len(left)} to look at, {len(rows)} corrected so far. Keys: 1 mask, 2 no mask, 3 worn "
        "wrong, 0 leave out, Space the label is right. Answers go into a CSV that trainings "
        "read; no picture is changed."
    )
    if not left:
        st.success("No doubtful label is left.", icon=":material/done_all:")
        return
    face = left[0]
    crop = _crops(left[:_AHEAD], audit)[0]
    shown, asked = st.columns([1, 2], gap="medium")
    with shown:
        if crop is None:
            st.warning("This picture cannot be read.")
        else:
            as_it_is = picture(crop)
            shown_as = lightened(as_it_is)
            st.image(shown_as, width=320)
            if shown_as is not as_it_is:
                st.caption("Shown lighter than it is.")
    with asked:
        st.html(
            f"Labelled <b>{LABEL_WORDS[face.label]}</b>, but the network says "
            f"<b>{LABEL_WORDS[face.seen]}</b> ({max(face.probabilities):.0%})."
            + common.shares(dict(zip(
                ("mask", "no_mask", "incorrect"), face.probabilities, strict=True
            )))
        )
        st.caption(common.plain(f"{face.name}, {face.source or 'unnamed'}, {face.split}"))
        with st.container(horizontal=True):
            for label in (*LABELS, DROP):
                st.button(
                    LABEL_WORDS.get(label, "leave out"), key=f"as {label}", shortcut=_KEYS[label],
                    on_click=_answer, args=(str(path), face, label),
                )
        st.button(
            f"{LABEL_WORDS[face.label]} is right", key="right", shortcut="Space",
            on_click=passed.add, args=(face.file,), icon=":material/check:",
        )


def _answer(path: str, face: AuditedFace, label: str) -> None:
    with common.told():
        relabel(Path(path), face.name, face.label, label)
        st.session_state["passed"].add(face.file)


def _groups(groups: Sequence[Sequence[AuditedFace]], audit: Audit) -> None:
    if not groups:
        st.success("None.", icon=":material/check:")
        return
    # Pictures that look the same and are labelled differently: one of the labels is wrong.
    groups = sorted(groups, key=lambda g: len({face.label for face in g}), reverse=True)
    for group in groups[:8]:
        sides = sorted({face.split for face in group})
        labels = sorted({LABEL_WORDS[face.label] for face in group})
        st.markdown(f"**{len(group)}** in {' and '.join(sides)}: {', '.join(labels)}")
        _tiles(group[:6], audit)
    if len(groups) > 8:
        st.caption(f"and {len(groups) - 8} groups more")


def _tiles(faces: Sequence[AuditedFace], audit: Audit) -> None:
    if not faces:
        return
    with st.container(horizontal=True):
        for face, crop in zip(faces, _crops(faces, audit), strict=True):
            if crop is not None:
                with st.container(width=120):
                    st.image(picture(crop), width=110)
                    st.caption(common.plain(
                        f"{LABEL_WORDS[face.label]} · {face.split} · {face.shorter:.0f} px"
                    ))


def _crops(faces: Sequence[AuditedFace], audit: Audit) -> list[Pixels | None]:
    """Return the faces' pictures, from the session where they were just shown."""
    kept: dict[tuple[str, tuple[float, ...]], Pixels | None] = st.session_state.setdefault(
        "crops", {}
    )
    missing = [f for f in faces if (f.file, f.box) not in kept]
    if missing:
        if len(kept) > 400:
            kept.clear()
            missing = list(faces)
        for face, crop in zip(
            missing, dataset.crops_of(missing, Path(audit.folder)), strict=True
        ):
            kept[face.file, face.box] = crop
    return [kept[f.file, f.box] for f in faces]
