"""``maskgate run``: from what was typed to a gate at work, and to what is printed about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from edge.config import Config, default_config, overridden, read_config, reread
from edge.errors import MaskgateError
from edge.gatekeeper import Gatekeeper
from edge.kept import Kept
from edge.parts import Parts
from edge.report.summary import summary_text, summary_values
from edge.service import Outcome
from edge.signals import Signals, Stopped
from edge.targets import check_targets

_RELOAD = "to take over a changed configuration"


def run_gate(options: Mapping[str, Any], signals: Signals) -> None:
    """Run the gate with the *options* of ``maskgate run`` until it ends or *signals* says why.

    A SIGHUP lets it read the configuration again.  Prints what happens and the summary.
    Raises MaskgateError for what is wrong with the options, the models, the source or the
    outputs; the summary is printed all the same once the gate was at work.
    """
    # Standard output belongs to whoever reads the events from it.
    aside = options["events"] == "-"

    def say(text: str) -> None:
        if not options["quiet"]:
            click.echo(text, err=aside or options["as_json"])

    def warn(text: str) -> None:
        click.echo(f"maskgate: {text}", err=True)

    config = starting_config(options)
    check_targets(
        config.camera.source,
        {f"--{name}": options[name] for name in ("record", "events")},
        {
            "--detector": config.models.detector or None,
            "--classifier": config.models.classifier or None,
        },
    )
    if options["source"] is None and options["config"] is None:
        say("No --source is given, so this is the built-in scene (--source demo:).")
    reopened = adjusted = 0
    outcome: Outcome | None = None
    with Kept() as kept:
        keeper = Gatekeeper(kept, options, say, warn, signals.at_once)
        try:
            parts = keeper.open(config)
            keeper.started(parts.source)
            while True:
                say(f"Watching {parts.source.name}")
                say(keeper.pins_note(parts))
                wish = _Wish(options, config, signals, keeper)
                outcome = keeper.work(parts, config, wish.stop)
                config, adjusted = wish.running, adjusted + wish.adjustments
                if outcome.ended != _RELOAD or outcome.error is not None:
                    break
                config, parts, taken = _taken_over(keeper, config, wish.config)
                reopened += taken
            keeper.stopped(outcome)
        except Stopped:
            if outcome is None:
                say(f"Nothing was watched: {signals.reason}.")
                return
            # Another camera was being opened; what the gate did before is told as ever.
            outcome = replace(outcome, ended=signals.reason)
            keeper.stopped(outcome)
        except MaskgateError:
            raise
        except Exception:
            # That updates were not ended in good order is how the next start knows of a crash.
            kept.abandon("networks")
            raise
        finally:
            keeper.close()
    remarks = (_reload_words(adjusted, reopened),) if adjusted or reopened else ()
    summary = keeper.summary(parts, config, outcome, remarks)
    if options["as_json"]:
        text = json.dumps(summary_values(summary), ensure_ascii=False, indent=2)
    else:
        text = ("" if options["quiet"] else "\n") + summary_text(summary)
    click.echo(text, err=aside)
    if outcome.error is not None:
        raise outcome.error


def starting_config(options: Mapping[str, Any]) -> Config:
    """Return the configuration that *options* name, with those that were given before it.

    Raises UsageError for what is wrong with either.
    """
    path = options["config"]
    return overridden(default_config() if path is None else read_config(path), options)


class _Wish:
    """Why to stop: what *signals* say, or another configuration, which is then *config*.

    *running* is the one at work: that of the beginning, or what was taken over since without
    stopping, *adjustments* times.
    """

    def __init__(
        self, options: Mapping[str, Any], config: Config, signals: Signals, keeper: Gatekeeper
    ) -> None:
        self.config = self.running = config
        self.adjustments = 0
        self._options = options
        self._signals = signals
        self._keeper = keeper

    def stop(self) -> str:
        if self._signals.reason or not self._signals.reload_asked():
            return self._signals.reason
        self._keeper.manager.reloading()
        found = reread(self._options["config"], self.config, self._options)
        if found.error:
            self._keeper.refused(found.error)
        elif found.changed:
            self.config = found.config
            if not self._keeper.adjust(self.running, found.config):
                self._keeper.hand_on()
                return _RELOAD
            self._keeper.reloaded(self.running, found.config)
            self.running = found.config
            self.adjustments += 1
        else:
            self._keeper.unchanged()
        self._keeper.manager.ready()
        return ""


def _taken_over(keeper: Gatekeeper, before: Config, after: Config) -> tuple[Config, Parts, bool]:
    """Return the configuration and the parts to go on with, and whether they are the new ones.

    Raises MaskgateError when not even the old ones can be had any more.
    """
    try:
        parts = keeper.open(after)
    except MaskgateError as error:
        keeper.refused(str(error))
        return before, keeper.open(before), False
    keeper.reloaded(before, after)
    return after, parts, True


def _reload_words(adjusted: int, reopened: int) -> str:
    count = adjusted + reopened
    times = "once" if count == 1 else f"{count} times"
    since = "; the figures are those since the gate was last put together anew" if reopened else ""
    return f"the configuration was taken over anew {times}{since}"
