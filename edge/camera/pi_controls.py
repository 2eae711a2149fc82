"""Exposure, colour and focus of a Raspberry Pi's camera, as options of its address.

Names and numbers of the controls are libcamera's (``control_ids_core.yaml``); the numbers of
its enumerations are part of its interface and do not change.  A camera offers only some of
them: a lens that cannot move has no ``LensPosition``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge.camera.uri import SourceUri, between, option, truth
from edge.errors import UsageError

Control = int | float | bool

OPTIONS = ("exposure", "gain", "ev", "metering", "awb", "hdr", "af", "lens")
"""The options that are controls."""

_METERING = {"centre": 0, "spot": 1, "matrix": 2}
_AWB = {"auto": 0, "tungsten": 2, "fluorescent": 3, "indoor": 4, "daylight": 5, "cloudy": 6}
_AF = {"manual": 0, "auto": 1, "continuous": 2}
_HDR_OFF, _HDR_SINGLE_EXPOSURE = 0, 3
_AF_TRIGGER_START = 0
# Shorter than any sensor can, and longer than anybody stands still for.
_SHORTEST = 10  # microseconds

# Which option set a control: a camera that lacks the control is told of by that name.
_OPTION_OF = {
    "ExposureTime": "exposure",
    "AnalogueGain": "gain",
    "ExposureValue": "ev",
    "AeMeteringMode": "metering",
    "AwbMode": "awb",
    "HdrMode": "hdr",
    "AfMode": "af",
    "AfTrigger": "af",
    "LensPosition": "lens",
}


def read_controls(uri: SourceUri, fps: float) -> dict[str, Control]:
    """Return the controls that the options of *uri* ask for, by libcamera's names.

    ``exposure``  microseconds, from 10 to a frame's time at *fps*, or ``auto``
    ``gain``      1 to 64, of the sensor's own amplifier, or ``auto``
    ``ev``        -8 to 8 stops brighter than the camera would choose
    ``metering``  ``centre``, ``spot`` or ``matrix``: where it looks to choose
    ``awb``       ``auto``, or the light: ``tungsten``, ``fluorescent``, ``indoor``,
                  ``daylight`` or ``cloudy``
    ``hdr``       1 for both bright and dark parts, where the camera system can (Raspberry Pi 5)
    ``af``        ``continuous``, ``auto`` (once, at the start) or ``manual``
    ``lens``      0 to 32 dioptres (1 / metres), for a lens that stays: 0.5 is sharp at 2 m

    What is not asked for is left as the camera has it.  Raises UsageError for a value outside
    its range, and for ``lens`` beside a focus that moves.
    """
    longest = int(1e6 / fps)
    controls: dict[str, Control | None] = {
        "ExposureTime": option(
            uri, "exposure", _or_auto(_SHORTEST, longest, int), None,
            f"auto, or {_SHORTEST} to {longest} microseconds at {fps:g} frames per second",
        ),
        "AnalogueGain": option(uri, "gain", _or_auto(1, 64), None, "auto, or 1 to 64"),
        "ExposureValue": _optional(uri, "ev", -8, 8, "-8 to 8 stops"),
        "AeMeteringMode": _word(uri, "metering", _METERING),
        "AwbMode": _word(uri, "awb", _AWB),
        "AfMode": _word(uri, "af", _AF),
        "LensPosition": _optional(uri, "lens", 0, 32, "0 to 32 dioptres, 1 / metres"),
    }
    if "hdr" in uri.options:
        wanted = option(uri, "hdr", truth, False, "1 or 0")
        controls["HdrMode"] = _HDR_SINGLE_EXPOSURE if wanted else _HDR_OFF
    if controls["LensPosition"] is not None:
        if controls["AfMode"] not in (None, _AF["manual"]):
            raise UsageError(
                f"source {uri.text!r}: lens holds the lens still and af={uri.options['af']} moves "
                "it; give one of them, or af=manual"
            )
        controls["AfMode"] = _AF["manual"]
    if controls["AfMode"] == _AF["auto"]:
        controls["AfTrigger"] = _AF_TRIGGER_START
    return {name: value for name, value in controls.items() if value is not None}


def offered(
    wanted: Mapping[str, Control], on_offer: Mapping[str, tuple[object, object, object]]
) -> tuple[dict[str, Control], tuple[str, ...]]:
    """Return those of *wanted* that a camera has, held to its ranges, and remarks on the rest.

    *on_offer* is picamera2's ``camera_controls``: least, greatest and usual value by name.
    """
    taken: dict[str, Control] = {}
    remarks: dict[str, str] = {}
    for name, value in wanted.items():
        word = _OPTION_OF[name]
        if name not in on_offer:
            remarks.setdefault(
                word, f"this camera has no control {name}; {word} is left out of account"
            )
            continue
        low, high, _ = on_offer[name]
        held = value
        if isinstance(low, int | float) and isinstance(high, int | float):
            held = min(max(value, low), high)
        if held != value:
            remarks.setdefault(
                word, f"{word} is {value}; this camera allows {low} to {high} and got {held}"
            )
        taken[name] = held
    return taken, tuple(remarks.values())


def _word(uri: SourceUri, name: str, values: Mapping[str, int]) -> int | None:
    def read(text: str) -> int:
        if text.lower() not in values:
            raise ValueError(text)
        return values[text.lower()]

    return option(uri, name, read, None, ", ".join(values))


def _optional(uri: SourceUri, name: str, low: float, high: float, hint: str) -> float | None:
    return option(uri, name, between(low, high), None, hint)


def _or_auto(
    low: float, high: float, convert: type[float] = float
) -> Callable[[str], float | None]:
    number = between(low, high)

    def read(text: str) -> float | None:
        return None if text.lower() == "auto" else convert(number(text))

    return read
