"""The mask classifier: probabilities per face, from crops cut as the card says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.errors import ModelError
from edge.modelfile import LABELS, ModelFile
from edge.vision.classifier import MaskClassifier, softmax
from tests.networks import COLORS


def scene() -> tuple[np.ndarray, np.ndarray]:
    image = np.full((120, 300, 3), 128, np.uint8)
    boxes = []
    for place, label in enumerate(LABELS):
        left = 10 + 100 * place
        image[10:110, left : left + 80] = COLORS[label]
        boxes.append((left + 20, 40, left + 60, 80))
    return image, np.array(boxes, np.float32)


def test_each_face_is_judged_by_its_own_crop(classifier_file: ModelFile) -> None:
    image, boxes = scene()
    answers = MaskClassifier(classifier_file).probabilities(image, boxes)
    assert answers.shape == (3, 3) and answers.dtype == np.float32
    assert answers.argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)


def test_no_face_gives_no_answer(classifier_file: ModelFile) -> None:
    image, _ = scene()
    classifier = MaskClassifier(classifier_file)
    assert classifier.probabilities(image, np.zeros((0, 4), np.float32)).shape == (0, 3)
    assert classifier.labels == LABELS


def test_a_higher_temperature_makes_it_less_sure(classifier_file: ModelFile) -> None:
    image, boxes = scene()
    card = replace(classifier_file.card, decision={"temperature": 4.0})
    mild = replace(classifier_file, card=card)
    sure = MaskClassifier(classifier_file).probabilities(image, boxes)
    less = MaskClassifier(mild).probabilities(image, boxes)
    assert (less.max(axis=1) < sure.max(axis=1)).all()
    assert (less.argmax(axis=1) == sure.argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": LABELS[:2]}, "one tensor 'logits'"),
        ({"decision": {"temperature": 0.0}}, "temperature"),
        ({"kind": "face-detector"}, "mask-classifier is needed"),
    ],
)
def test_a_card_that_does_not_fit_its_network_is_refused(
    classifier_file: ModelFile, changes: dict, says: str
) -> None:
    wrong = replace(classifier_file, card=replace(classifier_file.card, **changes))
    with pytest.raises(ModelError, match=says):
        MaskClassifier(wrong)


def test_another_input_size_than_the_card_says_is_refused(classifier_file: ModelFile) -> None:
    spec = replace(classifier_file.card.input, width=48, height=48)
    wrong = replace(classifier_file, card=replace(classifier_file.card, input=spec))
    with pytest.raises(ModelError, match="48x48"):
        MaskClassifier(wrong)


logits = arrays(np.float32, (4, 3), elements=st.floats(-100, 100, width=32))


@given(logits, st.floats(0.05, 20))
def test_softmax_sums_to_one_and_keeps_the_order(values: np.ndarray, temperature: float) -> None:
    answers = softmax(values, temperature)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-4)
    best = values.argmax(axis=1)
    assert (answers[np.arange(4), best] >= answers.max(axis=1) - 1e-6).all()


def test_a_temperature_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        softmax(np.zeros(3, np.float32), 0)
