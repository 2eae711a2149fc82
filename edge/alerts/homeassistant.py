"""What Home Assistant has to be told so that a gate shows up there by itself, as one device.

This is MQTT discovery with one payload for the device and all its entities, which needs Home
Assistant 2024.12 or later: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

import json
import re

from edge.alerts.board import VERDICTS
from edge.gate.policy import GateState

_COUNTS = {
    "mask": ("People with mask today", "mdi:face-mask"),
    "no_mask": ("People without mask today", "mdi:face-man"),
    "incorrect": ("People with mask worn wrong today", "mdi:face-mask-outline"),
    "unsure": ("People not judged today", "mdi:account-question"),
    "alarms": ("Alarms today", "mdi:bell-ring"),
}


def discovery_topic(prefix: str, gate: str) -> str:
    """Return the topic on which the gate called *gate* is announced."""
    return f"{prefix}/device/{object_id(gate)}/config"


def birth_topic(prefix: str) -> str:
    """Return the topic on which Home Assistant says ``online`` when it has started."""
    return f"{prefix}/status"


def object_id(gate: str) -> str:
    """Return the name under which Home Assistant knows *gate*: letters, digits, ``_`` and ``-``."""
    return "maskgate_" + re.sub(r"[^A-Za-z0-9_-]", "_", gate)


def discovery(base: str, gate: str, title: str, version: str) -> str:
    """Return the announcement, JSON, of *gate*, whose topics begin with *base*.

    *title* is what people call the gate; *version* is maskgate's.
    """
    device = object_id(gate)
    parts: dict[str, dict[str, object]] = {
        "state": {
            "p": "sensor",
            "name": "State",
            "device_class": "enum",
            "options": [state.value for state in GateState],
            "icon": "mdi:gate",
            "state_topic": f"{base}/state",
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": f"{base}/state",
            "json_attributes_template": "{{ {'muted': value_json.muted} | tojson }}",
        },
        "alarm": {
            "p": "binary_sensor",
            "name": "Alarm",
            "device_class": "safety",
            "state_topic": f"{base}/state",
            "value_template": _on_in(GateState.ALARM),
        },
        "camera_fault": {
            "p": "binary_sensor",
            "name": "Camera fault",
            "device_class": "problem",
            "state_topic": f"{base}/state",
            "value_template": _on_in(GateState.CAMERA_FAULT),
            "json_attributes_topic": f"{base}/state",
            "json_attributes_template": "{{ {'fault': value_json.fault} | tojson }}",
        },
        "last_verdict": {
            "p": "sensor",
            "name": "Last verdict",
            "device_class": "enum",
            "options": list(VERDICTS),
            "icon": "mdi:face-recognition",
            "state_topic": f"{base}/verdict",
            "value_template": "{{ value_json.verdict }}",
            "json_attributes_topic": f"{base}/verdict",
            # Two people without a mask, one after the other, are two pieces of news.
            "force_update": True,
        },
        **{
            name: {
                "p": "sensor",
                "name": words,
                "state_class": "total_increasing",
                "icon": icon,
                "state_topic": f"{base}/people",
                "value_template": f"{{{{ value_json.{name} }}}}",
                # Most who are not judged only passed by.
                **({"enabled_by_default": False} if name == "unsure" else {}),
            }
            for name, (words, icon) in _COUNTS.items()
        },
        "model": {
            "p": "sensor",
            "name": "Model",
            "entity_category": "diagnostic",
            "icon": "mdi:brain",
            "state_topic": f"{base}/health",
            "value_template": "{{ value_json.model }}",
        },
        "frames_per_second": {
            "p": "sensor",
            "name": "Frames per second",
            "entity_category": "diagnostic",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "icon": "mdi:speedometer",
            "state_topic": f"{base}/health",
            "value_template": "{{ value_json.frames_per_second }}",
        },
    }
    payload = {
        "dev": {
            "ids": [device],
            "name": title,
            "mf": "maskgate",
            "mdl": "Mask gate",
            "sw": version,
        },
        "o": {"name": "maskgate", "sw": version},
        "availability_topic": f"{base}/availability",
        "qos": 1,
        "cmps": {
            name: {**part, "unique_id": f"{device}_{name}"} for name, part in parts.items()
        },
    }
    return json.dumps(payload, ensure_ascii=False)


def _on_in(state: GateState) -> str:
    return f"{{{{ 'ON' if value_json.state == '{state.value}' else 'OFF' }}}}"
