"""The arrows between the rooms, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("edge", "train", "convert")

# What runs on a device and what is taught on a workstation share these, and nothing else.
SHARED = (
    "edge.__version__", "edge.errors", "edge.files", "edge.modelfile", "edge.quiet", "edge.rim",
    "edge.vision",
)
# The studio shows the device's own decision, its drawing and its built-in scene.
SHOWN = (
    "edge.camera.demo", "edge.camera.portrait", "edge.gate", "edge.report.events.sureness",
    "edge.report.overlay",
)
# Looks are measured on films, with the settings that the gate takes from the models' cards.
MEASURED = (
    "edge.camera.files", "edge.config.default_config", "edge.gate", "edge.networks.gate_settings",
)
# It releases a model with what wrote it, and signs it as a gate wants it.
RELEASING = ("convert.cardtext", "convert.modelwriter", "convert.release", "edge.modelstore.keys")
# The readers of data sets, the layer that a detector's .keras file is built of, and which faces
# each of its scales is taught.
TAUGHT = ("train.data", "train.detector.network", "train.detector.targets")
ALLOWED = {
    "edge": ("edge",),
    "train": ("train", *SHARED),
    "train/evaluate": ("train", *SHARED, *MEASURED),
    "train/studio": ("train", *SHARED, *SHOWN, *RELEASING),
    "convert": ("convert", *SHARED, *TAUGHT),
    "edge/vision": ("edge.vision", "edge.errors", "edge.modelfile", "edge.quiet"),
    "edge/camera": ("edge.camera", "edge.errors", "edge.quiet", "edge.vision"),
    "edge/gate": ("edge.gate", "edge.errors", "edge.vision.geometry"),
    # A broker is told of people, and which version tells it.
    "edge/alerts": (
        "edge.__version__", "edge.alerts", "edge.errors", "edge.files", "edge.gate.policy",
        "edge.report.events",
    ),
    "edge/board": ("edge.board",),
    # It tells what the loop does, in the words that a broker is told too.
    "edge/status": (
        "edge.__version__", "edge.alerts.board", "edge.camera", "edge.errors", "edge.files",
        "edge.gate", "edge.journal.evidence", "edge.report.events", "edge.service", "edge.status",
        "edge.vision.crop", "edge.watch",
    ),
    "edge/journal": (
        "edge.config.read_config", "edge.errors", "edge.files", "edge.journal",
        "edge.report.events", "edge.vision.crop",
    ),
    "edge/modelfile.py": (
        "edge.__version__", "edge.cardfields", "edge.errors", "edge.files",
    ),
    "edge/cardfields.py": ("edge.errors",),
    "edge/errors.py": (),
}
WIDER = ("train/evaluate", "train/studio")
NEVER_ON_A_DEVICE = ("tensorflow", "keras", "torch", "jax", "matplotlib", "tqdm", "flatbuffers")
# scikit-image brings the demo scene's portrait; it is an extra, imported when that is shown.
ONLY_WHEN_NEEDED = (*NEVER_ON_A_DEVICE, "skimage", "train", "convert")


def sources(place: str) -> list[Path]:
    path = ROOT / place
    if path.is_file():
        return [path]
    # A room with an arrow of its own is not held to that of the room around it.
    own = [ROOT / inner for inner in WIDER if inner != place and inner.startswith(f"{place}/")]
    return sorted(p for p in path.rglob("*.py") if not any(p.is_relative_to(o) for o in own))


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that *path* imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


@pytest.mark.parametrize("place", ALLOWED)
def test_a_room_imports_only_what_its_arrow_allows(place: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(place)
        for name in imports(path)
        if name.split(".")[0] in ROOMS and not within(name, ALLOWED[place])
    ]
    assert not wrong, "\n".join(wrong)


def test_the_device_names_no_training_library() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("edge")
        for name in imports(path)
        if name.split(".")[0] in NEVER_ON_A_DEVICE
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_of_the_device_imports_without_them() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources("edge")
        if path.name != "__main__.py"
    ]
    program = (
        "import importlib, sys\n"
        f"sys.modules.update(dict.fromkeys({ONLY_WHEN_NEEDED!r}))\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_models_hold_no_code() -> None:
    assert not list((ROOT / "models").rglob("*.py"))
