"""The annotated picture shows each verdict and survives odd boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.report.overlay import GateStatus, PersonView, draw_people

VERDICTS = ("mask", "no_mask", "incorrect", "unsure")


def picture(width: int = 320, height: int = 240) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def test_the_input_is_not_changed() -> None:
    image = picture()
    drawn = draw_people(image, [PersonView(1, (50, 90, 120, 180), "mask", 0.9)], GateStatus("pass"))
    assert (image == 90).all()
    assert drawn.shape == image.shape
    assert not np.array_equal(drawn, image)


def test_the_face_itself_stays_visible() -> None:
    for box in ((50, 90, 120, 180), (0, 0, 70, 80), (240, 150, 319, 239)):
        person = PersonView(1, box, "no_mask", 0.9, 1.0)
        drawn = draw_people(picture(), [person], GateStatus("idle"))
        x0, y0, x1, y1 = box
        lower = drawn[(y0 + y1) // 2 + 10 : y1 - 5, x0 + 5 : x1 - 5]
        if y1 < 239:
            assert (lower == 90).all()


def test_every_verdict_has_a_colour_of_its_own() -> None:
    edge = {
        tuple(draw_people(picture(), [PersonView(1, (50, 90, 120, 180), v, 0.9)],
                          GateStatus("idle"))[140, 50])
        for v in VERDICTS
    }
    assert len(edge) == len(VERDICTS)


def test_verdicts_differ_in_brightness_for_those_who_see_no_colour() -> None:
    def luma(state: str) -> float:
        strip = draw_people(picture(), [], GateStatus(state))[2, 200].astype(float)
        return float(strip @ [0.114, 0.587, 0.299])

    assert abs(luma("alarm") - luma("pass")) > 15
    assert abs(luma("alarm") - luma("looking")) > 15


@pytest.mark.parametrize(("evidence", "side"), [(-1.0, "left"), (1.0, "right")])
def test_the_bar_points_to_where_the_evidence_is(evidence: float, side: str) -> None:
    def bar(value: float) -> np.ndarray:
        person = PersonView(1, (100, 100, 200, 200), "unsure", 0.5, value)
        return draw_people(picture(), [person], GateStatus("idle"))

    columns = np.nonzero((bar(evidence) != bar(0.0)).any((0, 2)))[0]
    middle = np.nonzero((bar(-evidence) != bar(evidence)).any((0, 2)))[0].mean()
    assert (columns.mean() < middle) == (side == "left")


def test_lines_grow_with_the_picture() -> None:
    def share(scale: int) -> float:
        person = PersonView(1, np.array([50, 90, 120, 180]) * scale, "mask", 0.9)
        image = picture(640 * scale, 480 * scale)
        return float((draw_people(image, [person], GateStatus("pass")) != image).any(2).mean())

    assert share(3) == pytest.approx(share(1), rel=0.25)


number = st.one_of(st.floats(-500, 900), st.sampled_from([float("nan"), float("inf"), 1e12]))


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(number, number, number, number), number, number, st.integers(1, 200),
    st.integers(1, 200), st.sampled_from([*VERDICTS, "other"]),
)
def test_any_box_and_number_gives_a_picture(
    box: tuple[float, ...], confidence: float, evidence: float, width: int, height: int, word: str
) -> None:
    image = picture(width, height)
    person = PersonView(7, box, word, confidence, evidence)
    drawn = draw_people(image, [person], GateStatus("alarm", "no mask", confidence))
    assert drawn.shape == image.shape
    assert (image == 90).all()
