"""A recording is whole, or it is not there."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import OutputError, UsageError
from edge.report import recorder
from edge.report.recorder import VideoRecorder, check_recording

SIZE = (64, 48)


def frame(value: int = 0) -> np.ndarray:
    return np.full((48, 64, 3), value, np.uint8)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def brightness(path: Path) -> list[float]:
    video = cv2.VideoCapture(str(path))
    values = []
    while True:
        ok, image = video.read()
        if not ok:
            return values
        values.append(float(image.mean()))


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "OUT.MP4"])
def test_what_is_written_comes_back(tmp_path: Path, name: str) -> None:
    with VideoRecorder(tmp_path / name, 25, SIZE) as video:
        for value in range(20, 220, 20):
            video.write(frame(value))
    assert brightness(tmp_path / name) == pytest.approx(range(20, 220, 20), abs=6)
    assert cv2.VideoCapture(str(tmp_path / name)).get(cv2.CAP_PROP_FPS) == pytest.approx(25)
    assert names(tmp_path) == [name]


def test_an_interrupted_recording_is_still_playable(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), VideoRecorder(tmp_path / "a.mp4", 30, SIZE) as video:
        for _ in range(5):
            video.write(frame(100))
        raise KeyboardInterrupt
    assert len(brightness(tmp_path / "a.mp4")) == 5


def test_an_earlier_recording_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"earlier")
    video = VideoRecorder(target, 30, SIZE)
    video.write(frame())
    assert target.read_bytes() == b"earlier"
    video.close()
    video.close()
    assert len(brightness(target)) == 1


def test_a_recording_without_frames_leaves_nothing(tmp_path: Path) -> None:
    with VideoRecorder(tmp_path / "a.mp4", 30, SIZE):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "image", [np.zeros((64, 48, 3), np.uint8), np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3))]
)
def test_a_frame_of_another_shape_is_refused_and_the_rest_kept(
    tmp_path: Path, image: np.ndarray
) -> None:
    with VideoRecorder(tmp_path / "a.avi", 30, SIZE) as video:
        video.write(frame())
        with pytest.raises(OutputError, match=r"takes \(48, 64, 3\)"):
            video.write(image)
    assert len(brightness(tmp_path / "a.avi")) == 1


def test_a_closed_recording_takes_no_frame(tmp_path: Path) -> None:
    video = VideoRecorder(tmp_path / "a.avi", 30, SIZE)
    video.close()
    with pytest.raises(OutputError, match="is closed"):
        video.write(frame())


@pytest.mark.parametrize(
    ("name", "rate", "size", "error", "named"),
    [
        ("a.gif", 30, SIZE, UsageError, r"'\.gif'; use one of \.mp4, \.avi"),
        ("a", 30, SIZE, UsageError, "extension is ''"),
        ("a.mp4", 0, SIZE, UsageError, "0 frames per second"),
        ("a.mp4", 30, (0, 48), UsageError, "0x48"),
        ("missing/a.mp4", 30, SIZE, OutputError, "does not exist"),
        ("folder.mp4", 30, SIZE, OutputError, "is a folder"),
    ],
)
def test_what_cannot_be_recorded_is_named(
    tmp_path: Path, name: str, rate: float, size: tuple[int, int], error: type, named: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(error, match=named):
        VideoRecorder(tmp_path / name, rate, size)
    assert names(tmp_path) == ["folder.mp4"]


def test_a_full_disk_is_named_and_what_was_recorded_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    with VideoRecorder(tmp_path / "a.avi", 30, SIZE) as video:
        for _ in range(30):
            video.write(frame())
        monkeypatch.setattr(recorder.shutil, "disk_usage", lambda _: usage(5 * 2**20))
        with pytest.raises(OutputError, match="5 MiB are free"):
            video.write(frame())
        with pytest.raises(OutputError, match="5 MiB are free"):
            VideoRecorder(tmp_path / "b.avi", 30, SIZE)
    assert len(brightness(tmp_path / "a.avi")) == 30
    assert names(tmp_path) == ["a.avi"]


def test_a_missing_codec_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoCodec:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_: object) -> None: ...

        def isOpened(self) -> bool:
            return False

    monkeypatch.setattr(recorder.cv2, "VideoWriter", NoCodec)
    with pytest.raises(OutputError, match=r"no mp4v encoder; record to \.avi"):
        VideoRecorder(tmp_path / "a.mp4", 30, SIZE)
    assert names(tmp_path) == []


def test_a_folder_that_may_not_be_entered_is_named(tmp_path, monkeypatch) -> None:
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        check_recording(tmp_path / "a.mp4")


def test_only_a_finished_recording_counts_as_written(tmp_path: Path) -> None:
    video = VideoRecorder(tmp_path / "a.avi", 30, SIZE)
    video.write(frame())
    assert not video.written
    video.close()
    assert video.written
