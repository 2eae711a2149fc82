"""What a visitor may bring to the studio, and what is refused in words."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import SourceError
from tests.train.studio_site import encoded, portrait
from train.studio import child
from train.studio.child import Limits, ask
from train.studio.messages import Asked, Crops, CropsAsked, packed, unpacked
from train.studio.trying import (
    LONGEST_NAME,
    MOST_MEGABYTES,
    Thresholds,
    checked_upload,
    judged,
    see_picture,
    summary,
    watch_clip,
)


def png_bomb(side: int) -> bytes:
    """Return a PNG of a few kilobytes that unpacks to *side* x *side* pixels."""
    def part(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(
            ">I", zlib.crc32(kind + body)
        )

    rows = zlib.compress(b"\0" * (side * 4), 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


def clip_of(images: list[np.ndarray], folder) -> bytes:  # type: ignore[no-untyped-def]
    path = folder / "clip.avi"
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (width, height))
    for image in images:
        writer.write(image)
    writer.release()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../etc/passwd.png", "holds '/'"),
        ("..\\x.jpg", "holds"),
        ("a\nb.jpg", "holds"),
        ("photo\u202egpj.exe.jpg", "holds"),
        ("<script>.png", "holds '<'"),
        (".hidden.jpg", "dots where no dots belong"),
        ("a" * LONGEST_NAME + ".jpg", "letters; rename"),
        ("", "0 letters"),
        ("model.pkl", "ending in .pkl"),
        ("list.m3u8", "ending in .m3u8"),
    ],
)
def test_a_hostile_file_name_is_refused_in_words(name: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        checked_upload(name, 1000)


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_no_name_that_passes_leads_anywhere(name: str) -> None:
    try:
        checked_upload(name, 1)
    except SourceError as error:
        assert "\n" not in str(error)
    else:
        assert not set(name) & set("/\\\0\n\r") and ".." not in name


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Mein Foto (3).JPG", "picture"), ("visage.webp", "picture"), ("IMG_1.MOV", "clip")],
)
def test_plain_names_pass(name: str, kind: str) -> None:
    assert checked_upload(name, 1000) == kind


@pytest.mark.parametrize(("size", "told"), [(0, "empty"), (MOST_MEGABYTES * 2**20 + 1, "at most")])
def test_an_upload_of_a_wrong_size_is_refused(size: int, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        checked_upload("a.jpg", size)


def test_a_picture_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = png_bomb(50_000)
    assert len(bomb) < 10_000
    with pytest.raises(SourceError, match="says it is 50000 x 50000 pixels; at most 64 megapixels"):
        see_picture(Asked(data=bomb))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no picture that is allowed"),
        (b"hello", "no picture that is allowed"),
        (b"#EXTM3U\nfile:///etc/passwd", "no picture that is allowed"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 99, "header is damaged"),
        (encoded(np.zeros((64, 64, 3), np.uint8), ".jpg")[:-40], "cut off"),
        (b"RIFF\0\0\0\0AVI LIST", "no picture that is allowed"),
    ],
)
def test_what_is_no_whole_picture_is_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        see_picture(Asked(data=data))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\0\0\0\x18ftypmp42" + b"x" * 1000, "cannot be opened"),
        (b"#EXTM3U\nfile:///etc/passwd\n", "no clip that is allowed"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no clip that is allowed"),
        (b"", "no clip that is allowed"),
    ],
)
def test_a_broken_clip_and_a_playlist_are_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        watch_clip(Asked(data=data))


def test_a_clip_that_is_cut_off_is_watched_as_far_as_it_goes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    whole = clip_of([rng.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(30)],
                    tmp_path)
    seen = watch_clip(Asked(data=whole[: len(whole) // 2]))
    assert 0 < len(seen.frames) < 30


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(seconds=0.05, megabytes=1500), "longer than 0.05 s"),
        (Limits(seconds=20, megabytes=60), "decoder ended with code|crashed|of memory"),
    ],
)
def test_a_child_ends_at_its_limits(limits: Limits, told: str) -> None:
    request = packed(Asked(data=encoded(np.zeros((64, 64, 3), np.uint8))))
    with pytest.raises(SourceError, match=told):
        ask("picture", request, limits)


def test_a_task_that_is_not_known_is_an_error_of_the_child() -> None:
    with pytest.raises(SourceError, match="ended with code"):
        ask("no such task", b"")


def test_no_more_children_than_allowed_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_LONGEST_WAIT", 0.0)
    for _ in range(child.MOST_CHILDREN):
        assert child._AT_ONCE.acquire(blocking=False)
    try:
        with pytest.raises(SourceError, match="busy with other visitors"):
            ask("picture", b"")
    finally:
        for _ in range(child.MOST_CHILDREN):
            child._AT_ONCE.release()


def test_an_answer_that_is_nonsense_is_no_message() -> None:
    with pytest.raises(SourceError, match="nonsense"):
        unpacked(b"\xc1\xff", Crops)


def test_crops_of_files_that_are_no_pictures_are_left_out(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a.png").write_bytes(b"no picture")
    asked = CropsAsked((str(tmp_path / "a.png"),), ((0, 0, 9, 9),), 32)
    assert unpacked(ask("crops", packed(asked)), Crops).crops == (None,)


def test_a_face_in_a_picture_is_found_judged_and_cut_out() -> None:
    seen = see_picture(Asked(data=encoded(portrait())))
    faces = judged(seen, Thresholds())
    assert [face.verdict for face in faces] == ["no_mask"]
    assert summary(faces) == ("no_mask", "No mask")
    assert faces[0].seen.crop.width == faces[0].seen.crop.height


def test_thresholds_leave_out_faces_and_doubt_verdicts() -> None:
    seen = see_picture(Asked(data=encoded(portrait("with_mask"))))
    assert judged(seen, Thresholds(score=1.0)) == ()
    assert summary(())[0] == "unsure"
    doubted = judged(seen, Thresholds(sure=1.0))
    assert {face.verdict for face in doubted} == {"unsure"}


def test_the_demo_has_one_of_each() -> None:
    portrait()
    faces = judged(see_picture(Asked(demo="three")), Thresholds(sure=0.35))
    assert [face.verdict for face in faces] == ["no_mask", "mask", "incorrect"]
