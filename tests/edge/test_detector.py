"""The detector's shapes and arithmetic; the network itself is tested where it is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bench.scenes import make_scene
from edge.errors import ModelError
from edge.modelfile import read_model, released_model
from edge.vision.crop import resized
from edge.vision.detector import (
    STRIDES,
    Decoder,
    FaceDetector,
    Faces,
    candidates,
    decode_cells,
    gather_faces,
)
from edge.vision.letterbox import Letterbox, input_shape, letterbox

PIXELS = 384 * 288


@given(st.integers(16, 4000), st.integers(16, 4000))
def test_the_input_never_costs_more_than_it_should(width, height):
    across, down = input_shape(width, height, PIXELS)
    assert across % 32 == 0 and down % 32 == 0 and across * down <= PIXELS


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (384, 288)), ((480, 640), (288, 384)), ((1280, 720), (416, 256))],
)
def test_the_input_takes_the_shape_of_the_camera(size, expected):
    assert input_shape(*size, PIXELS) == expected


def test_an_input_without_a_cell_is_refused():
    with pytest.raises(ValueError, match="at least 1024"):
        input_shape(640, 480, 1000)


@given(st.integers(1, 300), st.integers(1, 300))
def test_a_letterboxed_picture_keeps_its_proportions(width, height):
    canvas, scale = letterbox(np.full((height, width, 3), 9, np.uint8), 64, 96)
    rows, columns = np.nonzero(canvas[:, :, 0] == 9)
    assert canvas.shape == (96, 64, 3)
    assert abs(columns.max() + 1 - max(1, width * scale)) <= 1
    assert abs(rows.max() + 1 - max(1, height * scale)) <= 1


@pytest.mark.parametrize("stride", STRIDES)
def test_a_cell_that_says_nothing_is_a_box_of_one_stride_around_its_middle(stride):
    here = np.array([2]), np.array([3])
    boxes, points = decode_cells(*here, stride, np.zeros((1, 4)), np.zeros((1, 10)))
    assert boxes[0].tolist() == [3 * stride, 2 * stride, 4 * stride, 3 * stride]
    assert (points == (np.array([3.5, 2.5]) * stride)).all()


def quiet_outputs(rows=6, columns=8):
    """Raw int8 outputs of a network that sees nothing: every score is the lowest."""
    outputs = {}
    for stride, cells in zip(STRIDES, (4, 2, 1), strict=True):
        shape = (1, rows * cells, columns * cells)
        outputs[f"score{stride}"] = (np.full((*shape, 1), -128, np.int8), 0.1, 20)
        outputs[f"box{stride}"] = (np.zeros((*shape, 4), np.int8), 0.05, 0)
        outputs[f"landmark{stride}"] = (np.zeros((*shape, 10), np.int8), 0.05, 0)
    return outputs


def test_a_network_that_sees_nothing_gives_no_face():
    found = gather_faces(candidates(quiet_outputs(), 0.5), 1.0, 256, 192, 0.45)
    assert len(found) == 0 and found.boxes.shape == Faces.none().boxes.shape


def test_one_cell_above_the_threshold_is_one_face_in_picture_pixels():
    outputs = quiet_outputs()
    outputs["score16"][0][0, 3, 5, 0] = 60
    found = gather_faces(candidates(outputs, 0.5), 0.5, 512, 384, 0.45)
    assert found.boxes.tolist() == [[160, 96, 192, 128]]
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-4.0)))


def test_neighbouring_cells_that_mean_one_face_are_one_face():
    outputs = quiet_outputs()
    outputs["score32"][0][0, 2, 2:4, 0] = (60, 80)
    outputs["box32"][0][0, 2, 2, 0] = 20
    found = gather_faces(candidates(outputs, 0.5), 1.0, 256, 192, 0.45)
    assert len(found) == 1 and found.scores[0] == pytest.approx(1 / (1 + np.exp(-6.0)))


@given(st.integers(-128, 127), st.floats(0.05, 0.95))
def test_a_face_counts_exactly_from_its_threshold(value, threshold):
    outputs = quiet_outputs()
    outputs["score8"][0][0, 0, 0, 0] = value
    score = 1 / (1 + np.exp(-(value - 20) * 0.1))
    found = candidates(outputs, threshold)
    if abs(score - threshold) > 1e-6:
            assert bool(len(found)) == (score > threshold)


def test_a_network_with_other_outputs_is_no_detector(detector_file, classifier_file):
    card = replace(detector_file.card, input=classifier_file.card.input)
    with pytest.raises(ModelError, match=r"its outputs are .*logits.*score8.*convert it again"):
        FaceDetector(replace(classifier_file, card=card))


def test_a_detector_without_a_threshold_is_refused(detector_file):
    card = replace(detector_file.card, decision={})
    with pytest.raises(ModelError, match=r"no decision\.score_threshold"):
        FaceDetector(replace(detector_file, card=card))


def test_a_detectors_own_outputs_are_accepted(detector_file):
    assert FaceDetector(detector_file).score_threshold == pytest.approx(0.5)


def test_a_face_found_in_the_small_picture_is_told_in_pixels_of_the_large_one():
    faces = Faces(
        np.array([[10, 20, 30, 50]], np.float32), np.ones(1, np.float32),
        np.full((1, 5, 2), 12, np.float32),
    ).enlarged(2, 3)
    assert faces.boxes.tolist() == [[20, 60, 60, 150]]
    assert faces.landmarks[0, 0].tolist() == [24, 36]
    assert Faces.none().enlarged(2, 3).boxes.shape == (0, 4)


def test_only_the_small_picture_is_looked_at_where_there_is_one(detector_file):
    detector = FaceDetector(detector_file, score_threshold=0.01)
    large = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
    small = np.ascontiguousarray(large[::4, ::4])
    alone = detector.detect(small)
    assert len(alone) > 0
    for picture in (large, np.zeros_like(large)):
        found = detector.detect(picture, small)
        assert np.array_equal(found.boxes, alone.boxes * 4)
        assert np.array_equal(found.landmarks, alone.landmarks * 4)
        assert np.array_equal(found.scores, alone.scores)


def test_a_letterboxed_picture_that_fits_is_not_copied():
    picture = np.zeros((96, 64, 3), np.uint8)
    canvas, scale = letterbox(picture, 64, 96)
    assert canvas is picture and scale == 1


def network_outputs(seed: int, busy: float, dtype: type = np.int8):
    """Outputs as LiteRT gives them, of which about *busy* of all cells score high."""
    dice = np.random.default_rng(seed)
    limits = np.iinfo(dtype)
    outputs = quiet_outputs(9, 12)
    for name, (values, scale, zero) in outputs.items():
        drawn = dice.integers(limits.min, limits.max + 1, values.shape).astype(dtype)
        if name.startswith("score"):
            drawn[dice.random(values.shape) >= busy] = limits.min
        outputs[name] = (drawn, scale, zero + limits.min + 128)
    return outputs


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("busy", [0.0, 0.01, 0.9])
@given(seed=st.integers(0, 2**16), threshold=st.floats(0.05, 0.95))
@settings(max_examples=15, deadline=None)
def test_the_decoder_says_what_the_plain_arithmetic_says_to_the_bit(dtype, busy, seed, threshold):
    outputs = network_outputs(seed, busy, dtype)
    about = {name: (raw.dtype, scale, zero) for name, (raw, scale, zero) in outputs.items()}
    plain = candidates(outputs, threshold)
    quick = Decoder(about, 12 * 32, 9 * 32, threshold).candidates(lambda name: outputs[name][0])
    assert np.array_equal(quick.boxes, plain.boxes)
    assert np.array_equal(quick.scores, plain.scores)
    assert np.array_equal(quick.landmarks, plain.landmarks)


@pytest.mark.parametrize("size", [(90, 40), (64, 96), (40, 90), (300, 250), (64, 20)])
def test_a_letterbox_used_again_shows_nothing_of_the_picture_before(size):
    width, height = size
    box = Letterbox(width, height, 64, 96)
    box.fit(np.full((height, width, 3), 250, np.uint8))
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(box.fit(picture), letterbox(picture, 64, 96)[0])


@pytest.mark.parametrize(
    ("detail", "picture", "looked_at"),
    [
        (1.0, (480, 640), (288, 384)),
        (1.8, (480, 640), (384, 512)),
        (2.8, (480, 640), (480, 640)),
        (1.8, (640, 480), (512, 384)),
        (1.8, (360, 640), (320, 576)),
    ],
)
def test_detail_is_how_many_times_the_pixels_are_looked_at(detail, picture, looked_at):
    detector = FaceDetector(read_model(released_model("face-detector")), detail=detail)
    detector.detect(np.zeros((*picture, 3), np.uint8))
    assert detector.network.shape == (*looked_at, 3)


def test_more_detail_is_surer_of_who_is_far_away():
    near = make_scene(1, (640, 480)).pictures[0]
    far = np.full_like(near, 127)
    far[200:296, 280:408] = resized(near, 128, 96)  # a face of 12 pixels

    def sure(detail):
        model = read_model(released_model("face-detector"))
        return FaceDetector(model, 1, 0.01, detail).detect(far).scores[0]

    assert sure(2.8) > sure(1.0) + 0.1
