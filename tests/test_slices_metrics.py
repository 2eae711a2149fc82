"""Metrics per slice, worked out by hand, and the labels that people gave by eye."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from train.evaluate.appearance import (
    APPEARANCE,
    appearance_members,
    appearance_remarks,
    read_appearance,
    read_disputed,
)
from train.evaluate.slices import Look
from train.evaluate.slices_bootstrap import resample
from train.evaluate.slices_faces import judgement_table, sliced_judgement, source_members
from train.evaluate.slices_pictures import (
    masked_bare_gap,
    picture_members,
    shares_table,
    sliced_shares,
)
from train.report.metrics import bootstrap_by_group

GROUPS = [f"g{number // 2}" for number in range(40)]
HITS = np.random.default_rng(3).random(40) < 0.8
EVERY = np.ones(40, bool)


def test_the_interval_is_that_of_the_slow_bootstrap() -> None:
    slow = bootstrap_by_group(GROUPS, lambda i: float(HITS[i].mean()), 200)
    fast = resample(GROUPS, 200).share(HITS, EVERY)
    assert (fast["value"], fast["low"], fast["high"]) == pytest.approx(
        (slow.value, slow.low, slow.high)
    )


def test_without_resamples_there_is_a_value_and_no_interval() -> None:
    assert resample(GROUPS, 0).share(HITS, EVERY) == {"value": float(HITS.mean())}
    assert resample(GROUPS, 5).share(HITS, ~EVERY) == {"value": None}


@pytest.mark.parametrize(("hits", "ends"), [(EVERY, (0.8316, 1.0)), (~EVERY, (0.0, 0.1684))])
def test_a_share_without_exception_is_no_certainty(
    hits: np.ndarray, ends: tuple[float, float]
) -> None:
    # Clopper and Pearson for 20 of 20 groups: 0.025 ** (1 / 20).
    found = resample(GROUPS, 50).share(hits, EVERY)
    assert (found["low"], found["high"]) == pytest.approx(ends, abs=1e-4)


def test_a_gap_is_the_difference_of_two_shares() -> None:
    first = np.arange(40) < 20
    gap = resample(GROUPS, 50).gap(first, first, ~first)
    assert (gap["value"], gap["low"], gap["high"]) == (1.0, 1.0, 1.0)


def answers(truth: list[int], said: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(truth), np.eye(3)[said] * 0.8 + 0.05


def test_a_slice_of_both_kinds_is_balanced_and_one_of_few_faces_claims_nothing() -> None:
    # 20 masked of which half are right, 10 bare all right, 5 incorrect.
    truth, probabilities = answers(
        [0] * 20 + [1] * 10 + [2] * 5, [0] * 10 + [1] * 10 + [1] * 10 + [2] * 5
    )
    slices = {"all": np.ones(35, bool), "few": np.arange(35) >= 20}
    result = sliced_judgement(truth, probabilities, slices, resample(["g"] * 35, 0))
    assert result["all"]["with_without"]["value"] == pytest.approx(0.75)
    assert result["all"]["incorrect_recall"]["value"] is None
    assert (result["few"]["faces"], result["few"]["with_without"]["value"]) == (15, None)
    assert "0/10/5" in judgement_table(result)


def test_a_slice_of_one_kind_states_the_share_right_and_says_so() -> None:
    truth, probabilities = answers([0] * 24, [0] * 18 + [1] * 6)
    slices = {"black": np.ones(24, bool)}
    result = sliced_judgement(truth, probabilities, slices, resample(["g"] * 24, 0))
    assert (result["black"]["with_without"]["value"], result["black"]["balanced"]) == (0.75, False)
    assert "75.0 *" in judgement_table(result)


def test_the_gap_between_masked_and_bare_keeps_to_sources_with_both() -> None:
    # "crowds" holds bare faces alone, and none of them is found.
    labels = ["with_mask"] * 4 + ["without_mask"] * 4 + ["without_mask"] * 8
    sources = ["door"] * 8 + ["crowds"] * 8
    found = np.array([True, True, True, False] + [True] * 4 + [False] * 8)
    gap = masked_bare_gap(found, labels, sources, resample(sources, 0))
    assert gap["sources_with_both"] == ["door"]
    assert gap["same_sources"]["value"] == pytest.approx(0.25)
    assert gap["all"]["value"] == pytest.approx(4 / 12 - 3 / 4)


def test_shares_are_cut_by_look_and_source_and_empty_slices_are_left_out() -> None:
    looks = [Look(50.0, 0.1, 120.0, None, 0.5, None)] * 24
    chosen = picture_members(looks, ["a"] * 20 + ["b"] * 4)
    assert "share: 8 to 16 %" in chosen and "light: dark" not in chosen
    result = sliced_shares({"found": np.arange(24) < 12}, chosen, resample(["g"] * 24, 0))
    assert result["source: a"] == {"faces": 20, "found": {"value": 0.6}}
    assert result["source: b"] == {"faces": 4, "found": {"value": None}}
    assert "60.0" in shares_table("slice", {"close": result}, ["found"])


def test_sources_are_slices() -> None:
    assert source_members(["b", "a", "b"])["source: b"].tolist() == [True, False, True]


HEAD = "file,mask_colour,beard,hand,glasses\n"


def test_appearance_makes_slices_of_faces_that_were_seen(tmp_path: Path) -> None:
    path = tmp_path / "appearance.csv"
    path.write_text(f"{HEAD}a.jpg,black,unsure,no,yes\nb.jpg,none,yes,no,no\n")
    seen = read_appearance(path)
    chosen = appearance_members(["a.jpg", "b.jpg", "c.jpg"], seen)
    assert chosen["mask colour: black"].tolist() == [True, False, False]
    assert chosen["beard: yes"].tolist() == [False, True, False]
    assert chosen["glasses: no"].tolist() == [False, True, False]
    assert "mask colour: none" not in chosen
    assert appearance_remarks(seen["a.jpg"]) == ["mask colour: black", "glasses: yes"]
    assert appearance_members(["c.jpg"], seen) == {}


def test_without_the_files_nothing_was_seen_or_disputed(tmp_path: Path) -> None:
    assert read_appearance(tmp_path / "gone.csv") == {}
    assert read_disputed(tmp_path / "gone.csv") == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{HEAD}a.jpg,pink,no,no,no\n", r"appearance.csv:2: column mask_colour: 'pink'"),
        ("file,beard\na.jpg,no\n", "mask_colour, hand, glasses is missing"),
    ],
)
def test_a_wrong_answer_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "appearance.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=told):
        read_appearance(path)


@pytest.mark.skipif(not APPEARANCE.is_file(), reason="no labels by eye in this checkout")
def test_the_labels_by_eye_that_ship_can_be_read() -> None:
    assert len(read_appearance()) > 100
    assert all(one.given != one.seen for one in read_disputed().values())
