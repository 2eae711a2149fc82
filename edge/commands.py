"""``maskgate run``: from what was typed to a gate at work, and to what is printed about it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import click
import cv2

from edge.alerts.gpio import PinOutput, Pins, buzzer_and_led, choose_pins
from edge.alerts.outputs import Outputs
from edge.camera import open_source
from edge.camera.frame import Source
from edge.camera.pace import PacedSource
from edge.errors import UsageError
from edge.gate.decision import DecisionSettings
from edge.gate.hours import parse_quiet_hours
from edge.gate.policy import PolicySettings
from edge.gate.tracker import TrackerSettings
from edge.gate.zone import parse_zone
from edge.modelfile import LABELS, ModelFile, read_model, released_model
from edge.observers import Teller
from edge.report.events import EventLog
from edge.report.film import Film
from edge.report.summary import PinRecord, Summary, summary_text, summary_values
from edge.service import Limits, Outcome, run
from edge.targets import check_targets
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector
from edge.watch import Settings

# The detector's doubtful faces, which keep a known person alive, reach down to this share of
# the score from which a face may be a new person.
_DOUBTFUL = 0.5
# The pins' own limit is there for a hung program; it must not come before the gate's.
_PIN_MARGIN = 5.0  # seconds
# A face is worth a look when the detector is so much surer of it than of a face as such.  On the
# validation photographs this halves what is called out where there is no face, hands and wheels
# (19.7 to 8.9 in 100 pictures), for 3 % of the looks.
_SURER = 0.05


def run_gate(options: Mapping[str, Any], stop: Callable[[], str]) -> None:
    """Run the gate with the *options* of ``maskgate run`` until it ends or *stop* says why.

    Prints what happens and the summary.  Raises MaskgateError for what is wrong with the
    options, the models, the source or the outputs; the summary is printed all the same once
    the gate was at work.
    """
    # Standard output belongs to whoever reads the events from it.
    aside = options["events"] == "-"

    def say(text: str) -> None:
        if not options["quiet"]:
            click.echo(text, err=aside or options["as_json"])

    check_targets(
        options["source"] or "demo:",
        {f"--{name}": options[name] for name in ("record", "events")},
        {f"--{name}": options[name] for name in ("detector", "classifier")},
    )
    policy = policy_settings(options)
    threads = options["threads"] or default_threads()
    cv2.setNumThreads(threads)
    with ExitStack() as stack:
        source = open_source(options["source"] or "demo:", patient=options["wait_for_camera"])
        stack.callback(source.close)
        source = paced(source, options["realtime"])
        film = None
        if options["record"]:
            film = Film(options["record"], source.frames_per_second)
        detector_file = read_model(
            options["detector"] or released_model("face-detector"), "face-detector"
        )
        classifier_file = read_model(
            options["classifier"] or released_model("mask-classifier"), "mask-classifier"
        )
        pixels, _ = face_size(options["min_face"])
        settings = gate_settings(detector_file, classifier_file, pixels, policy)
        detector = FaceDetector(
            detector_file, threads, score_threshold=settings.tracker.keep_score
        )
        classifier = MaskClassifier(classifier_file, threads)
        if options["source"] is None:
            say("No --source is given, so this is the built-in scene (--source demo:).")
        pins = choose_pins(pretend=options["no_pins"])
        devices = buzzer_and_led(
            pins,
            buzzer_pin=options["buzzer_pin"],
            led_pin=options["led_pin"],
            max_on_seconds=options["max_alarm"] + _PIN_MARGIN,
        )
        outputs = Outputs(devices)
        stack.callback(outputs.close)
        note = pins_note(pins, devices)
        say(f"Watching {source.name}")
        say(note)
        model = model_words(classifier_file)
        log = EventLog(options["events"], model) if options["events"] else None
        if log is not None:
            stack.callback(log.close)

        outcome = run(
            source,
            detector,
            classifier,
            outputs,
            settings,
            film=film,
            observer=Teller(log, say),
            limits=Limits(options["max_frames"], options["seconds"]),
            stop=stop,
        )
    summary = summarise(
        outcome,
        source=source.name,
        models=(model_words(detector_file), model),
        runtime=str(classifier.runtime),
        threads=threads,
        devices=devices,
        note=note,
        written=written(film, log),
    )
    if options["as_json"]:
        text = json.dumps(summary_values(summary), ensure_ascii=False, indent=2)
    else:
        text = ("" if options["quiet"] else "\n") + summary_text(summary)
    click.echo(text, err=aside)
    if outcome.error is not None:
        raise outcome.error


def gate_settings(
    detector: ModelFile, classifier: ModelFile, min_face: float, policy: PolicySettings
) -> Settings:
    """Return settings that fit the models: the detector's card tells from which score on a
    face is sure, the classifier's on which shares of the labels it was calibrated.

    *min_face* is in pixels.
    """
    sure = float(detector.card.decision.get("score_threshold", 0.5))
    return Settings(
        tracker=TrackerSettings(start_score=sure, keep_score=sure * _DOUBTFUL),
        decision=DecisionSettings(
            min_face_pixels=min_face,
            min_score=min(1.0, sure + _SURER),
            priors=label_priors(classifier),
        ),
        policy=policy,
    )


def policy_settings(options: Mapping[str, Any]) -> PolicySettings:
    """Return who rings, where, when and for how long, by the *options* of ``maskgate run``.

    Raises UsageError for what is wrong with one of them.
    """
    _, share = face_size(options["min_face"])
    return PolicySettings(
        max_alarm_seconds=options["max_alarm"],
        cool_down_seconds=options["cool_down"],
        zone=parse_zone(options["zone"]) if options["zone"] is not None else None,
        min_face_share=share,
        quiet_hours=(
            parse_quiet_hours(options["quiet_hours"])
            if options["quiet_hours"] is not None
            else None
        ),
    )


def face_size(text: str) -> tuple[float, float]:
    """Return the smallest face as (pixels, share of the picture) of ``40`` or of ``8%``.

    What *text* does not name is 20 pixels, no share.  Raises UsageError for anything else.
    """
    number, percent, rest = text.strip().partition("%")
    low, high = (1, 90) if percent else (8, 2000)
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if rest or not low <= value <= high:
        raise UsageError(
            f"--min-face is {text!r}; allowed: 8 to 2000 pixels, such as 40, or 1% to 90% of the "
            "picture's longer side, such as 8%"
        )
    return (DecisionSettings().min_face_pixels, value / 100) if percent else (value, 0.0)


def label_priors(classifier: ModelFile) -> tuple[float, float, float]:
    """Return the label shares on the card of *classifier*; equal ones where it states none."""
    mask, bare, wrong = (
        float(classifier.card.decision.get(f"prior_{label}", 1 / len(LABELS))) for label in LABELS
    )
    return mask, bare, wrong


def default_threads() -> int:
    """Return how many cores the networks use by default: all but one, 1 to 4."""
    return max(1, min(4, (os.cpu_count() or 1) - 1))


def paced(source: Source, realtime: bool | None) -> Source:
    """Return *source*, played at its own speed if *realtime* says so, or if it is the demo."""
    wanted = realtime if realtime is not None else source.name.startswith("demo")
    return PacedSource(source) if wanted and not source.live else source


def pins_note(pins: Pins, devices: tuple[PinOutput, ...]) -> str:
    """Return a sentence that says which pins are driven, and plainly so when they are not real."""
    where = " and ".join(f"{device.name} on GPIO {device.pin}" for device in devices)
    if not pins.mock:
        return f"Real pins through {pins.why}: {where}."
    return f"No real pins ({pins.why}): {where} are gpiozero's mock pins and make no sound."


def written(film: Film | None, log: EventLog | None) -> list[str]:
    """Return the paths of what was really and wholly written."""
    paths = [film.path] if film is not None and film.written else []
    return paths + ([log.path] if log is not None and log.written else [])


def model_words(model: ModelFile) -> str:
    """Return *model*'s name, version and the start of its checksum."""
    return f"{model.card.name} {model.card.version} ({model.sha256[:12]})"


def summarise(
    outcome: Outcome,
    *,
    source: str,
    models: tuple[str, ...],
    runtime: str,
    threads: int,
    devices: tuple[PinOutput, ...],
    note: str,
    written: list[str],
) -> Summary:
    """Return the summary of *outcome* with what the run was made of."""
    values = {
        name: getattr(outcome, name)
        for name in Outcome.__dataclass_fields__
        if name != "error"
    }
    return Summary(
        **values,
        source=source,
        models=models,
        runtime=runtime,
        threads=threads,
        pins=tuple(PinRecord(d.name, d.pin, d.history) for d in devices),
        pins_note=note,
        written=tuple(written),
    )
