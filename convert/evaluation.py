"""What ``python -m train evaluate`` measured, checked to be of the file whose card tells it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.measures import check_measures
from convert.record import read_json
from edge.errors import UsageError
from edge.modelfile import Kind, ModelFile

_TOLD_BY: Mapping[str, str] = {
    "confusion": "mask-classifier", "ranges": "face-detector", "close_faces": "pair",
}
_COMMANDS: Mapping[Kind, str] = {"mask-classifier": "classifier", "face-detector": "detector"}


def read_evaluation(path: Path, model: ModelFile) -> dict[str, Any]:
    """Return the figures in *path*, which is JSON, that are to stand on the card of *model*.

    Raises UsageError when they are of another kind of network, of another file (where they name
    the SHA-256 of theirs), or nothing that a card could print.
    """
    tree = read_json(path)
    kind = model.card.kind
    found = tree.get("kind") or next((_TOLD_BY[key] for key in _TOLD_BY if key in tree), None)
    advice = (
        f"give what `python -m train evaluate {_COMMANDS[kind]} --model {model.path} --json FILE` "
        "wrote"
    )
    if found != kind:
        what = f"an evaluation of a {found}" if found else "no evaluation"
        raise UsageError(f"{path} is {what}, {model.path} is a {kind}; {advice}")
    digest = tree.get("sha256")
    if digest is not None and digest != model.sha256:
        raise UsageError(
            f"{path} was measured on a file with SHA-256 {digest}, {model.path} has "
            f"{model.sha256}; {advice}"
        )
    check_measures(tree, str(path))
    return tree
