"""A clip's evidence on the page: the gate's own test, gone through again with other settings."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.gate.decision import DecisionSettings, Evidence, leaning, update
from train.studio.films import film_of, frame_rate
from train.studio.messages import SeenClip, Sight
from train.studio.sequential import by_weight, drawn, log_ratio, stories
from train.studio.trying import watch_clip

EQUAL = (1 / 3, 1 / 3, 1 / 3)
BARE, MASKED = (0.01, 0.97, 0.02), (0.97, 0.02, 0.01)
BOX = (10.0, 10.0, 40.0, 50.0)


def clip_of(said: list[tuple[float, float, float] | str], person: int = 1) -> SeenClip:
    """Return a clip of one person, looked at ten times a second; a word is what a look lacks."""
    sights = tuple(
        Sight(person, i, i / 10, BOX, 0.9, *((what, None) if isinstance(what, str) else ("", what)))
        for i, what in enumerate(said)
    )
    times = tuple(i / 10 for i in range(len(said)))
    return SeenClip((64, 64), (b"",) * len(said), times, sights, {}, EQUAL)


def test_a_bound_decides_and_only_a_bound() -> None:
    usual = DecisionSettings()
    (story,) = stories(clip_of([BARE] * 20), usual)
    assert story.verdict == "no_mask"
    for moment in story.moments:
        reached = moment.evidence >= usual.alarm_bound
        assert reached == (moment.known.verdict == "no_mask")


def test_a_surer_gate_takes_longer() -> None:
    clip = clip_of([MASKED] * 40)
    (hasty,) = stories(clip, DecisionSettings(miss_rate=0.1, clip=2.0))
    (careful,) = stories(clip, DecisionSettings(miss_rate=0.001, clip=2.0))
    assert hasty.seconds is not None and careful.seconds is not None
    assert hasty.seconds < careful.seconds


def test_a_look_that_lacks_something_moves_nothing() -> None:
    (story,) = stories(clip_of([BARE, "blurred", "dark", BARE]), DecisionSettings())
    first, second, third, _ = story.moments
    assert first.evidence == second.evidence == third.evidence
    assert [m.looked for m in story.moments] == [True, False, False, True]


def test_a_settled_person_is_looked_at_now_and_then() -> None:
    (story,) = stories(clip_of([MASKED] * 40), DecisionSettings(recheck_seconds=0.5))
    looked = [moment.looked for moment in story.moments]
    assert all(looked[:3]) and 0 < sum(looked[20:]) < 10


@given(st.lists(st.tuples(*[st.floats(0.001, 1)] * 3), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_curve_leans_as_the_gate_does(said: list[tuple[float, float, float]]) -> None:
    usual, known = DecisionSettings(), Evidence()
    for i, look in enumerate(said):
        known = update(known, look, i / 10, usual)
        ratio, lean = log_ratio(known), leaning(known, usual)
        bound = usual.alarm_bound if ratio > 0 else usual.pass_bound
        assert max(-1.0, min(1.0, ratio / bound)) == pytest.approx(lean)


def test_who_is_called_out_is_read_first_and_who_is_not_known_last() -> None:
    said = {1: ["too small", "blurred", "too small"], 2: [MASKED] * 20, 3: [BARE], 4: [BARE] * 20}
    clips = [clip_of(looks, person) for person, looks in said.items()]
    told = [stories(clip, DecisionSettings())[0] for clip in clips]
    assert [story.person for story in by_weight(told)] == [4, 2, 3, 1]
    assert [story.lack for story in told] == ["too small", "", "", ""]
    assert [story.counted > 0 for story in told] == [False, True, True, True]


def test_every_sort_of_look_has_its_sign_in_the_plot() -> None:
    plots = pytest.importorskip("train.studio.plots", reason="Altair is not installed")
    looks = ["too small", BARE, "blurred", *[BARE] * 20]
    (story,) = stories(clip_of(looks), DecisionSettings())
    chart = plots.evidence_chart(story, DecisionSettings()).to_dict()
    (points,) = (la for la in chart["layer"] if la["mark"]["type"] == "point")
    rows = chart["datasets"][points["data"]["name"]]
    areas = {row["look"]: row["area"] for row in rows}
    assert set(areas) == {"counted", "not needed", "no evidence"}
    # What was no evidence has to be seen: it is why nothing moves.
    assert areas["not needed"] < areas["counted"] <= areas["no evidence"]
    assert points["encoding"]["shape"]["legend"] and points["encoding"]["size"]["scale"] is None


def test_the_gate_is_in_alarm_while_somebody_is_called_out() -> None:
    clip = clip_of([BARE] * 20)
    people, states = drawn(clip, stories(clip, DecisionSettings()), DecisionSettings())
    assert states[0] == "looking" and states[-1] == "alarm"
    assert people[-1][0].verdict == "no_mask"
    assert drawn(clip, (), DecisionSettings())[1] == ("idle",) * 20


@pytest.mark.parametrize(("times", "rate"), [((), 10.0), ((0.0, 0.1, 0.2), 10.0), ((0, 5), 1.0)])
def test_a_film_runs_as_fast_as_life(times: tuple[float, ...], rate: float) -> None:
    assert frame_rate(SeenClip((1, 1), (), times, (), {}, EQUAL)) == pytest.approx(rate)


def test_the_demo_clip_is_judged_and_becomes_a_film() -> None:
    pytest.importorskip("skimage", reason="scikit-image, which brings the portrait, is missing")
    from train.studio.messages import Asked

    seen = watch_clip(Asked(demo="clip"))
    usual = DecisionSettings(priors=seen.priors)
    people = stories(seen, usual)
    assert [story.verdict for story in people] == ["no_mask", "mask"]
    short = SeenClip(
        seen.size, seen.frames[:12], seen.times[:12],
        tuple(s for s in seen.sights if s.frame < 12), seen.crops, seen.priors,
    )
    film = film_of(short, stories(short, usual), usual)
    assert film.startswith(b"\x1aE\xdf\xa3") and b"webm" in film[:64]
