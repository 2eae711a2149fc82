"""The sounds of a gate whose owner has put none of their own there: tones, computed."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt

from edge.gate.policy import GateState

RATE = 48_000
"""Samples a second.  The rate that sound cards have without resampling."""

# A tone that begins or ends at full height clicks.
_EDGE_SECONDS = 0.01

# (Hz, seconds) one after the other; 0 Hz is silence.  Between 500 and 2000 Hz a small speaker is
# loud and an ear that has lost its high notes still hears; rising is good news, falling bad.
_ALARM = ((880.0, 0.25), (660.0, 0.25)) * 3
_PASS = ((660.0, 0.12), (880.0, 0.2))
_CAMERA_FAULT = ((740.0, 0.3), (0.0, 0.1), (622.0, 0.3), (0.0, 0.1), (523.0, 0.5))
_TONES = {
    GateState.ALARM: _ALARM,
    GateState.PASS: _PASS,
    GateState.CAMERA_FAULT: _CAMERA_FAULT,
}

SOUNDING = tuple(_TONES)
"""The states that have a sound."""


def tone_seconds(state: GateState) -> float:
    """Return how long the tone of *state*, one of ``SOUNDING``, lasts."""
    return sum(seconds for _, seconds in _TONES[state])


def tone_wav(state: GateState, volume: float) -> bytes:
    """Return the tone of *state*, one of ``SOUNDING``, as a WAV file: 48 kHz, mono, 16 bit.

    *volume* is the height of its waves as a share of the greatest there is, 0 to 1.
    """
    samples = np.concatenate([_note(hertz, seconds) for hertz, seconds in _TONES[state]])
    whole = np.round(samples * volume * np.iinfo(np.int16).max).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(whole.tobytes())
    return file.getvalue()


def _note(hertz: float, seconds: float) -> npt.NDArray[np.float64]:
    count = round(RATE * seconds)
    at = np.arange(count) / RATE
    edge = np.minimum(at, at[::-1]) / _EDGE_SECONDS
    height = np.sin(np.pi / 2 * np.minimum(edge, 1.0)) ** 2
    note: npt.NDArray[np.float64] = height * np.sin(2 * np.pi * hertz * at)
    return note
