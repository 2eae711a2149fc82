"""The command ``maskgate``: what a person types, and what comes back when something is wrong."""

from __future__ import annotations

from typing import Any

import click

import edge
from edge.bench.command import bench
from edge.config_command import config
from edge.doctor.command import doctor
from edge.errors import EXIT_INTERRUPTED
from edge.journal.command import events
from edge.modelstore.command import model
from edge.off_command import off
from edge.rim import Number, Rim
from edge.signals import INTERRUPTED, Signals

_EXIT_CODES = """\b
Exit codes:
  0    done, or stopped by SIGTERM or SIGHUP in good order
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option or value that is not allowed
  3    a camera, video, folder or picture that cannot be read
  4    a model file that is missing, damaged or of another kind
  5    a pin, recording, event file or output that cannot be driven or written
{more}  130  stopped by Ctrl-C, in good order
"""
_MORE_CODES = """\
  8    model status: a model is on probation
  9    model status: a model was rolled back
  10   doctor --strict: warnings, and no failure
  11   doctor: something keeps the gate from its work
"""


@click.group(
    cls=Rim,
    epilog=_EXIT_CODES.format(more=_MORE_CODES),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    edge.__version__, "--version", prog_name="maskgate", message="%(prog)s %(version)s"
)
def main() -> None:
    """A box at a shop door that sees who wears no mask, and makes that heard and seen."""


@main.command(epilog=_EXIT_CODES.format(more=""), short_help="Watch a source and sound the alarm.")
@click.option(
    "--config",
    metavar="FILE",
    envvar="MASKGATE_CONFIG",
    help="Go by this configuration; options given here go before it, and SIGHUP reads it again, "
    "but for a run that is recorded, which it ends. "
    "'maskgate config default' prints one to begin with. The default is MASKGATE_CONFIG, and "
    "without that none.",
)
@click.option(
    "--source",
    metavar="URI",
    help="Where pictures come from: the path of a picture, a video or a folder of pictures, "
    "v4l2:///dev/video0 or just 0 for a camera, picamera2://0 on a Raspberry Pi, csi://0 on a "
    "Jetson, rtsp://... for a network camera, or demo:, the built-in scene. "
    "The default is demo:.",
)
@click.option(
    "--wait-for-camera",
    is_flag=True,
    default=None,
    help="Wait for a camera that is not there at the start, as is right for a service. "
    "The default is to end with code 3.",
)
@click.option(
    "--record",
    metavar="FILE",
    help="Write the annotated video to this .mp4 or .avi file. The default is not to record.",
)
@click.option(
    "--events",
    metavar="FILE",
    help="Write what happens as JSON lines to this file; with - to standard output, and "
    "everything else to standard error. The default is not to write them.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as JSON. The default is a text."
)
@click.option(
    "--quiet", is_flag=True, help="Print only the summary. The default is to tell what happens."
)
@click.option(
    "--realtime/--as-fast-as-possible",
    default=None,
    help="Play a file at its own speed, as a camera would deliver it, or without waiting. "
    "The default is real time for demo: and as fast as possible for files and folders.",
)
@click.option(
    "--max-frames",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after this many frames. The default is not to stop.",
)
@click.option(
    "--seconds",
    type=Number(min=0, min_open=True),
    metavar="S",
    help="Stop after this much of the source's time. The default is not to stop.",
)
@click.option(
    "--detector",
    metavar="FILE",
    help="The face detector's model file. The default is the released one.",
)
@click.option(
    "--classifier",
    metavar="FILE",
    help="The mask classifier's model file. The default is the released one.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 16),
    metavar="N",
    help="How many processor cores the networks may use, 1 to 16. "
    "The default leaves one core free and uses at most 4.",
)
@click.option(
    "--min-face",
    metavar="SIZE",
    help="A smaller face is too far away. Pixels of its shorter side, 8 to 2000: nobody is "
    "judged by fewer. Or its longer side as a share of the picture's, such as 8% (1% to 90%): "
    "nobody smaller counts, such as passers-by in the street. The default is 20.",
)
@click.option(
    "--zone",
    metavar="SHARES",
    help="Only who stands here counts: left,top,right,bottom, or corners 'x,y x,y x,y', in "
    "shares of the picture from its top left, such as 0.2,0,0.8,1. A person is where the middle "
    "of the face's lower edge is. The default is the whole picture.",
)
@click.option(
    "--max-alarm",
    type=click.FloatRange(1, 3600),
    metavar="S",
    help="An alarm ends after so many seconds even if the person stays, 1 to 3600. "
    "The default is 30.",
)
@click.option(
    "--cool-down",
    type=click.FloatRange(0, 3600),
    metavar="S",
    help="For so many seconds after an alarm ended, that person does not ring again, nor does "
    "one who appears where that person was lost, 0 to 3600. The default is 5.",
)
@click.option(
    "--quiet-hours",
    metavar="HH:MM-HH:MM",
    help="Between these times of the day, over midnight too, there is no sound; lights are as "
    "always. Local time. The default is none.",
)
@click.option(
    "--buzzer-pin",
    type=click.IntRange(2, 27),
    metavar="PIN",
    help="The buzzer's GPIO by its BCM number, 2 to 27. The default is 17.",
)
@click.option(
    "--led-pin",
    type=click.IntRange(2, 27),
    metavar="PIN",
    help="The LED's GPIO by its BCM number, 2 to 27. The default is 27.",
)
@click.option(
    "--no-pins",
    is_flag=True,
    help="Drive gpiozero's mock pins, even on a board with real ones. "
    "The default is real pins where there are any; GPIOZERO_PIN_FACTORY is honoured.",
)
def run(**options: Any) -> int:
    """Watch a source, judge the people in it, and sound the alarm for those without a mask.

    A picture is shown for 1.5 seconds, as if someone stood still before the camera, because
    nobody is judged by a single look. Every picture of a folder is a scene of its own;
    folder:PATH?fps=25 makes them one film.
    """
    # Loaded only now, so that --help and --version answer at once.
    from edge.commands import run_gate

    # A film has one beginning and one size, so that one is not taken over into another set-up.
    reloads = options["config"] is not None and options["record"] is None
    with Signals(reloads=reloads) as signals:
        run_gate(options, signals)
    return EXIT_INTERRUPTED if signals.reason == INTERRUPTED else 0


main.add_command(bench)
main.add_command(config)
main.add_command(doctor)
main.add_command(events)
main.add_command(model)
main.add_command(off)
