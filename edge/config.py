"""The configuration of a gate: one TOML file, decoded into a tree of settings.

Each section is the settings class of one room, which knows its own ranges; the owner of a shop
reads about all of them in ``gate.toml`` beside this file, which holds every key with its
default.  A flag of ``maskgate run`` goes before the file, the file before the defaults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from edge.alerts.mqtt import MqttSettings
from edge.alerts.opening import check_pins
from edge.alerts.settings import DEFAULT_OUTPUTS, OutputSettings
from edge.alerts.sound import SoundSettings
from edge.camera import check_source
from edge.config_decode import decode, one_line, read_document, told_as
from edge.errors import OutputError, SourceError, UsageError
from edge.gate.decision import DecisionSettings
from edge.gate.face_size import face_size
from edge.gate.hours import QuietHours, parse_quiet_hours
from edge.gate.policy import PolicySettings
from edge.gate.zone import Zone, parse_zone
from edge.heartbeat import HeartbeatSettings
from edge.journal.settings import JournalSettings, PictureSettings
from edge.modelstore.settings import UpdateSettings
from edge.status.settings import StatusSettings

_SHIPPED = "gate.toml"
_OUTPUT_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
# More than there are pins on a header for.
_MOST_OUTPUTS = 16


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """Where pictures come from.

    source  the URI of a camera, file or folder, see docs/cameras.md; default the built-in scene
    wait    whether a camera that is not there at the start is waited for, as a service should;
            otherwise the program ends with code 3; default false

    Raises UsageError for a source of an unknown scheme, or with options that are not allowed.
    """

    source: str = "demo:"
    wait: bool = False

    def __post_init__(self) -> None:
        # A folder that may not be entered now is told by whoever opens it.
        with suppress(SourceError):
            check_source(self.source)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The networks.

    detector    path of the face detector's model file; default "", the released one
    classifier  path of the mask classifier's; default "", the released one
    threads     processor cores the networks may use, 0 to 16; more is faster up to the cores
                there are, and hotter; default 0, all cores but one and at most 4
    detail      how many times the pixels of its card the face detector looks at, 1 to 4; more,
                and faces are found farther away, for so many times the detector's time, and
                those that fill the picture less often; default 1

    Raises UsageError for a value outside its range.
    """

    detector: str = ""
    classifier: str = ""
    threads: int = 0
    detail: float = 1.0

    def __post_init__(self) -> None:
        _check("threads", self.threads, 0, 16)
        _check("detail", self.detail, 1, 4)


@dataclass(frozen=True, slots=True)
class PeopleSettings:
    """Who counts.

    min_face  a smaller face is too far away: ``20`` is pixels of its shorter side (8 to 2000),
              by fewer of which nobody is judged; ``8%`` its longer side's share of the
              picture's (1% to 90%), below which nobody counts; default ``20``
    zone      where people count, ``left,top,right,bottom`` or corners ``x,y x,y x,y`` in shares
              of the picture; default "", the whole picture
    fixture_seconds  a face that has not moved for so long does not count: a poster, a coat
              rack; 60 to 86400 s, or 0 for never; default 600

    Raises UsageError for what is none of these.
    """

    min_face: str = "20"
    zone: str = ""
    fixture_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.fixture_seconds != 0:
            _check("fixture_seconds", self.fixture_seconds, 60, 86400, ", or 0 for never")
        face_size(self.min_face, "min_face")
        _parsed_zone(self.zone)


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """When the gate rings.

    max_seconds        a person rings at most so long, 1 to 3600 s; default 30
    cool_down_seconds  so long after it ended that person does not ring again, 0 to 3600 s;
                       longer, and fewer repeats, but the next person at the same place may
                       ring so much later; default 5
    quiet_hours        ``HH:MM-HH:MM``, local time, without sound; default "", none

    Raises UsageError for a value outside its range.
    """

    max_seconds: float = 30.0
    cool_down_seconds: float = 5.0
    quiet_hours: str = ""

    def __post_init__(self) -> None:
        _check("max_seconds", self.max_seconds, 1, 3600)
        _check("cool_down_seconds", self.cool_down_seconds, 0, 3600)
        _parsed_hours(self.quiet_hours)


@dataclass(frozen=True, slots=True)
class VerdictSettings:
    """How sure the gate must be; what :class:`DecisionSettings` has that an owner may turn.

    Both rates end at 0.08: above it a single look would decide.

    false_alarm_rate     share of masked people who may be called out, 0.0001 to 0.08; lower is
                         slower; default 0.01
    miss_rate            share of people without who may pass, 0.0001 to 0.08; lower is slower;
                         default 0.01
    correlation_seconds  how long one mistake lasts, 0.05 to 5 s; longer, and people who stand
                         still are judged more slowly; default 0.2
    min_brightness       a face whose upper half is darker is not judged, 0 to 255; default 6
    min_sharpness        nor is one with less detail, 0 to 2; default 0.3
    max_turn             nor one turned further, its nose so many eye distances from between
                         the eyes, 0.25 to 10; default 1

    Raises UsageError for a value outside its range.
    """

    false_alarm_rate: float = 0.01
    miss_rate: float = 0.01
    correlation_seconds: float = 0.2
    min_brightness: float = 6.0
    min_sharpness: float = 0.3
    max_turn: float = 1.0

    def __post_init__(self) -> None:
        _check("false_alarm_rate", self.false_alarm_rate, 0.0001, 0.08)
        _check("miss_rate", self.miss_rate, 0.0001, 0.08)
        _check("correlation_seconds", self.correlation_seconds, 0.05, 5)
        _check("min_brightness", self.min_brightness, 0, 255)
        _check("min_sharpness", self.min_sharpness, 0, 2)
        _check("max_turn", self.max_turn, 0.25, 10)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings: each field is a section of the file, and is named like it.

    *outputs* are all there are, by name; a file that has one has to list the others too.

    Raises UsageError for a pin that two outputs share, a name that is not 1 to 32 letters,
    digits, - or _, and more than 16 outputs.
    """

    camera: CameraSettings = field(default_factory=CameraSettings)
    models: ModelSettings = field(default_factory=ModelSettings)
    people: PeopleSettings = field(default_factory=PeopleSettings)
    alarm: AlarmSettings = field(default_factory=AlarmSettings)
    decision: VerdictSettings = field(default_factory=VerdictSettings)
    outputs: dict[str, OutputSettings] = field(default_factory=lambda: dict(DEFAULT_OUTPUTS))
    sound: SoundSettings = field(default_factory=SoundSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    pictures: PictureSettings = field(default_factory=PictureSettings)
    updates: UpdateSettings = field(default_factory=UpdateSettings)
    status: StatusSettings = field(default_factory=StatusSettings)
    service: HeartbeatSettings = field(default_factory=HeartbeatSettings)

    def __post_init__(self) -> None:
        if len(self.outputs) > _MOST_OUTPUTS:
            raise UsageError(f"outputs has {len(self.outputs)}; allowed: at most {_MOST_OUTPUTS}")
        for name in self.outputs:
            if not _OUTPUT_NAME.fullmatch(name):
                raise UsageError(
                    f"outputs has the name {name!r}; allowed: 1 to 32 letters, digits, - and _"
                )
        try:
            check_pins(self.outputs)
        except OutputError as error:
            # Told as a mistake in what was written, before any pin is touched.
            raise UsageError(str(error)) from None


FLAGS: Mapping[str, tuple[str, ...]] = {
    "source": ("camera", "source"),
    "wait_for_camera": ("camera", "wait"),
    "detector": ("models", "detector"),
    "classifier": ("models", "classifier"),
    "threads": ("models", "threads"),
    "min_face": ("people", "min_face"),
    "zone": ("people", "zone"),
    "max_alarm": ("alarm", "max_seconds"),
    "cool_down": ("alarm", "cool_down_seconds"),
    "quiet_hours": ("alarm", "quiet_hours"),
    "buzzer_pin": ("outputs", "buzzer", "pins"),
    "led_pin": ("outputs", "led", "pins"),
}
"""Options of ``maskgate run``, as click names them, and the keys that they go before."""


@dataclass(frozen=True, slots=True)
class Reread:
    """What to go on with after the file was read again.

    *config* is the new one, or the old one where *error*, one line, says what is wrong with the
    file.  *changed* names the sections that differ from before.
    """

    config: Config
    changed: frozenset[str] = frozenset()
    error: str = ""


def default_config() -> Config:
    """Return the settings of a gate that was told nothing."""
    return Config()


def config_text() -> str:
    """Return the shipped, commented file; it says what the defaults are."""
    return Path(__file__).with_name(_SHIPPED).read_text(encoding="utf-8")


def read_config(path: str | Path) -> Config:
    """Return the settings in the file at *path*; what it leaves out is the default.

    Raises UsageError, one line, that names the file, the key, the value and what is allowed;
    where there are more such mistakes it says how many.
    """
    config, problems = examined(path)
    if config is not None:
        return config
    more = len(problems) - 1
    advice = f" (and {more} more: 'maskgate config check' tells them all)" if more else ""
    raise UsageError(problems[0] + advice)


def examined(path: str | Path) -> tuple[Config | None, tuple[str, ...]]:
    """Return the settings at *path*, or None and all that is wrong with them, a line each."""
    path = Path(path)
    try:
        decoded = decode(Config, read_document(path))
    except UsageError as error:
        return None, (str(error),)
    return decoded.value, tuple(one_line(f"{path}: {problem}") for problem in decoded.problems)


def overridden(config: Config, options: Mapping[str, Any]) -> Config:
    """Return *config* with the *options* of ``maskgate run`` that were given in their places.

    None is an option that was not given; those that no key stands for are left alone.  Raises
    UsageError that names the flag.
    """
    sections: dict[str, Any] = {}
    for name, (section, *key) in FLAGS.items():
        value = options.get(name)
        if value is None:
            continue
        flag = _flag(name)
        if value == "":
            # A shell variable that holds nothing is a mistake, and must not widen the zone.
            raise UsageError(f"{flag} is empty and cannot be read; leave it out or give a value")
        if key[-1] == "pins":
            value = (value,)
        try:
            sections[section] = _put(sections.get(section, getattr(config, section)), key, value)
        except KeyError:
            where = ".".join((section, *key[:-1]))
            raise UsageError(f"{flag} is given, but the configuration has no [{where}]") from None
        except UsageError as error:
            raise UsageError(told_as(str(error), {key[-1]: flag}, flag)) from None
    try:
        # Only now is the whole checked: two flags may swap what neither can take alone.
        return replace(config, **sections)
    except UsageError as error:
        flags = (_flag(n) for n in FLAGS if FLAGS[n][0] == "outputs" and options.get(n) is not None)
        raise UsageError(f"{' and '.join(flags)}: {error}") from None


def changed(before: Config, after: Config) -> frozenset[str]:
    """Return the names of the sections that differ."""
    names = (one.name for one in fields(Config))
    return frozenset(name for name in names if getattr(before, name) != getattr(after, name))


def reread(
    path: str | Path, current: Config, options: Mapping[str, Any] | None = None
) -> Reread:
    """Return what to go on with after SIGHUP: *path* with *options* before it, or *current*.

    *options* are those that ``maskgate run`` was started with.  Raises nothing: a broken new
    file keeps the old settings at work.
    """
    try:
        config = overridden(read_config(path), options or {})
    except UsageError as error:
        return Reread(current, error=str(error))
    return Reread(config, changed(current, config))


def policy_settings(config: Config) -> PolicySettings:
    """Return who counts and who rings, by *config*."""
    return PolicySettings(
        max_alarm_seconds=config.alarm.max_seconds,
        cool_down_seconds=config.alarm.cool_down_seconds,
        zone=_parsed_zone(config.people.zone),
        min_face_share=face_size(config.people.min_face)[1],
        quiet_hours=_parsed_hours(config.alarm.quiet_hours),
        fixture_seconds=config.people.fixture_seconds,
    )


def decision_settings(
    config: Config, *, min_score: float, priors: tuple[float, float, float]
) -> DecisionSettings:
    """Return how sure to be, by *config*; *min_score* and *priors* come with the models."""
    return DecisionSettings(
        **{one.name: getattr(config.decision, one.name) for one in fields(VerdictSettings)},
        min_face_pixels=face_size(config.people.min_face)[0],
        min_score=min_score,
        priors=priors,
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _put(tree: Any, key: Sequence[str], value: Any) -> Any:
    """Return *tree* with *value* at *key*; KeyError where a dictionary lacks what leads there."""
    name, *rest = key
    if rest:
        inner = tree[name] if isinstance(tree, Mapping) else getattr(tree, name)
        value = _put(inner, rest, value)
    return {**tree, name: value} if isinstance(tree, Mapping) else replace(tree, **{name: value})


def _parsed_zone(text: str) -> Zone | None:
    try:
        return parse_zone(text) if text else None
    except UsageError as error:
        raise UsageError(f"zone: {error}") from None


def _parsed_hours(text: str) -> QuietHours | None:
    try:
        return parse_quiet_hours(text) if text else None
    except UsageError as error:
        raise UsageError(f"quiet_hours: {error}") from None


def _check(name: str, value: float, low: float, high: float, also: str = "") -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value:.10g}; allowed: {low:g} to {high:g}{also}")
