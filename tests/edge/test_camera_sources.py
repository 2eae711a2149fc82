"""Every source gives its frames in order, and one clear line when it cannot."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera import open_source, remarks_of
from edge.camera.folder import FolderSource
from edge.camera.frame import Frame
from edge.camera.pace import PacedSource
from edge.camera.uri import SCHEMES, parse_uri
from edge.errors import SourceError, UsageError
from edge.vision.picture import is_cut_off, read_picture


def frames_of(source) -> list[Frame]:
    frames = []
    while (frame := source.read(1.0)) is not None:
        frames.append(frame)
    source.close()
    return frames


def encoded(kind: str, image: np.ndarray) -> bytes:
    return cv2.imencode(kind, image)[1].tobytes()


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("film.mp4", "file", "film.mp4"),
        ("file:film.mp4", "file", "film.mp4"),
        ("file:///a/b%20c.mp4", "file", "/a/b c.mp4"),
        ("folder:pictures", "folder", "pictures"),
        ("0", "v4l2", "/dev/video0"),
        ("v4l2:2", "v4l2", "/dev/video2"),
        ("v4l2:///dev/video1", "v4l2", "/dev/video1"),
        ("V4L2:///dev/video1", "v4l2", "/dev/video1"),
        ("demo:", "demo", ""),
        ("c:film.mp4", "file", "c:film.mp4"),
    ],
)
def test_a_source_is_named_by_path_number_or_uri(text, scheme, target):
    uri = parse_uri(text)
    assert (uri.scheme, uri.target) == (scheme, target)


def test_a_file_that_exists_is_a_file_however_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rtsp:what?.mp4").write_bytes(b"x")
    assert parse_uri("rtsp:what?.mp4").scheme == "file"


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_by_a_usage_error(text):
    try:
        assert parse_uri(text.replace("\0", "")).scheme in SCHEMES
    except UsageError as error:
        assert "allowed" in str(error) or "write" in str(error)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; allowed"),
        ("carrier-pigeon://roof", "'carrier-pigeon' is not known; allowed.*v4l2.*demo:"),
        ("file:", "names no path"),
        ("demo:?speed=2", "'speed' is not known for demo:; allowed: size, fps, seed"),
        ("demo:?fps=fast", "fps is 'fast'; allowed: frames per second, 1 to 240"),
        ("demo:?size=big", "size is 'big'; allowed: WIDTHxHEIGHT"),
        ("demo:?size", "size"),
        ("demo:?seed=-1", "seed is '-1'; allowed: a whole number, 0 or more"),
    ],
)
def test_an_address_that_makes_no_sense_is_explained(text, says):
    with pytest.raises(UsageError, match=says):
        open_source(text)


def test_a_video_gives_every_frame_with_its_own_time(write_film, painted):
    path = write_film([painted(("mask", 10 * i, 50, 40)) for i in range(8)], fps=25)
    source = open_source(path)
    assert source.frames_per_second == 25 and not source.live
    frames = frames_of(source)
    assert [f.sequence for f in frames] == list(range(8))
    assert frames[5].timestamp == pytest.approx(0.2)
    assert frames[0].image.dtype == np.uint8 and frames[0].image.flags.c_contiguous


def test_colours_come_in_bgr_order(tmp_path, painted):
    path = tmp_path / "red.png"
    cv2.imwrite(str(path), painted(("no_mask", 0, 0, 200)))
    assert frames_of(open_source(str(path)))[0].image[50, 50].tolist() == [0, 0, 220]


def test_a_picture_is_shown_as_if_someone_stood_still(tmp_path, painted):
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), painted(("mask", 50, 50, 40)))
    frames = frames_of(open_source(str(path)))
    assert frames[-1].timestamp - frames[0].timestamp == pytest.approx(1.5)
    assert {f.name for f in frames} == {"one.png"}


def test_a_folder_is_read_in_natural_order_each_picture_a_scene(tmp_path, painted):
    for name in ("10.png", "9.png", "b2.PNG", "b10.jpg"):
        cv2.imwrite(str(tmp_path / name), painted())
    (tmp_path / "notes.txt").write_text("no picture")
    frames = frames_of(open_source(f"folder:{tmp_path}?hold=0.2"))
    assert list(dict.fromkeys(f.name for f in frames)) == ["9.png", "10.png", "b2.PNG", "b10.jpg"]
    gaps = np.diff([f.timestamp for f in frames])
    assert np.isclose(gaps, 0.1).sum() == 8 and (gaps > 2).sum() == 3


def test_a_folder_can_be_one_film(tmp_path, painted):
    for name in ("1.png", "2.png", "3.png"):
        cv2.imwrite(str(tmp_path / name), painted())
    frames = frames_of(open_source(f"folder:{tmp_path}?fps=20"))
    assert [f.timestamp for f in frames] == pytest.approx([0, 0.05, 0.1])


def test_broken_pictures_of_a_folder_are_skipped_and_counted(tmp_path, painted):
    cv2.imwrite(str(tmp_path / "0.png"), painted())
    for i in range(1, 8):
        (tmp_path / f"{i}.jpg").write_bytes(encoded(".jpg", painted())[:400])
    source = FolderSource(tmp_path, hold=0)
    assert [f.name for f in frames_of(source)] == ["0.png"]
    assert len(remarks_of(source)) == 6
    assert "1.jpg: is cut off" in remarks_of(source)[0]
    assert "2 more" in remarks_of(source)[-1]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("absent.mp4", None, "no such file"),
        ("empty.mp4", b"", "is empty"),
        ("empty.jpg", b"", "is empty"),
        ("noise.mp4", b"not a film" * 100, "no picture or video"),
        ("noise.jpg", b"not a picture" * 100, "no picture"),
        ("noise", b"nothing" * 100, "no picture or video"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_is_wrong(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"{name}.*{says}"):
        open_source(str(path))


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_cut_off_anywhere_is_refused(tmp_path, kind):
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    whole = encoded(kind, image)
    assert not is_cut_off(whole)
    path = tmp_path / f"cut{kind}"
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(SourceError, match="cut"):
            read_picture(path)


def test_bytes_after_the_end_of_a_jpeg_do_not_matter(painted):
    assert not is_cut_off(encoded(".jpg", painted()) + b"appended by a camera")


def test_a_thumbnail_does_not_pass_for_the_picture(painted):
    thumbnail = encoded(".jpg", np.zeros((8, 8, 3), np.uint8))
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = encoded(".jpg", painted())
    whole = whole[:2] + segment + whole[2:]
    assert not is_cut_off(whole)
    assert is_cut_off(whole[: len(whole) // 2 + len(segment)])


@pytest.mark.parametrize("kind", ["absent", "empty", "broken"])
def test_a_folder_without_a_readable_picture_says_so(tmp_path, kind):
    folder = tmp_path / "pictures"
    if kind != "absent":
        folder.mkdir()
    if kind == "broken":
        (folder / "a.png").write_bytes(b"x")
    with pytest.raises(SourceError, match="pictures"):
        open_source(f"folder:{folder}").read(1.0)


def test_a_video_cut_short_is_told_at_the_end(write_film, painted, tmp_path):
    path = write_film([painted(("mask", 5 * i, 50, 40)) for i in range(40)])
    data = Path(path).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 3])
    source = open_source(str(cut))
    count = len(frames_of(source))
    assert 0 < count < 36
    assert f"only {count} of the 40 frames" in remarks_of(source)[0]


def test_no_camera_names_the_device_and_what_to_do():
    with pytest.raises(SourceError, match=r"/dev/video97: no such camera; this machine has"):
        open_source("97")


def test_a_file_that_is_no_camera_is_refused(tmp_path):
    path = tmp_path / "camera"
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="cannot be opened as a camera"):
        open_source(f"v4l2://{path}")


class FakeTime:
    def __init__(self) -> None:
        self.now = 50.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_paced_film_waits_for_each_frame(source_of, painted):
    fake = FakeTime()
    paced = PacedSource(source_of([painted()] * 4, 10.0), clock=fake.clock, sleep=fake.sleep)
    times = [(paced.read(1.0), fake.now)[1] for _ in range(4)]
    assert times == pytest.approx([50.0, 50.1, 50.2, 50.3])


def test_a_paced_film_drops_what_is_late(source_of, painted):
    fake = FakeTime()
    paced = PacedSource(source_of([painted()] * 20, 10.0), clock=fake.clock, sleep=fake.sleep)
    first = paced.read(1.0)
    fake.now += 1.0
    assert first.sequence == 0 and paced.read(1.0).sequence == 9


def test_a_film_that_is_read_slower_than_it_plays_is_still_seen(source_of, painted):
    fake = FakeTime()
    source = source_of([painted()] * 100, 30.0)
    read, reads = source.read, []

    def slow(timeout):
        fake.now += 0.1
        reads.append(fake.now)
        return read(timeout)

    source.read = slow
    paced = PacedSource(source, clock=fake.clock, sleep=fake.sleep)
    for _ in range(10):
        before = fake.now
        assert paced.read(1.0) is not None
        assert fake.now - before < 0.5


@pytest.mark.parametrize("text", ["x" * 300, "file:" + "x" * 300, "folder:" + "x" * 300])
def test_a_name_that_no_file_can_have_is_a_source_error(text):
    with pytest.raises(SourceError, match="no such"):
        open_source(text)


@pytest.mark.parametrize("prefix", ["", "file:", "folder:"])
def test_a_folder_that_may_not_be_entered_is_a_source_error(prefix, tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(SourceError, match="Permission denied"):
        open_source(f"{prefix}{tmp_path}/film.mp4")


def test_a_pipe_with_a_pictures_name_is_not_waited_for(tmp_path, painted):
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.png").write_bytes(encoded(".png", painted()))
    assert {frame.name for frame in frames_of(FolderSource(tmp_path, hold=0))} == {"b.png"}
    with pytest.raises(SourceError, match="no ordinary file"):
        read_picture(tmp_path / "a.jpg")
