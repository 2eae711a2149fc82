"""Model files: a good one is read, and every bad one gives one clear line."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EXIT_MODEL, ModelError
from edge.modelfile import (
    CARD_NAME,
    LABELS,
    RELEASED_NAMES,
    ModelFile,
    parse_card,
    read_model,
    released_model,
)
from tests.networks import card_of

FLATBUFFER = b"\x1c\x00\x00\x00TFL3" + bytes(56)


def tree(kind: str = "mask-classifier", **changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(dataclasses.asdict(card_of(kind)))), **changes}


def file_with(card: str | bytes, network: bytes = FLATBUFFER, name: str = CARD_NAME) -> bytes:
    content = io.BytesIO(network)
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr(name, card)
    return content.getvalue()


def refusal(path: Path, content: bytes | None, kind: Any = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_model(path, kind)
    message = str(caught.value)
    assert path.name in message and "\n" not in message
    assert caught.value.exit_code == EXIT_MODEL
    return message


def test_a_written_card_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "door.tflite"
    path.write_bytes(file_with(json.dumps(tree())))
    model = read_model(path, "mask-classifier")
    assert model.card == card_of("mask-classifier")
    assert len(model.sha256) == 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"TFL", "not a TensorFlow Lite file"),
        (bytes(range(256)) * 8, "not a TensorFlow Lite file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "not a TensorFlow Lite file"),
        (file_with(b"x", network=b""), "not a TensorFlow Lite file"),
        (FLATBUFFER, "no maskgate card"),
        (file_with(b"x", name="labels.txt"), "no maskgate card"),
        (file_with(json.dumps(tree()))[:-30], "cut short or damaged"),
        (file_with(b"\xff\xfe"), "not UTF-8"),
        (file_with("{"), "not JSON"),
        (file_with("[]"), "not a JSON object"),
        (file_with("[" * 100_000), "not JSON"),
        (file_with(" " * (1024 * 1024 + 1)), "at most"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    assert says in refusal(tmp_path / "door.tflite", content)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    assert "cannot read" in refusal(tmp_path / "models", None)


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe or a device" in refusal(tmp_path / "pipe", None)
    assert "pipe or a device" in refusal(Path("/dev/zero"), None)


def test_a_video_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "film.tflite"
    with path.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    assert "67 MB" in refusal(path, None) or "68 MB" in refusal(path, None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "cat-detector"}, "'cat-detector'"),
        ({"kind": None}, "no kind"),
        ({"format": 2}, "update maskgate"),
        ({"format": True}, "format"),
        ({"minimum_maskgate": "99.0.0"}, "needs maskgate 99.0.0"),
        ({"minimum_maskgate": "soon"}, "'soon'"),
        ({"version": -1}, "version = -1"),
        ({"labels": ["mask", "bare"]}, "['mask', 'bare']"),
        ({"labels": ["with_mask", "with_mask", "without_mask"]}, "labels"),
        ({"labels": "with_mask"}, "list of texts"),
        ({"crop_margin": None}, "no crop_margin"),
        ({"crop_margin": 7}, "0 to 2"),
        ({"decision": {"temperature": "hot"}}, "decision.temperature = 'hot'"),
        ({"decision": {"temperature": float("nan")}}, "finite"),
        ({"decision": {"temperature": 10**400}}, "smaller"),
        ({"decision": {"temperature": 0}}, "decision.temperature = 0.0; a number above 0"),
        ({"decision": {"score_threshold": 1}}, "decision.score_threshold = 1.0; a number above"),
        ({"decision": {"nms_iou": -0.1}}, "decision.nms_iou = -0.1; a number above 0 and below 1"),
        ({"decision": {"prior_with_mask": 0}}, "decision.prior_with_mask = 0.0; a number above 0"),
        ({"decision": {"prior_with_mask": 1.5}}, "and at most 1 is needed"),
        ({"input": {}}, "no input."),
        ({"input": {**tree()["input"], "width": 0}}, "input.width = 0"),
        ({"input": {**tree()["input"], "std": 0}}, "above 0"),
        ({"input": {**tree()["input"], "color": "yuv"}}, "'rgb' or 'bgr'"),
        ({"self_test": {"seed": 1, "inputs": 2, "outputs": {"logits": [[1]]}}}, "2 rows"),
        ({"self_test": {"seed": 1, "inputs": 1, "outputs": {"logits": [[1]]}, "tolerance": 2,
                        "pictures": "cats"}}, "pictures = 'cats'; 'blocks' or 'faces'"),
        ({"metrics": []}, "metrics = []"),
    ],
)
def test_a_wrong_card_is_refused_by_field_and_value(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    content = file_with(json.dumps(tree(**changes)))
    assert says in refusal(tmp_path / "door.tflite", content)


def test_another_kind_is_refused(tmp_path: Path) -> None:
    content = file_with(json.dumps(tree("face-detector")))
    says = refusal(tmp_path / "door.tflite", content, "mask-classifier")
    assert "is a face-detector, but a mask-classifier is needed" in says


def test_a_network_without_incorrect_mask_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.tflite"
    path.write_bytes(file_with(json.dumps(tree(labels=list(LABELS[:2])))))
    assert read_model(path).card.labels == LABELS[:2]


def test_damage_to_the_network_is_found(classifier_file: ModelFile, tmp_path: Path) -> None:
    content = bytearray(classifier_file.path.read_bytes())
    content[len(content) // 3] ^= 0x40
    assert "damaged" in refusal(tmp_path / "door.tflite", bytes(content))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_model_cut_short_anywhere_is_refused(
    classifier_file: ModelFile, tmp_path: Path, share: float
) -> None:
    content = classifier_file.path.read_bytes()
    refusal(tmp_path / "door.tflite", content[: int(len(content) * share)])


@given(st.binary(max_size=300))
def test_any_bytes_after_the_identifier_give_a_model_error(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "door.tflite"
    path.write_bytes(FLATBUFFER + b"PK\x03\x04" + tail + b"PK\x05\x06" + bytes(18))
    with pytest.raises(ModelError):
        read_model(path)


words = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(tree())), json_values)
def test_any_value_in_a_card_is_read_or_refused(key: str, value: Any) -> None:
    try:
        parse_card(json.dumps(tree(**{key: value})), "door.tflite")
    except ModelError as error:
        assert "door.tflite" in str(error)


def test_the_released_model_is_looked_up_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKGATE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="MASKGATE_MODELS"):
        released_model("face-detector")
    path = tmp_path / RELEASED_NAMES["face-detector"]
    path.write_bytes(b"x")
    assert released_model("face-detector") == path
