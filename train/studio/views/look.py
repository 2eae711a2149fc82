"""Try: a picture, a clip, a snapshot or the demo, and what the two networks make of it."""

from __future__ import annotations

import hashlib
import html
from dataclasses import replace
from pathlib import Path

import streamlit as st

from edge.errors import UsageError
from edge.gate.decision import VERDICTS, DecisionSettings
from edge.report.events import sureness
from train.studio.colours import VERDICT_COLOURS, VERDICT_WORDS
from train.studio.drawing import draw_faces
from train.studio.films import film_of
from train.studio.messages import Asked, SeenClip, SeenPicture
from train.studio.plots import evidence_chart
from train.studio.sequential import Story, by_weight, stories
from train.studio.trying import (
    CLIP_SUFFIXES,
    MOST_MEGABYTES,
    PICTURE_SUFFIXES,
    JudgedFace,
    Thresholds,
    checked_upload,
    judged,
    see_picture,
    summary,
    watch_clip,
)
from train.studio.views import common

_SOURCES = {
    "upload": ":material/upload: Upload", "camera": ":material/photo_camera: Camera",
    "demo": ":material/face: Demo",
}
_DEMOS = {
    "three": "Three at once", "bare": "Bare", "mask": "Mask", "under_nose": "Under the nose",
    "clip": "A clip at the door",
}
_MOST_ROWS, _MOST_TABS = 12, 6
_RATES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.001)


def page() -> None:
    """Show the page."""
    source = st.segmented_control(
        "Where from", list(_SOURCES), format_func=_SOURCES.__getitem__, default="upload",
        key="source", label_visibility="collapsed",
    )
    asked, kind = None, "picture"
    with common.told():
        asked, kind = _brought(source or "upload")
    if asked is None:
        return
    with st.expander("Networks", icon=":material/neurology:"):
        asked = _with_models(asked)
    with common.told():
        if kind == "clip":
            _show_clip(_seen(asked, "clip"))
        else:
            _show_picture(_seen(asked, "picture"))


def _brought(source: str) -> tuple[Asked | None, str]:
    if source == "demo":
        demo = st.pills(
            "Demo", list(_DEMOS), format_func=_DEMOS.__getitem__, default="three", key="demo",
            label_visibility="collapsed",
        ) or "three"
        return Asked(demo=demo), "clip" if demo == "clip" else "picture"
    if source == "camera":
        shot = st.camera_input("Look into the camera", label_visibility="collapsed", width=640)
        if shot is None:
            st.caption(
                "Your browser asks before it lends the camera. The picture goes to this studio "
                "only and is not kept. Browsers lend cameras to `localhost` and HTTPS pages only."
            )
            return None, "picture"
        return Asked(data=shot.getvalue()), "picture"
    upload = st.file_uploader(
        "A picture or a clip", type=[*PICTURE_SUFFIXES, *CLIP_SUFFIXES], key="upload",
        label_visibility="collapsed",
    )
    if upload is None:
        st.markdown("##### Who wears a mask here?")
        st.caption(
            f"Bring a picture or a clip of up to {MOST_MEGABYTES} MB, from this machine or a "
            "phone's camera, or choose the demo above. It is looked at in memory and not kept."
        )
        return None, "picture"
    kind = checked_upload(upload.name, upload.size)
    return Asked(data=upload.getvalue()), kind


def _with_models(asked: Asked) -> Asked:
    left, right = st.columns(2)
    detectors, classifiers = (
        common.model_files("face-detector"), common.model_files("mask-classifier")
    )
    detector = detectors[common.choice(left, "Face detector", detectors, key="detector")]
    classifier = classifiers[
        common.choice(right, "Mask classifier", classifiers, key="classifier")
    ]
    return replace(asked, detector=_path(detector), classifier=_path(classifier))


def _path(path: Path | None) -> str:
    return "" if path is None else str(path)


def _seen(asked: Asked, kind: str) -> SeenPicture | SeenClip:
    """Return what the networks see, from the session where it is the same as just before."""
    digest = hashlib.sha256(asked.data).hexdigest()
    key = (kind, digest, asked.demo, asked.detector, asked.classifier)
    kept = st.session_state.get("seen")
    if kept is not None and kept[0] == key:
        seen: SeenPicture | SeenClip = kept[1]
        return seen
    # Before the new one comes, so that a visitor never holds two clips.
    st.session_state.pop("seen", None)
    st.session_state.pop("film", None)
    with st.spinner("Watching the clip …" if kind == "clip" else "Looking …"):
        seen = watch_clip(asked) if kind == "clip" else see_picture(asked)
    st.session_state["seen"] = (key, seen)
    return seen


def _show_picture(seen: SeenPicture | SeenClip) -> None:
    assert isinstance(seen, SeenPicture)
    shown, told = st.columns([3, 2], gap="medium")
    with told:
        head = st.container()
        below = st.container()
        with st.popover("Thresholds", icon=":material/tune:", width="stretch"):
            thresholds = Thresholds(
                st.slider("Count a face from this score on", 0.15, 1.0, 0.5, 0.05, key="score"),
                st.slider("Be sure from this probability on", 0.35, 0.99, 0.6, 0.01, key="sure"),
            )
    faces = judged(seen, thresholds)
    verdict, headline = summary(faces)
    with shown:
        st.image(draw_faces(seen.shown, faces), width="stretch")
        st.caption(
            f"{seen.size[0]} x {seen.size[1]} pixels; faces found in {seen.detector_ms:.1f} ms, "
            f"judged in {seen.classifier_ms:.1f} ms on this machine."
        )
    with head:
        common.verdict_box(verdict, headline, _sureness(faces))
    with below:
        for face in faces[:12]:
            st.html(common.face_row(
                face.seen.crop,
                f"<b>{face.number}</b> "
                + common.chip(
                    f"{VERDICT_WORDS[face.verdict]} {sureness(face.confidence)}",
                    VERDICT_COLOURS[face.verdict],
                )
                + common.shares(dict(zip(VERDICTS, face.seen.probabilities, strict=True)))
                + f'<div class="small">{_words(face.seen.probabilities)}; '
                f"face {face.seen.score:.0%}</div>",
            ))
        if faces:
            st.caption(
                "The small pictures are what the classifier was given. At a door one picture "
                "never decides: choose a clip to see evidence add up."
            )


def _sureness(faces: tuple[JudgedFace, ...]) -> str:
    if not faces:
        return "Come closer, turn to the light, or lower the score from which a face counts."
    if len(faces) == 1:
        return f"{sureness(faces[0].confidence)} sure"
    return f"{len(faces)} faces"


def _words(probabilities: tuple[float, float, float]) -> str:
    return html.escape(
        ", ".join(
            f"{VERDICT_WORDS[v]} {p:.0%}" for v, p in zip(VERDICTS, probabilities, strict=True)
        )
    )


def _show_clip(seen: SeenPicture | SeenClip) -> None:
    assert isinstance(seen, SeenClip)
    for remark in seen.remarks:
        st.warning(common.sentence(remark), icon=":material/info:")
    film, told = st.columns([3, 2], gap="medium")
    with told:
        head = st.container()
        with st.popover("How sure to be", icon=":material/tune:", width="stretch"):
            settings = _decision(seen)
    people = stories(seen, settings)
    with head:
        _show_people(people, seen)
    if people:
        st.markdown("##### Evidence over time")
        st.caption(
            "Each look at a face moves the line; only a bound decides. A look that follows closely "
            "on another is worth less, and one that is blurred, dark, small or sideways nothing."
        )
        if len(people) > _MOST_TABS:
            names = {s.person: s for s in by_weight(people)}
            person = st.selectbox(
                "Person", list(names), key="evidence_of",
                format_func=lambda n: f"{n}  ·  {_verdict_words(names[n])}",
            )
            st.altair_chart(evidence_chart(names[person], settings), width="stretch")
        else:
            tabs = st.tabs([f"Person {s.person}" for s in people])
            for tab, story in zip(tabs, people, strict=True):
                tab.altair_chart(evidence_chart(story, settings), width="stretch")
    # Last, because it takes longest: all else stands there by then.
    with film:
        _show_film(seen, people, settings)


def _decision(seen: SeenClip) -> DecisionSettings:
    usual = DecisionSettings()
    false_alarm = st.select_slider(
        "Masked people who may be called out", _RATES, usual.false_alarm_rate,
        format_func=lambda r: f"{r:.1%}", key="false_alarm",
    )
    miss = st.select_slider(
        "Others who may pass", _RATES, usual.miss_rate, format_func=lambda r: f"{r:.1%}",
        key="miss",
    )
    looks = st.slider("Looks before any verdict", 2, 20, usual.min_looks, key="looks")
    correlation = st.slider(
        "Seconds in which a look's error fades", 0.05, 1.0, usual.correlation_seconds, 0.05,
        key="correlation",
    )
    clip = st.slider("The most that one look may say", 0.5, 4.0, usual.clip, 0.1, key="clip")
    modest = DecisionSettings(
        false_alarm_rate=false_alarm, miss_rate=miss, min_looks=looks,
        correlation_seconds=correlation, clip=0.5, priors=seen.priors,
    )
    try:
        return replace(modest, clip=clip)
    except UsageError:
        st.caption("One look may not decide alone, so it says less than is asked for here.")
        return replace(modest, clip=0.95 * min(modest.alarm_bound, modest.pass_bound))


def _show_people(people: tuple[Story, ...], seen: SeenClip) -> None:
    if not people:
        common.verdict_box("unsure", "Nobody to be seen", "No face stayed long enough.")
        return
    wrong = [s for s in people if s.verdict in ("no_mask", "incorrect")]
    verdict = wrong[0].verdict if wrong else people[0].verdict
    if len(people) == 1:
        headline = {"mask": "Wears a mask", "no_mask": "No mask", "incorrect": "Mask worn wrong",
                    "unsure": "Never sure"}[verdict]
    else:
        headline = f"{len(people)} people, {len(wrong)} to call out"
    common.verdict_box(verdict, headline, f"{len(seen.frames)} frames watched")
    for story in by_weight(people)[:_MOST_ROWS]:
        st.html(common.face_row(
            seen.crops.get(story.person),
            f"<b>Person {story.person}</b> "
            + common.chip(_verdict_words(story), VERDICT_COLOURS[story.verdict])
            + f'<div class="small">{html.escape(_looks_words(story))}</div>',
        ))
    if len(people) > _MOST_ROWS:
        st.caption(f"and {len(people) - _MOST_ROWS} more, under Evidence over time")


def _verdict_words(story: Story) -> str:
    word = VERDICT_WORDS[story.verdict]
    # A third for each of three hypotheses is no share of anything that was seen.
    return word if not story.counted else f"{word} {sureness(story.confidence)}"


def _looks_words(story: Story) -> str:
    if not story.counted:
        return f"none of {len(story.moments)} looks counted, most were {story.lack}"
    seconds = story.seconds
    return (
        (f"decided {seconds:.2f} s after the first look; " if seconds is not None else "")
        + f"{story.counted} of {len(story.moments)} looks counted"
    )


def _show_film(
    seen: SeenClip, people: tuple[Story, ...], settings: DecisionSettings
) -> None:
    kept = st.session_state.get("film")
    if kept is None or (kept[0] != settings and st.session_state.get("draw_again")):
        with st.spinner("Drawing the film …"):
            kept = (settings, film_of(seen, people, settings))
        st.session_state["film"] = kept
    st.video(kept[1], format="video/webm", autoplay=True, loop=True, muted=True)
    if kept[0] != settings:
        st.button(
            "Draw the film again with these settings", key="draw_again",
            icon=":material/movie_edit:",
        )
