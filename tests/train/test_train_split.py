"""The split by group, and who is in a group."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.train.making import face_picture
from train.data.records import FaceRecord
from train.data.split import (
    difference_hash,
    ensure_groups,
    near_duplicate_groups,
    split_by_group,
)


def _record(number: int, group: str) -> FaceRecord:
    return FaceRecord(Path(f"{number}.png"), (0, 0, 9, 9), "with_mask", "", group)


@given(
    st.lists(st.integers(0, 30), max_size=80), st.floats(0, 1), st.integers(0, 5)
)
def test_no_group_is_ever_on_both_sides(groups: list[int], share: float, seed: int) -> None:
    records = [_record(i, f"g{group}") for i, group in enumerate(groups)]
    split = split_by_group(records, share, seed)
    sides = [{record.group for record in side} for side in (split.train, split.validation)]
    assert not sides[0] & sides[1]
    assert len(split.train) + len(split.validation) == len(records)


@given(st.integers(0, 5))
def test_adding_faces_moves_no_old_one_to_the_other_side(seed: int) -> None:
    few = [_record(i, f"g{i}") for i in range(20)]
    many = [*few, *(_record(i, f"g{i}") for i in range(20, 60))]
    before = split_by_group(few, 0.3, seed).validation
    assert before == [r for r in split_by_group(many, 0.3, seed).validation if r in few]


def test_about_the_wanted_share_of_groups_is_set_apart() -> None:
    split = split_by_group([_record(i, f"g{i}") for i in range(2000)], 0.15, seed=1)
    assert 0.12 < len(split.validation) / 2000 < 0.18


def test_a_smaller_darker_jpeg_of_a_picture_is_its_near_duplicate() -> None:
    image = cv2.resize(face_picture("with_mask", 3), (200, 200), interpolation=cv2.INTER_CUBIC)
    packed = cv2.imencode(".jpg", (image * 0.8).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    copy = cv2.resize(cv2.imdecode(packed, cv2.IMREAD_COLOR), (120, 120))
    other = cv2.resize(face_picture("with_mask", 4), (200, 200), interpolation=cv2.INTER_CUBIC)
    hashes = np.stack([difference_hash(picture) for picture in (image, copy, other)])
    assert near_duplicate_groups(hashes) == [0, 0, 2]


def test_near_duplicates_reach_through_one_another() -> None:
    # Each differs by 20 bits from the one before, so the first and the last by 40.
    bits = np.zeros((3, 256), np.uint8)
    bits[1, :20] = 1
    bits[2, :40] = 1
    assert near_duplicate_groups(np.packbits(bits, axis=1), threshold=24) == [0, 0, 0]
    assert near_duplicate_groups(np.packbits(bits[::2], axis=1), threshold=24) == [0, 1]


def test_a_group_that_is_named_is_kept_and_a_missing_one_found() -> None:
    pictures = {Path(f"{i}.png"): face_picture("with_mask", i // 2) for i in range(4)}
    records = [_record(0, "mine"), *(_record(i, "") for i in range(1, 4))]
    groups = [record.group for record in ensure_groups(records, pictures)]
    assert groups[0] == "mine"
    assert groups[2] == groups[3] != groups[1]
