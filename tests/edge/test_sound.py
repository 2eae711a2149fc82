"""Sound is heard when it is meant, ends when it is not, and delays nothing else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
import wave
from dataclasses import replace
from queue import Queue
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.aplay import file_sound
from edge.alerts.fake_aplay import FakeAplay
from edge.alerts.outputs import Outputs
from edge.alerts.sound import SoundOutput, SoundSettings
from edge.alerts.tones import RATE, SOUNDING, tone_seconds, tone_wav
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState
from tests.patience import PATIENCE, eventually

SETTINGS = SoundSettings(enabled=True, pause=0.0)


@pytest.fixture
def aplay(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = FakeAplay(folder)
    fake.behave("plays")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return fake


@pytest.fixture
def told():
    return Queue()


@pytest.fixture
def sound(told):
    """Make a sound output that is closed at the end."""
    made = []

    def make(settings=SETTINGS, **other):
        made.append(SoundOutput(settings, told.put, **other))
        return made[-1]

    yield make
    for output in made:
        output.close()


def write_wav(path, seconds=0.1):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * round(8000 * seconds))
    return path


def test_the_alarm_is_played_again_and_again_until_the_state_changes(aplay, sound):
    output = sound()
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 3)
    aplay.behave("plays", 600)
    last = eventually(lambda: [call for call in aplay.calls if call.running])[-1]
    output.show(GateState.IDLE)
    eventually(lambda: not last.running)
    assert aplay.calls[0].arguments == ("--quiet", "--device=default", "--duration=60", "-")


@pytest.mark.parametrize("state", [GateState.PASS, GateState.CAMERA_FAULT])
def test_other_sounds_are_played_once_however_often_they_are_shown(aplay, sound, state):
    output = sound()
    for _ in range(3):
        output.show(state)
        eventually(lambda: aplay.calls and not aplay.calls[-1].running)
    output.show(GateState.IDLE)
    output.show(state)
    eventually(lambda: len(aplay.calls) == 2)


@pytest.mark.parametrize("state", [state for state in GateState if state not in SOUNDING])
def test_states_without_a_sound_play_nothing(aplay, sound, state):
    output = sound()
    output.show(state)
    output.show(GateState.PASS)
    eventually(lambda: aplay.calls)
    output.close()
    assert [call.given for call in aplay.calls] == [tone_wav(GateState.PASS, 0.5)]


def test_nothing_is_heard_while_muted_nor_of_states_that_are_not_wanted(aplay, sound):
    output = sound(replace(SETTINGS, states=("pass",)))
    output.show(GateState.PASS, muted=True)
    output.show(GateState.ALARM)
    output.show(GateState.PASS)
    eventually(lambda: aplay.calls)
    output.close()
    assert len(aplay.calls) == 1


@pytest.mark.parametrize("end", ["mute", "close", "limit"])
def test_what_plays_is_ended_by(end, aplay, sound):
    aplay.behave("plays", 600)
    now = [0.0]
    output = sound(clock=lambda: now[0])
    output.show(GateState.ALARM)
    (call,) = eventually(lambda: aplay.calls)
    if end == "mute":
        output.show(GateState.ALARM, muted=True)
    elif end == "close":
        output.close()
        assert not call.running
    else:
        now[0] = SETTINGS.max_seconds
    eventually(lambda: not call.running)


def test_an_alarm_that_is_shown_anew_goes_on_uncut_and_has_its_whole_time_again(aplay, sound):
    aplay.behave("plays", 600)
    now = [0.0]
    output = sound(replace(SETTINGS, max_seconds=10), clock=lambda: now[0])
    output.show(GateState.ALARM)
    (call,) = eventually(lambda: aplay.calls)
    now[0] = 6.0
    output.show(GateState.ALARM)
    assert call.running and len(aplay.calls) == 1
    now[0] = 10.0
    eventually(lambda: not call.running)
    aplay.behave("plays")
    again = len(aplay.calls)
    now[0] = 12.5
    eventually(lambda: len(aplay.calls) > again)


def test_an_aplay_that_hangs_and_heeds_no_signal_is_killed_and_told_once(aplay, sound, told):
    aplay.behave("hangs")
    now = [0.0]
    output = sound(clock=lambda: now[0])
    output.show(GateState.PASS)
    (call,) = eventually(lambda: aplay.calls)
    now[0] = 30.0
    assert "aplay still plays the pass tone, 0.3 s long, after 30 s" in told.get(timeout=PATIENCE)
    eventually(lambda: not call.running)
    output.close()
    assert told.empty()


def test_a_hanging_aplay_does_not_outlive_the_output(aplay, sound):
    aplay.behave("hangs")
    output = sound()
    output.show(GateState.ALARM)
    (call,) = eventually(lambda: aplay.calls)
    output.close()
    assert not call.running


def test_a_card_that_is_away_is_told_once_and_once_when_it_is_back(aplay, sound, told):
    aplay.behave("fails")
    output = sound()
    output.show(GateState.ALARM)
    away = told.get(timeout=PATIENCE)
    assert "card default (aplay: main:831: audio open error" in away and "aplay -L" in away
    eventually(lambda: len(aplay.calls) >= 2)
    aplay.behave("plays")
    assert told.get(timeout=PATIENCE) == "sound: it plays again"
    output.close()
    assert told.empty()


def test_without_aplay_the_message_says_what_to_install(tmp_path, monkeypatch, sound, told):
    monkeypatch.setenv("PATH", str(tmp_path))
    sound().show(GateState.PASS)
    assert "sudo apt install alsa-utils" in told.get(timeout=PATIENCE)


def test_the_owners_file_is_played_where_there_is_one_and_a_tone_where_not(aplay, sound, tmp_path):
    path = write_wav(tmp_path / "alarm.wav")
    output = sound(replace(SETTINGS, folder=str(tmp_path), device="plughw:1,0"))
    output.show(GateState.PASS)
    eventually(lambda: aplay.calls)
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 2)
    tone, own = aplay.calls[:2]
    assert tone.given == tone_wav(GateState.PASS, 0.5)
    assert own.arguments == ("--quiet", "--device=plughw:1,0", "--duration=60", str(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"OggS\0\2 and so on, and so on", "is no WAV file but Ogg"),
        (b"ID3\4 and so on, and so on", "is no WAV file but MP3"),
        (b"hello", "is no WAV file;"),
        (b"", "is no WAV file;"),
        # A part of 1000 bytes in a whole of 100.
        (b"RIFF\x64\0\0\0WAVELIST\xe8\3\0\0" + bytes(300), "is a damaged WAV file"),
        (None, "is no file"),
    ],
)
def test_a_file_that_is_no_wav_is_told_once_and_its_tone_played(
    aplay, sound, told, tmp_path, content, words
):
    path = tmp_path / "alarm.wav"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    output = sound(replace(SETTINGS, folder=str(tmp_path)))
    line = told.get(timeout=PATIENCE)
    assert words in line and str(path) in line and "a tone is played instead" in line
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 2)
    output.close()
    assert told.empty() and aplay.calls[0].given == tone_wav(GateState.ALARM, 0.5)


def test_a_folder_that_is_not_there_is_told_at_the_start(aplay, sound, told, tmp_path):
    sound(replace(SETTINGS, folder=str(tmp_path / "nowhere")))
    assert "there is no folder" in told.get(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 300, "File name too long"),
        pytest.param(
            "locked",
            "Permission denied",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder"),
        ),
    ],
)
def test_a_folder_that_cannot_be_entered_is_told_once_and_tones_are_played(
    aplay, sound, told, tmp_path, name, words
):
    (tmp_path / "locked").mkdir(mode=0)
    output = sound(replace(SETTINGS, folder=str(tmp_path / name)))
    line = told.get(timeout=PATIENCE)
    assert f"cannot be entered ({words})" in line and "a tone is played instead" in line
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 2)
    output.close()
    assert told.empty() and aplay.calls[0].given == tone_wav(GateState.ALARM, 0.5)


def test_a_file_that_cannot_be_looked_at_is_no_file_that_is_not_there(tmp_path):
    assert file_sound(tmp_path / "alarm.wav") is None
    with pytest.raises(OutputError, match=r"cannot be read \(File name too long\)"):
        file_sound(tmp_path / f"{'a' * 300}.wav")


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("os.memfd_create", OSError(24, "Too many open files"), "started (Too many open files)"),
        ("subprocess.Popen", MemoryError("no memory"), "MemoryError: no memory"),
        ("edge.alerts.sound.tone_wav", ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        ("edge.alerts.sound.file_sound", RecursionError("deep"), "RecursionError: deep; a tone is"),
    ],
)
def test_whatever_goes_wrong_with_one_sound_the_next_is_heard(
    aplay, sound, told, tmp_path, monkeypatch, what, error, words
):
    output = sound(replace(SETTINGS, folder=str(tmp_path)))
    with monkeypatch.context() as broken:
        broken.setattr(what, Mock(side_effect=error))
        output.show(GateState.PASS)
        assert words in told.get(timeout=PATIENCE)
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 2)


def test_a_file_that_aplay_refuses_is_told_and_its_tone_tried(aplay, sound, told, tmp_path):
    write_wav(tmp_path / "pass.wav")
    aplay.behave("fails")
    sound(replace(SETTINGS, folder=str(tmp_path))).show(GateState.PASS)
    assert "pass.wav cannot be played" in told.get(timeout=PATIENCE)
    assert "the pass tone cannot be played" in told.get(timeout=PATIENCE)
    assert len(aplay.calls) == 2


def test_whoever_shows_a_state_starts_no_process_and_tells_nothing(
    aplay, sound, monkeypatch, tmp_path
):
    """All of that is done by the output's own thread, so that a slow card delays no light."""
    threads = set()
    popen = subprocess.Popen

    def noting(*arguments, **options):
        threads.add(threading.current_thread())
        return popen(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", noting)
    aplay.behave("hangs")
    output = sound()
    with Outputs([output]) as outputs:
        for state in (GateState.ALARM, GateState.PASS, GateState.CAMERA_FAULT):
            outputs.show(state)
            eventually(lambda: aplay.calls)
    assert threads and threading.current_thread() not in threads


def test_a_listener_that_raises_does_not_silence_the_gate(aplay):
    def full_disk(line):
        raise OSError(28, line)

    aplay.behave("fails")
    output = SoundOutput(SETTINGS, full_disk)
    output.show(GateState.ALARM)
    eventually(lambda: len(aplay.calls) >= 2)
    output.close()


@pytest.mark.parametrize("state", SOUNDING)
def test_a_tone_is_a_wav_that_begins_and_ends_in_silence(state):
    with wave.open(io.BytesIO(tone_wav(state, 0.5))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert abs(len(samples) / RATE - tone_seconds(state)) < 0.01
    assert samples[0] == samples[-1] == 0


@given(volume=st.floats(0, 1), state=st.sampled_from(SOUNDING))
def test_a_tone_is_as_loud_as_asked_for(volume, state):
    samples = np.frombuffer(tone_wav(state, volume)[44:], "<i2")
    assert abs(np.abs(samples).max() - volume * 32767) <= 2 + 0.001 * 32767


def test_the_alarm_alternates_between_its_two_notes():
    samples = np.frombuffer(tone_wav(GateState.ALARM, 1.0)[44:], "<i2")
    notes = [
        np.abs(np.fft.rfft(part)).argmax() / 0.25 for part in np.split(samples.astype(float), 6)
    ]
    assert notes == pytest.approx([880, 660] * 3, abs=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"volume": 1.5}, "volume is 1.5; allowed: 0 to 1"),
        ({"volume": float("nan")}, "volume is nan"),
        ({"pause": -1}, "pause is -1; allowed: 0 to 60"),
        ({"max_seconds": 0}, "max_seconds is 0; allowed: 1 to 3600"),
        ({"device": " "}, "aplay -L"),
        ({"states": ("idle",)}, "states names 'idle'; allowed: alarm, pass, camera_fault"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong, message):
    with pytest.raises(UsageError, match=message):
        SoundSettings(**wrong)


@pytest.mark.skipif(shutil.which("aplay") is None, reason="aplay (alsa-utils) is not installed")
def test_the_real_aplay_takes_the_tone_and_the_owners_file(tmp_path, monkeypatch, sound, told):
    """ALSA's file plugin writes what a card would have played."""
    heard = tmp_path / "heard.raw"
    config = tmp_path / "asound.conf"
    config.write_text(
        f'pcm.heard {{ type file file "{heard}" format "raw" slave.pcm {{ type null }} }}'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    write_wav(tmp_path / "camera_fault.wav", seconds=0.5)
    output = sound(replace(SETTINGS, device="heard", folder=str(tmp_path)))
    output.show(GateState.PASS)
    tone = tone_wav(GateState.PASS, 0.5)[44:]
    eventually(lambda: heard.exists() and heard.read_bytes().startswith(tone))
    output.show(GateState.IDLE)
    heard.unlink()
    output.show(GateState.CAMERA_FAULT)
    eventually(lambda: heard.exists() and heard.read_bytes().startswith(b"\0" * 8000))
    output.close()
    assert told.empty()


@pytest.mark.skipif(shutil.which("aplay") is None, reason="aplay (alsa-utils) is not installed")
def test_what_the_real_aplay_says_of_an_unknown_card_is_passed_on(sound, told):
    sound(replace(SETTINGS, device="nosuchcard")).show(GateState.PASS)
    assert "card nosuchcard (aplay: main:" in told.get(timeout=PATIENCE)
