"""The last steps of every conversion: parity report, verdict, proof, and the file itself."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convert.cardtext import card_text
from convert.graph import ends
from convert.modelwriter import assemble
from convert.parity import Bounds, ClassifierParity, DetectorParity
from convert.places import card_path, report_paths
from convert.tables import markdown_table
from edge.errors import ModelError, ParityError
from edge.files import check_writable, replaced, told_as, write_whole
from edge.modelfile import ModelCard, ModelFile, SelfTest, SelfTestPictures, read_model
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector
from edge.vision.interpreter import Network
from edge.vision.selftest import (
    MOST_TOLERANCE,
    run_self_test,
    sample_outputs,
)
from edge.vision.selftest_pictures import self_test_images

Parity = ClassifierParity | DetectorParity

SELF_TEST_SEEDS = range(20, 28)
# XNNPACK gives the same integers on x86-64 and arm64.  TensorFlow Lite's own kernels round
# differently, and what they differ by grows with a network's depth: it is measured, and twice
# as much is tolerated.
LEAST_TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a conversion writes: the model file, and the parity report, a path without ending."""

    model: Path
    report: Path
    notes: str = ""
    force: bool = False


def with_self_test(
    network: bytes, card: ModelCard, inputs: int, *, force: bool = False
) -> ModelCard:
    """Return *card* with what *network* answers here to *inputs* seeded pictures.

    A classifier is shown drawn faces, a detector blocks: the boxes it gives where there is no
    face are what runtimes differ in most, and before a drawn face they differ by three times as
    much.  Of several seeds the one is taken on which two runtimes agree best, so that a wrong one
    stands out; the tolerance comes from comparing them and covers every correct runtime.
    Raises ModelError when they differ by so much that no gate would take the model in, and,
    without *force*, when the network answers the same to every picture.
    """
    pictures: SelfTestPictures = "blocks" if card.kind == "face-detector" else "faces"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.tflite"
        path.write_bytes(network)
        usual = Network(path, card.input)
        plain = Network(path, card.input, plain_kernels=True)
        answers = {}
        for seed in SELF_TEST_SEEDS:
            images = self_test_images(card.input, seed, inputs, pictures)
            answers[seed] = sample_outputs(usual, images), sample_outputs(plain, images)
    gaps = {seed: _gap(*both) for seed, both in answers.items()}
    seed = min(gaps, key=lambda each: gaps[each])
    gap, outputs = gaps[seed], answers[seed][0]
    tolerance = max(LEAST_TOLERANCE, 2 * gap)
    if tolerance > MOST_TOLERANCE:
        raise ModelError(
            f"two runtimes differ by {gap} of 256 steps on this network, so that its self-test "
            f"would tolerate {tolerance}; a gate takes in {MOST_TOLERANCE} at most; train it on, "
            "or calibrate it on more data"
        )
    same = inputs > 1 and all(row == rows[0] for rows in outputs.values() for row in rows)
    if same and not force:
        raise ModelError(
            f"this network answers the same to all {inputs} pictures of its self-test, so that "
            "the test could not fail; train it on, or write it all the same with --force"
        )
    test = SelfTest(seed, inputs, outputs, float(tolerance), pictures)
    return dataclasses.replace(card, self_test=test)


def _gap(outputs: Mapping[str, Any], others: Mapping[str, Any]) -> int:
    return max(int(np.abs(np.subtract(outputs[name], others[name])).max()) for name in outputs)


def release(
    network: bytes,
    card: ModelCard,
    parity: Parity,
    bounds: Bounds,
    to: Destination,
    *,
    labelled: str | None,
) -> ModelFile:
    """Write the parity report, and the model file with its human-readable card; return the file.

    The file is loaded as a gate does and its self-test run before it is put in place, so that
    one that no gate takes never replaces a good one.  Raises ParityError, having written the
    report alone, when *parity* breaks *bounds* and ``to.force`` is not set; ModelError when a
    gate would refuse the file; OutputError, which names the path, when one cannot be written.
    Then neither model nor card is changed.
    """
    breaches = parity.breaches(bounds)
    forced = bool(breaches) and to.force
    _write_report(parity, bounds, breaches, card, to.report)
    if breaches and not to.force:
        raise ParityError(
            f"{to.model} was not written: {'; '.join(breaches)}; see "
            f"{report_paths(to.report)[0]}, calibrate on more data, or pass --force"
        )
    metrics = {**card.metrics, "parity": {**parity.as_dict(), "forced": forced}}
    card = dataclasses.replace(card, metrics=metrics)
    content = assemble(network, card, described(network), labelled)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / to.model.name
        with told_as("the trial", trial):
            trial.write_bytes(content)
        try:
            model = read_model(trial, card.kind)
            _load_as_a_gate(model)
        except ModelError as error:
            # Nobody finds the file of that trial again.
            raise ModelError(str(error).replace(str(trial), str(to.model))) from error
        text = card_text(model, notes=to.notes)
    _put_in_place(to.model, content, text)
    return dataclasses.replace(model, path=to.model)


def _load_as_a_gate(model: ModelFile) -> None:
    # A gate refuses more than a self-test does, such as outputs that are not one logit per label.
    (MaskClassifier if model.card.kind == "mask-classifier" else FaceDetector)(model)
    run_self_test(model)


def _put_in_place(model: Path, content: bytes, text: str) -> None:
    card = card_path(model)
    check_writable("--out", model, folders=True)
    with told_as("--out", model):
        model.parent.mkdir(parents=True, exist_ok=True)
        with replaced(model) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Inside, so that the model takes its place last: where its card cannot be written,
            # the old model stays, with the old card.
            with told_as("the card", card), replaced(card) as beside:
                beside.write(text.encode())


def described(network: bytes) -> Mapping[str, str]:
    """Return what each output of *network* means, by its name, in words for other tools."""
    meanings = {
        "logits": "one logit per label; softmax after division by the card's temperature",
        "score": "face logit per cell of {} pixels",
        "box": "dx, dy, log w, log h per cell, in units of {} pixels",
        "landmark": "x, y of five landmarks per cell, in units of {} pixels",
    }
    described = {}
    for name, _ in ends(network)[1]:
        stem = name.rstrip("0123456789")
        described[name] = meanings.get(stem, stem).format(name[len(stem) :])
    return described


def _write_report(
    parity: Parity, bounds: Bounds, breaches: list[str], card: ModelCard, path: Path
) -> None:
    tree: dict[str, Any] = {
        "model": card.name,
        "version": card.version,
        "passed": not breaches,
        "breaches": breaches,
        "bounds": dataclasses.asdict(bounds),
        "parity": parity.as_dict(),
    }
    markdown, machine = report_paths(path)
    with told_as("the report", machine):
        write_whole(machine, json.dumps(tree, indent=1) + "\n")
    verdict = f"Out of bounds: {'; '.join(breaches)}." if breaches else "Within the bounds."
    parts = [
        f"# Float against int8: {card.name}, version {card.version}",
        verdict,
        markdown_table(("on the validation split", "value", "bound"), parity.rows(bounds)),
        "## Worst cases",
        worst_table(parity) or "None.",
    ]
    with told_as("the report", markdown):
        write_whole(markdown, "\n\n".join(parts) + "\n")


def worst_table(parity: Parity) -> str:
    """Return the worst cases as a Markdown table; empty when there are none."""
    if not parity.worst:
        return ""
    head = tuple(parity.worst[0])
    return markdown_table(head, [[str(case[key]) for key in head] for case in parity.worst])
