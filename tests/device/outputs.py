"""What the released networks answer to pictures from a seed, as one digest for each network.

Runs on the workstation, under qemu-user and on the board alike, with nothing but maskgate.
"""

from __future__ import annotations

import hashlib
import json

from edge.modelfile import RELEASED_NAMES, read_model, released_model
from edge.vision.interpreter import Network
from edge.vision.selftest import run_self_test
from edge.vision.selftest_pictures import self_test_images

SEED, PICTURES = 7, 6


def answers() -> dict[str, dict[str, object]]:
    """Return network -> the digest of all outputs, how many differ, how far they are off.

    *off* is the largest difference from the answers in the model's self-test, in int8 steps.
    """
    found: dict[str, dict[str, object]] = {}
    for kind in RELEASED_NAMES:
        model = read_model(released_model(kind), kind)
        network = Network.from_model(model, 1)
        whole, each = hashlib.sha256(), set()
        drawn = model.card.self_test.pictures
        for image in self_test_images(model.card.input, SEED, PICTURES, drawn):
            raw = network.run_raw(image)
            content = b"".join(raw[tensor][0].tobytes() for tensor in sorted(raw))
            whole.update(content)
            each.add(content)
        found[kind] = {
            "sha256": whole.hexdigest(), "different": len(each), "off": run_self_test(model),
        }
    return found


if __name__ == "__main__":
    print("ANSWERS " + json.dumps(answers()))
