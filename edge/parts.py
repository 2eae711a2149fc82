"""What a gate is made of, from one configuration to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.alerts.mqtt import MqttOutput
from edge.alerts.outputs import Outputs
from edge.alerts.pins import Pins
from edge.alerts.player import PinOutput
from edge.camera.frame import Source
from edge.journal.journal import Journal
from edge.journal.pictures import Pictures
from edge.networks import Networks
from edge.room import Room

if TYPE_CHECKING:
    from edge.status.page import StatusPage


@dataclass(frozen=True, slots=True)
class Shown:
    """What the gate shows itself by: all *outputs*, and those that are asked for by themselves."""

    pins: Pins
    devices: tuple[PinOutput, ...]
    broker: MqttOutput | None
    outputs: Outputs


@dataclass(frozen=True, slots=True)
class Parts:
    """What one stretch of work is done with, from one configuration to the next."""

    source: Source
    networks: Networks
    journal: Journal
    pictures: Pictures
    room: Room
    shown: Shown
    page: StatusPage | None
