"""How long a look's error lasts: recovered where it is known, and printed by a command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import DataError
from tests.train.studio_site import portrait
from train.cli import main
from train.evaluate.looks import (
    autocorrelation,
    exponential,
    looks_tables,
    measure_looks,
    summed_up,
)

GAP = 1 / 25


def people(seconds: float, count: int = 60, looks: int = 400) -> list[np.ndarray]:
    """Return log ratios of *count* people whose errors fade to 1/e in *seconds*."""
    rng = np.random.default_rng(5)
    fades = np.exp(-GAP / seconds) if seconds else 0.0
    found = []
    for _ in range(count):
        errors = [rng.normal()]
        for _ in range(looks - 1):
            errors.append(fades * errors[-1] + np.sqrt(1 - fades**2) * rng.normal())
        found.append(np.array(errors) + rng.normal())
    return found


@pytest.mark.parametrize("seconds", [0.06, 0.2, 0.5])
def test_errors_that_fade_in_a_known_time_are_measured_so(seconds: float) -> None:
    found = autocorrelation(people(seconds), GAP)
    # Each person's mean takes with it what lasts longest.
    assert exponential(found) == pytest.approx(seconds, rel=0.15)
    # Cut off after a second, and where noise crosses nothing, a sum is rougher.
    assert summed_up(found, GAP) == pytest.approx(seconds, rel=0.25)


def test_errors_that_have_nothing_to_do_with_each_other_last_no_time() -> None:
    found = autocorrelation(people(0), GAP)
    assert exponential(found) < GAP / 2 and summed_up(found, GAP) < GAP / 2


def test_looks_that_were_no_evidence_are_passed_over() -> None:
    rng = np.random.default_rng(1)
    holes = [np.where(rng.random(len(p)) < 0.4, np.nan, p) for p in people(0.2)]
    assert exponential(autocorrelation(holes, GAP)) == pytest.approx(0.2, rel=0.15)


def test_who_is_judged_alike_at_every_look_says_nothing() -> None:
    varied = people(0.2, count=5)
    same = [np.full(400, 2.5) for _ in range(50)]
    alone, among = (autocorrelation(p, GAP).alike for p in (varied, varied + same))
    assert among == pytest.approx(alone)
    assert np.isnan(exponential(autocorrelation(same, GAP)))
    assert np.isnan(summed_up(autocorrelation(same, GAP), GAP))


def test_who_is_seen_for_less_than_a_second_is_left_out() -> None:
    short = [p[:20] for p in people(0.2, count=9)]
    with pytest.raises(DataError, match="0 people are judged for a second or more"):
        measure_looks(short, GAP, {}, 0)
    told = measure_looks([*short, *people(0.2, count=3)], GAP, {"assumed_seconds": 0.2}, 50)
    assert told["people"] == 3
    value = told["exponential_seconds"]
    assert value["low"] <= value["value"] <= value["high"]
    assert "3 people seen for a second or more" in looks_tables(told)


def test_people_who_are_all_judged_alike_are_nothing_to_measure() -> None:
    with pytest.raises(DataError, match="all 4 people are judged alike at every look"):
        measure_looks([np.full(100, 2.5)] * 4, GAP, {}, 0)


def film_of_three(path: Path, seconds: float = 1.6, rate: float = 15.0) -> None:
    """Write a film of three people side by side, now and then out of focus."""
    three = np.hstack([portrait(label) for label in
                       ("without_mask", "with_mask", "incorrect_mask")])
    three = cv2.resize(three, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = three.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (width, height))
    rng = np.random.default_rng(3)
    for _ in range(round(seconds * rate)):
        writer.write(cv2.GaussianBlur(three, (0, 0), rng.uniform(0.3, 5)))
    writer.release()


def test_the_command_measures_the_people_of_a_film(tmp_path: Path) -> None:
    film, written = tmp_path / "film.avi", tmp_path / "looks.json"
    film_of_three(film)
    done = CliRunner().invoke(main, [
        "evaluate", "looks", "--clip", str(film), "--repeats", "20", "--json", str(written),
    ])
    assert done.exit_code == 0, done.output
    assert "3 people seen for a second or more" in done.output
    assert "the gate assumes:           0.20 s" in done.output
    told = json.loads(written.read_text())
    assert told["gap"] == pytest.approx(1 / 15) and told["models"]["detector"]


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [(None, 3, "is no picture or video"), ("short", 6, "bring a longer clip")],
)
def test_a_film_that_tells_nothing_is_refused_in_words(
    tmp_path: Path, content: str | None, code: int, told: str
) -> None:
    film = tmp_path / "film.avi"
    film.write_bytes(b"no film") if content is None else film_of_three(film, 0.4)
    done = CliRunner().invoke(main, ["evaluate", "looks", "--clip", str(film)])
    assert done.exit_code == code and told in done.output and "Traceback" not in done.output


def test_films_of_different_speed_are_not_put_together(tmp_path: Path) -> None:
    slow, fast = tmp_path / "slow.avi", tmp_path / "fast.avi"
    film_of_three(slow, 0.4, 10.0)
    film_of_three(fast, 0.4, 20.0)
    done = CliRunner().invoke(
        main, ["evaluate", "looks", "--clip", str(slow), "--clip", str(fast)]
    )
    assert done.exit_code == 6 and "measure them one by one" in done.output
