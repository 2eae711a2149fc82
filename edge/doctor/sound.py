"""Sound: aplay, a card, and files that can be played."""

from __future__ import annotations

import re
import time
from pathlib import Path

from edge.alerts.aplay import Aplay, Sound, file_sound
from edge.alerts.sound import SoundSettings
from edge.alerts.tones import tone_seconds, tone_wav
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.errors import MaskgateError, OutputError
from edge.gate.policy import GateState

_CARD = re.compile(r"^card \d+: (.*?), device", re.MULTILINE)
_LONGEST = 10.0  # seconds


def check_sound(ctx: Context) -> Finding:
    """The program, the card and the owner's files; with --outputs, a tone to be heard."""
    settings = ctx.settings().sound
    if not settings.enabled:
        return skipped("sound is not switched on ([sound] enabled)")
    listed = ctx.ask(("aplay", "-l"), 5.0)
    if listed.code is None:
        return failure(listed.why, "sudo apt install alsa-utils")
    cards = _CARD.findall(listed.text)
    if not cards:
        return failure("there is no sound card", "plug one in, and look at: aplay -l")
    parts = [ok(f"cards: {', '.join(cards)}"), _device(ctx, settings), *_files(settings)]
    if ctx.wishes.outputs:
        parts.append(_play(ctx, settings))
    return together(*parts)


def _device(ctx: Context, settings: SoundSettings) -> Finding:
    names = [
        line.strip() for line in ctx.ask(("aplay", "-L"), 5.0).text.splitlines()
        if line and not line[0].isspace()
    ]
    # By number, as hw:0,0, aplay lists none.
    if settings.device in names or re.fullmatch(r"(plug)?hw:\d+(,\d+)*", settings.device):
        return ok(f"the device is {settings.device}")
    return warning(
        f"the device {settings.device!r} is not among those that aplay -L lists",
        f"set [sound] device to one of: {', '.join(names[:6]) or 'none are listed'}",
    )


def _files(settings: SoundSettings) -> list[Finding]:
    if not settings.folder:
        return []
    folder = Path(settings.folder).expanduser()
    parts = []
    for state in settings.states:
        try:
            found = file_sound(folder / f"{state}.wav")
        except OutputError as error:
            parts.append(warning(f"{error}", "a tone is played in its place"))
            continue
        if found is None:
            parts.append(ok(f"{state} has a tone"))
        elif found.seconds is not None and found.seconds > settings.max_seconds:
            parts.append(warning(
                f"{found.name} is {found.seconds:.0f} s long and is cut after "
                f"{settings.max_seconds:g} s", "give a shorter one",
            ))
        else:
            parts.append(ok(f"{state} is {found.name}"))
    return parts


def _play(ctx: Context, settings: SoundSettings) -> Finding:
    state = GateState.PASS
    tone = Sound("the tone", tone_wav(state, settings.volume), tone_seconds(state))
    ctx.say(f"now: sound on {settings.device}, a short tone")

    def meant(seconds: float) -> bool:
        ctx.sleep(seconds)
        return True

    try:
        Aplay(settings.device, _LONGEST, time.monotonic).play(tone, meant)
    except MaskgateError as error:
        return failure(str(error))
    return ok("a tone was played")
