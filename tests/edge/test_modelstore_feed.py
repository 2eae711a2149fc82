"""A gate's models, from the start over updates to the end, with the real networks."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from edge.camera import open_source
from edge.camera.frame import Frame
from edge.modelstore.arrival import Inbox
from edge.modelstore.feed import ModelFeed, Swap
from edge.modelstore.state import KINDS
from edge.modelstore.store import Store
from edge.watch import Settings, Watch
from tests.edge.model_files import (
    CLASSIFIER,
    DETECTOR,
    LOADERS,
    FullDisk,
    copied_in,
    feed_of,
    make,
    released,
    released_version,
    settings_of,
    stored_names,
)


def work(feed: ModelFeed, times: int = 4, start: float = 0.0) -> list[Swap]:
    """Let a few seconds go by and return the swaps that came of them."""
    swaps = []
    for second in range(times):
        feed.work(start + second)
        if (swap := feed.poll()) is not None:
            swaps.append(swap)
    return swaps


def frames(feed: ModelFeed, seconds: float, start: float = 0.0, **seen: Any) -> float:
    """Let the gate see *seconds* of frames, ten a second; return when the last was."""
    for count in range(int(seconds * 10) + 1):
        feed.saw(start + count / 10, **{"faces": 0, **seen})
    return start + seconds


def events(feed: ModelFeed) -> list[str]:
    return [note.event for note in feed.notes()]


def test_without_a_store_the_released_models_run(tmp_path: Path) -> None:
    feed = feed_of(tmp_path / "models")
    detector, classifier = feed.start()
    assert (detector.model, classifier.model) == tuple(released().values())
    assert work(feed) == [] and events(feed) == []
    feed.close()


def test_a_copied_file_is_swapped_in_proved_and_kept(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, probation_minutes=0.1)
    feed = feed_of(tmp_path, settings)
    feed.start()
    copied_in(tmp_path, make(DETECTOR, 107))
    (swap,) = work(feed)
    assert swap.detector is not None and swap.classifier is None and not swap.back
    assert swap.detector.model == swap.model and swap.model.card.version == 107
    assert "on probation" in swap.words
    frames(feed, 7)
    assert work(feed) == []
    assert events(feed) == ["model_installed", "model_running", "model_trusted"]
    feed.close()
    again = feed_of(tmp_path, settings)
    assert again.start()[0].model.card.version == 107
    again.close()


def test_a_stop_in_good_order_goes_on_with_probation_later(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, probation_minutes=0.1)
    feed = feed_of(tmp_path, settings)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    frames(feed, 4)
    feed.close()
    again = feed_of(tmp_path, settings)
    assert again.start()[0].model.card.version == 100
    frames(again, 1)
    work(again)
    assert "model_trusted" not in events(again)
    frames(again, 2, 1.0)
    work(again)
    assert "model_trusted" in events(again)
    again.close()


def test_a_network_that_fails_at_work_is_taken_back(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    assert not feed.failed("nothing is on probation")
    copied_in(tmp_path, make(CLASSIFIER))
    assert len(work(feed)) == 1
    frames(feed, 3)
    for _ in range(3):
        assert feed.failed("RuntimeError: tensor 7 is on fire")
    feed.work(10)
    # Rolled back, but not taken from the feed yet: the frame in between fails as well.
    assert feed.failed("RuntimeError: tensor 7 is still on fire")
    back = feed.poll()
    assert back is not None
    assert back.back and back.classifier is not None
    assert back.model == released()[CLASSIFIER]
    assert "model_rolled_back" in events(feed)
    assert stored_names(tmp_path) == ["state.json"]
    assert not feed.failed("ValueError: that is the good one's own")
    copied_in(tmp_path, make(CLASSIFIER, 101), "next.tflite")
    assert [swap.model.card.version for swap in work(feed, 5, 11)] == [101]
    feed.close()


def test_a_model_that_calls_everybody_out_is_taken_back(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    end = frames(feed, 60)
    for _ in range(20):
        end = frames(feed, 1, end, faces=1, left=["mask"])
    copied_in(tmp_path, make(CLASSIFIER))
    work(feed)
    for _ in range(20):
        end = frames(feed, 1, end, faces=1, left=["no_mask"])
    (back,) = work(feed, 1)
    assert back.back
    (note,) = [note for note in feed.notes() if note.event == "model_rolled_back"]
    assert "calls out 100% of the people; before it was 0%" in note.words
    feed.close()


@pytest.mark.parametrize(("stays", "back"), [(60, False), (300, False), (600, True)])
def test_somebody_before_the_camera_makes_no_model_bad(
    tmp_path: Path, stays: int, back: bool
) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    end = frames(feed, 3601)
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    for minute in range(10):
        end = frames(feed, 60, end, faces=1 if minute * 60 < stays else 0)
        work(feed, 1, end)
    end = frames(feed, 5, end, faces=1 if back else 0)
    work(feed, 1, end)
    assert ("model_rolled_back" if back else "model_trusted") in events(feed)
    feed.close()


def test_what_a_full_disk_kept_out_comes_in_by_itself_when_there_is_room(tmp_path: Path) -> None:
    store = FullDisk(tmp_path)
    feed = feed_of(tmp_path, store=store)
    feed.start()
    store.full = True
    for name in ("a.tflite", "b.tflite"):
        copied_in(tmp_path, make(DETECTOR), name)
    assert work(feed, 60) == []
    told = sorted((note.event, note.file) for note in feed.notes())
    assert told == [("model_trouble", "a.tflite"), ("model_trouble", "b.tflite")]
    store.full = False
    assert [swap.model.card.version for swap in work(feed, 60, 60)] == [100]
    assert store.read().seen.keys() == {"a.tflite", "b.tflite"}
    feed.close()


def test_a_network_that_fails_on_a_full_disk_is_taken_back_and_stays_so(tmp_path: Path) -> None:
    store = FullDisk(tmp_path)
    feed = feed_of(tmp_path, store=store)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    store.full = True
    feed.failed("tensor 7 is on fire")
    (back,) = work(feed, 4, 10)
    assert back.model == released()[DETECTOR] and not feed.failed("another")
    assert events(feed).count("model_rolled_back") == 1
    store.full = False
    assert work(feed, 4, 20) == [] and store.read().active(DETECTOR) is None
    feed.close()


def test_a_file_that_brings_about_a_bug_is_refused_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(*_: object) -> None:
        calls.append(1)
        raise KeyError("\ud800")

    monkeypatch.setattr("edge.modelstore.intake.install", broken)
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed, 6)
    (note,) = feed.notes()
    assert note.event == "model_refused" and "KeyError" in note.words and len(calls) == 1
    assert "this is a bug in maskgate" in note.words
    feed.close()


def test_a_model_on_probation_is_watched_whatever_comes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)

    def broken(*_: object) -> None:
        raise RuntimeError("the folder is on fire")

    monkeypatch.setattr(Inbox, "poll", broken)
    feed.failed("tensor 7 is on fire")
    with pytest.raises(RuntimeError):
        feed.work(10)
    back = feed.poll()
    assert back is not None and back.model == released()[DETECTOR]
    feed.close()


def test_frames_that_stay_away_are_no_healthy_time(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, settings_of(tmp_path, probation_minutes=0.1))
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    for hour in range(5):
        feed.saw(hour * 3600.0, 0)
    work(feed)
    assert "model_trusted" not in events(feed)
    feed.close()


def test_a_copy_that_stalls_half_way_is_no_bad_file(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    content = make(DETECTOR)
    copied_in(tmp_path, content[:200_000])
    assert work(feed, 10) == []
    copied_in(tmp_path, content)
    (swap,) = work(feed, 5, 10)
    assert swap.model.card.version == 100
    assert "model_refused" not in events(feed)
    feed.close()


@pytest.mark.parametrize("tool", [["cp"], ["cp", "-p"], ["rsync"], ["rsync", "-a", "--inplace"]])
def test_every_way_to_copy_is_noticed(tmp_path: Path, tool: list[str]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    feed = feed_of(tmp_path)
    feed.start()
    (tmp_path / "new.tflite").write_bytes(make(DETECTOR))
    subprocess.run([*tool, tmp_path / "new.tflite", tmp_path / "incoming"], check=True, timeout=60)
    (swap,) = work(feed)
    assert swap.model.card.version == 100
    feed.close()


def test_its_thread_does_all_of_it_beside_the_frames(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, settle_seconds=0.2, probation_minutes=0.01)
    feed = ModelFeed(
        Store(tmp_path), Inbox(tmp_path / "incoming", 0.2), settings, released(), LOADERS
    )
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    told: list[str] = []
    swap = None
    give_up = time.monotonic() + 60
    while "model_trusted" not in told and time.monotonic() < give_up:
        swap = feed.poll() or swap
        feed.saw(time.monotonic(), 0)
        told += events(feed)
        signal.sigtimedwait([], 0.02)
    feed.close()
    assert swap is not None and swap.model.card.version == 100
    assert told == ["model_installed", "model_running", "model_trusted"]


def test_two_kinds_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR), "a.tflite")
    copied_in(tmp_path, make(CLASSIFIER), "b.tflite")
    assert [swap.kind for swap in work(feed, 5)] == [DETECTOR, CLASSIFIER]
    feed.close()


def test_of_two_versions_at_once_the_newer_one_runs_and_the_older_one_goes(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR, 107), "a.tflite")
    copied_in(tmp_path, make(DETECTOR, 108), "b.tflite")
    swaps = work(feed, 5)
    assert [swap.model.card.version for swap in swaps] == [108]
    assert len(stored_names(tmp_path)) == 2
    feed.failed("it fails")
    (back,) = work(feed, 1)
    assert back.model == released()[DETECTOR]
    feed.close()


def test_the_gate_follows_what_a_command_chose(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    store = Store(tmp_path)
    store.update(lambda state: store.rolled(state, DETECTOR, "by hand"))
    (back,) = work(feed, 1)
    assert back.model == released()[DETECTOR] and back.back
    assert "by hand" in next(n for n in feed.notes() if n.event == "model_rolled_back").words
    feed.close()


def test_a_newer_released_model_takes_over_after_a_program_update(tmp_path: Path) -> None:
    copied_in(tmp_path, make(DETECTOR, released_version() + 1))
    feed = feed_of(tmp_path)
    feed.start()
    work(feed)
    feed.close()
    store = Store(tmp_path)
    state = store.recover({DETECTOR: released_version() + 2, CLASSIFIER: 2})
    assert state.active(DETECTOR) is None
    assert f"released face-detector {released_version() + 2} is newer" in state.notes[-1].words
    assert stored_names(tmp_path) == ["state.json"]


def test_a_second_gate_on_one_store_leaves_it_alone(tmp_path: Path) -> None:
    copied_in(tmp_path, make(DETECTOR))
    first, second = feed_of(tmp_path), feed_of(tmp_path)
    first.start()
    work(first)
    before = (tmp_path / "state.json").read_bytes()
    assert second.start()[0].model == released()[DETECTOR]
    assert any("another maskgate" in note.words for note in second.notes())
    second.close()
    assert (tmp_path / "state.json").read_bytes() == before
    first.close()


@pytest.mark.parametrize("gone", ["store", "state.json"])
def test_a_store_that_goes_away_under_the_gate_does_not_stop_it(tmp_path: Path, gone: str) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    work(feed)
    (tmp_path / gone).rename(tmp_path.parent / f"{tmp_path.name}-{gone}")
    copied_in(tmp_path, make(CLASSIFIER), "b.tflite")
    swaps = work(feed, 4, 10)
    assert CLASSIFIER in [swap.kind for swap in swaps]
    feed.close()


def test_between_two_frames_of_the_demo_no_frame_is_lost_and_people_stay(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    feed = feed_of(tmp_path, settings_of(tmp_path, settle_seconds=0.2))
    detector, classifier = feed.start()
    watch = Watch(detector, classifier, Settings())
    source = open_source("demo:")
    old = " ".join(str(released_version(kind)) for kind in KINDS)
    seen: list[tuple[int, set[int], str]] = []
    judged: list[tuple[str, str]] = []
    while isinstance(frame := source.read(5.0), Frame):
        if frame.sequence == 20:
            copied_in(tmp_path, make(CLASSIFIER, 109), "c.tflite")
            copied_in(tmp_path, make(DETECTOR, 109), "d.tflite")
            feed.work(0)
        if seen and seen[-1][1]:
            feed.work(5)
        version = seen[-1][2] if seen else old
        if (swap := feed.poll()) is not None:
            watch.use(swap.detector, swap.classifier)
            numbers = dict(zip((DETECTOR, CLASSIFIER), version.split(), strict=True))
            numbers[swap.kind] = str(swap.model.card.version)
            version = " ".join(numbers.values())
        scene = watch.see(frame, frame.timestamp)
        feed.saw(frame.timestamp, len(scene.people), size=scene.size)
        people = {person.number for person in scene.people if person.number is not None}
        seen.append((frame.sequence, people, version))
        judged += [(e.verdict or "", version) for e in scene.events if e.event == "person_judged"]
        if judged:
            break
    source.close()
    feed.close()
    assert [number for number, _, _ in seen] == list(range(seen[0][0], seen[0][0] + len(seen)))
    assert seen[-1][2] == "109 109" and seen[0][2] == old
    place = next(i for i, (_, _, version) in enumerate(seen) if version != old)
    # Whoever was followed before the swaps is the same person after them.
    assert seen[place - 1][1] == seen[-1][1] == {1}
    assert judged == [("no_mask", "109 109")]
