"""Every page by Streamlit's own test harness: what it shows, asks, and refuses."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.modelfile import LABELS, read_model
from tests.edge.model_files import CLASSIFIER, make, released_version
from tests.train.making import face_rows, write_csv
from tests.train.studio_site import encoded, eventually, portrait
from tests.train.test_studio_bad_input import clip_of, png_bomb
from tests.train.test_studio_runs import METRICS, changed, run_in
from train.studio.jobs import checked_name, read_job, stop_job
from train.studio.promote import Wish, promote
from train.studio.relabel import read_rows
from train.studio.runs import argument
from train.studio.settings import VARIABLE, StudioSettings, settings_text

testing = pytest.importorskip("streamlit.testing.v1", reason="Streamlit is not installed")
Open = Callable[..., Any]


def _page(name: str) -> None:
    import importlib

    importlib.import_module(f"train.studio.views.{name}").page()


def opened_page(monkeypatch: pytest.MonkeyPatch, page: str, **given: Any) -> Any:
    """Return *page*, opened with the settings *given*."""
    monkeypatch.setenv(VARIABLE, settings_text(StudioSettings(**given)))
    return testing.AppTest.from_function(_page, args=(page,), default_timeout=60).run()


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a page with settings; its runs lie in ``runs``."""

    def opened(page: str, **given: Any) -> Any:
        own = {"runs": str(tmp_path / "runs"), "corrections": str(tmp_path / "own.csv")}
        return opened_page(monkeypatch, page, **{**own, **given})

    return opened


def words(app: Any) -> str:
    """Return all text on the page."""
    assert not app.exception, app.exception
    kinds = ("error", "warning", "info", "success", "caption", "markdown", "metric", "subheader")
    found = [f"{e.value} {getattr(e, 'label', '')}" for kind in kinds for e in getattr(app, kind)]
    found += [e.proto.body for e in app.get("html")]
    return "\n".join(found)


@pytest.mark.parametrize("page", ["look", "data", "runs", "compare", "gates"])
def test_an_empty_studio_says_on_every_page_what_to_do(studio: Open, page: str) -> None:
    text = words(studio(page))
    assert {
        "look": "Bring a picture", "data": "--data FOLDER", "runs": "start one under Train",
        "compare": "Two runs with results", "gates": "--gates gates.toml",
    }[page] in text


def test_a_picture_is_judged_and_its_faces_are_shown(studio: Open) -> None:
    app = studio("look")
    app.file_uploader[0].set_value(("me.jpg", encoded(portrait()), "image/jpeg"))
    text = words(app.run())
    assert "No mask" in text and "The small pictures are what the classifier was given" in text


def test_a_higher_threshold_leaves_the_face_out(studio: Open) -> None:
    app = studio("look")
    app.file_uploader[0].set_value(("me.jpg", encoded(portrait()), "image/jpeg"))
    app.run()
    app.slider(key="score").set_value(1.0).run()  # No network is that sure of a face.
    assert "No face to be seen here" in words(app)


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("bomb.png", png_bomb(50_000), "50000 x 50000 pixels"),
        ("clip.mp4", b"\0\0\0\x18ftypmp42" + b"x" * 99, "cannot be opened"),
        ("a/../b.jpg", b"x", "holds '/'"),
        ("x.jpg", b"GIF89a", "no picture that is allowed"),
    ],
)
def test_what_is_bad_is_refused_in_words_on_the_page(
    studio: Open, name: str, data: bytes, told: str
) -> None:
    app = studio("look")
    app.file_uploader[0].set_value((name, data, "application/octet-stream"))
    app.run()
    assert told in "".join(e.value for e in app.error).replace("\\", "")


def test_a_clip_is_told_person_by_person(studio: Open, tmp_path: Path) -> None:
    face = cv2.resize(portrait("with_mask"), (384, 384))
    app = studio("look")
    clip = clip_of([face] * 25, tmp_path)
    app.file_uploader[0].set_value(("clip.avi", clip, "video/x-msvideo"))
    text = words(app.run())
    assert "Person 1" in text and "Evidence over time" in text
    app.slider(key="looks").set_value(20).run()
    later = float(words(app).split("decided ")[1].split()[0])
    assert later > float(text.split("decided ")[1].split()[0])


def test_of_many_people_those_to_call_out_stand_first(studio: Open, tmp_path: Path) -> None:
    masked, bare = (cv2.resize(portrait(n), (256, 256)) for n in ("with_mask", "without_mask"))
    crowd = np.vstack([np.hstack([masked] * 4), np.hstack([masked] * 3 + [bare])])
    app = studio("look")
    clip = clip_of([crowd] * 15, tmp_path)
    app.file_uploader[0].set_value(("clip.avi", clip, "video/x-msvideo"))
    text = words(app.run())
    assert "8 people, 1 to call out" in text
    people = [line for line in text.splitlines() if "<b>Person " in line]
    assert len(people) == 8 and "no mask" in people[0]
    # Eight tabs are no list on a phone.
    options = app.selectbox(key="evidence_of").options
    assert len(options) == 8 and "no mask" in options[0] and not app.tabs


def test_a_data_set_is_looked_at_and_a_label_put_right(
    studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets" / "made"
    rows = face_rows(folder, 12)
    write_csv(folder / "train.csv", rows)
    write_csv(folder / "val.csv", face_rows(folder, 6, first=50))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    app = studio("data", data=(str(tmp_path / "sets"),))
    app.button(key="look").click().run()
    job = next((tmp_path / "runs").glob("look-*"))
    eventually(lambda: (found := read_job(job)) is not None and not found.at_work)
    text = words(app.run())
    assert "doubtful labels" in text and "corrected so far" in text
    app.button(key="as drop").click().run()
    assert [seen for seen, _ in read_rows(tmp_path / "own.csv").values()] == ["drop"]
    assert "1 corrected so far" in words(app)
    for view in ("duplicates", "leaks", "poor"):
        app.button_group(key="data_view").set_value(view).run()
        assert words(app)
    assert before == {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["faces (1)", "données", "my faces"])
def test_a_data_set_may_be_called_anything(
    studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for label in LABELS[:2]:
        (tmp_path / "sets" / name / label).mkdir(parents=True)
        (tmp_path / "sets" / os.fsdecode(b"caf\xe9") / label).mkdir(parents=True)
    started: list[str] = []
    monkeypatch.setattr(
        "train.studio.views.data.start_job", lambda runs, run, *_, **__: started.append(run)
    )
    app = studio("data", data=(str(tmp_path / "sets"),))
    assert "names are no UTF" in words(app) and app.selectbox[0].options == [f"sets/{name}"]
    app.button(key="look").click().run()
    assert words(app) and checked_name(started[0]).startswith("look-")


def test_a_form_starts_a_process_that_can_be_stopped(studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "made"
    write_csv(folder / "train.csv", face_rows(folder, 12))
    write_csv(folder / "val.csv", face_rows(folder, 6, first=50))
    app = studio("runs", data=(str(tmp_path / "sets"),))
    app.button_group(key="runs_view").set_value("train").run()
    app.text_input[0].set_value("mine")
    app.number_input[0].set_value(3)
    next(b for b in app.button if b.label == "Start").click().run()
    run = tmp_path / "runs" / "mine"
    job = read_job(run)
    assert job is not None and job.command[:2] == ("train", "classifier") and job.epochs == 3
    assert "epoch 0 of 3" in json.dumps([str(e.proto) for e in app.get("progress")])
    app.button(key="stop").click().run()
    stop_job(run, patience=0.2)
    eventually(lambda: (found := read_job(run)) is not None and found.state == "stopped")
    assert "stopped" in words(app.run())
    assert [b.label for b in app.button] == ["Resume"]


def test_a_name_that_is_no_name_is_refused_on_the_page(studio: Open, tmp_path: Path) -> None:
    folder = tmp_path / "sets" / "made"
    write_csv(folder / "train.csv", face_rows(folder, 3))
    write_csv(folder / "val.csv", face_rows(folder, 3, first=50))
    app = studio("runs", data=(str(tmp_path / "sets"),))
    app.button_group(key="runs_view").set_value("train").run()
    app.text_input[0].set_value("../../etc")
    next(b for b in app.button if b.label == "Start").click().run()
    assert "no name for a run" in "".join(e.value for e in app.error).replace("\\", "")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("view", ["train", "convert", "evaluate"])
def test_every_form_is_there_once_there_are_runs_and_data(
    studio: Open, tmp_path: Path, view: str
) -> None:
    folder = tmp_path / "sets" / "made"
    write_csv(folder / "train.csv", face_rows(folder, 3))
    write_csv(folder / "val.csv", face_rows(folder, 3, first=50))
    (run_in(tmp_path / "runs" / "old", METRICS, 2) / "model.keras").write_bytes(b"weights")
    app = studio("runs", data=(str(tmp_path / "sets"),))
    app.button_group(key="runs_view").set_value(view).run()
    assert words(app) is not None and [b.label for b in app.button] == ["Start"]


@pytest.mark.parametrize(("split", "seed"), [("shop", True), ("made", False)])
def test_a_training_is_measured_on_what_its_own_seed_kept_back(
    studio: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str, seed: bool
) -> None:
    for label in LABELS[:2]:
        (tmp_path / "sets" / "shop" / label).mkdir(parents=True)
    write_csv(tmp_path / "sets" / "made" / "train.csv", face_rows(tmp_path / "sets" / "made", 3))
    write_csv(tmp_path / "sets" / "made" / "val.csv", face_rows(tmp_path / "sets" / "made", 3, 50))
    run = run_in(tmp_path / "runs" / "old", {**METRICS, "seed": 7}, 2)
    (run / "model.keras").write_bytes(b"weights")
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr("train.studio.views.runs._start", lambda *given: asked.append(given[3]))
    app = studio("runs", data=(str(tmp_path / "sets"),))
    app.button_group(key="runs_view").set_value("evaluate").run()
    app.selectbox(key="evaluated_model").set_value("old/model.keras").run()
    app.selectbox(key="evaluate_data").set_value(f"sets/{split}").run()
    next(b for b in app.button if b.label == "Start").click().run()
    assert argument(asked[0], "--seed") == ("7" if seed else "")


def test_two_runs_are_compared(studio: Open, tmp_path: Path) -> None:
    run_in(tmp_path / "runs" / "one", METRICS, 3)
    worse = changed(accuracy={"value": 0.5, "low": 0.48, "high": 0.52})
    run_in(tmp_path / "runs" / "two", {**worse, "seed": 7}, 4)
    # The newest stands second.
    os.utime(tmp_path / "runs" / "one" / "metrics.json", (1, 1))
    os.utime(tmp_path / "runs" / "one" / "history.csv", (1, 1))
    app = studio("compare")
    text = words(app)
    assert "Same data" in text and "settings differ" in text
    metric = app.metric[0]
    assert metric.value == "50.0%" and metric.delta.startswith("-0.400")
    told = app.dataframe[0].value
    assert told.loc[0, "second is"] == "worse"


def test_a_run_shows_its_results_and_its_log(studio: Open, tmp_path: Path) -> None:
    run = run_in(tmp_path / "runs" / "one", METRICS, 3)
    (run / "log.txt").write_text("epoch 1\n")
    app = studio("runs")
    assert "all three classes, accuracy" in words(app)
    assert app.code[0].value == "epoch 1"


def test_a_converted_run_is_promoted_and_listed(studio: Open, tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
    runs = tmp_path / "runs"
    (run_in(runs / "converted", METRICS) / "new.tflite").write_bytes(make(CLASSIFIER, 50))
    least = released_version(CLASSIFIER) + 1
    app = studio("runs")
    assert "It will not be signed" in words(app) and "says version 50" in words(app)
    version = next(n for n in app.number_input if n.label.startswith("Version"))
    assert (version.value, version.min) == (least, least)
    app.text_area[0].set_value("Weak in <b>fog</b>.")
    next(b for b in app.button if b.label == "Promote").click().run()
    job = runs / f"promote-mask-classifier-{least}-1"
    eventually(lambda: (found := read_job(job)) is not None and found.state == "done")
    app = studio("runs")
    app.button_group(key="runs_view").set_value("releases").run()
    text = words(app)
    assert f"mask-classifier {least}" in text and "not signed" in text and "converted" in text
    assert "\\<b\\>fog" in text
    card = next((runs / "releases").glob("*/*.md")).read_text()
    assert "Weak in <b>fog</b>." in card


def test_a_version_that_was_released_meanwhile_is_refused_in_words(
    studio: Open, tmp_path: Path
) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
    runs, least = tmp_path / "runs", released_version(CLASSIFIER) + 1
    (run_in(runs / "converted", METRICS) / "new.tflite").write_bytes(make(CLASSIFIER, 50))
    app = studio("runs")
    model = read_model(runs / "converted" / "new.tflite")
    promote(runs, Wish(model, least), datetime.now(timezone.utc))
    # The form was drawn before; it is sent as it was.
    next(b for b in app.button if b.label == "Promote").click().run()
    assert f"Released already as mask-classifier {least}" in words(app)
    assert f"{least} was released meanwhile" in app.error[0].value.replace("\\", "")
    assert not list(runs.glob("promote-*"))


def test_releases_can_be_tried_and_sent(studio: Open, tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
    runs, gate = tmp_path / "runs", tmp_path / "gate"
    (run_in(runs / "converted", METRICS) / "new.tflite").write_bytes(make(CLASSIFIER, 50))
    model = read_model(runs / "converted" / "new.tflite")
    release = promote(runs, Wish(model, 60), datetime.now(timezone.utc))
    (gate / "incoming").mkdir(parents=True)
    path = tmp_path / "gates.toml"
    path.write_text(f"[gates.door]\nmodels = '{gate}'\n")
    app = studio("gates", gates=str(path))
    # The newest release comes first.
    app.button(key="send").click().run()
    (sent,) = (gate / "incoming").iterdir()
    assert sent.read_bytes() == release.model.read_bytes()
    app = studio("look")
    app.session_state["classifier"] = "release: mask-classifier 60"
    app.file_uploader[0].set_value(("me.jpg", encoded(portrait()), "image/jpeg"))
    assert "No mask" in words(app.run())
    box = next(b for b in app.selectbox if b.label == "Mask classifier")
    assert box.value == "release: mask-classifier 60"


def test_a_release_that_was_tampered_with_is_marked_and_not_offered(
    studio: Open, tmp_path: Path
) -> None:
    pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
    runs = tmp_path / "runs"
    (run_in(runs / "converted", METRICS) / "new.tflite").write_bytes(make(CLASSIFIER, 50))
    model = read_model(runs / "converted" / "new.tflite")
    release = promote(runs, Wish(model, 60), datetime.now(timezone.utc))
    release.model.write_bytes(make(CLASSIFIER, 61))
    app = studio("runs")
    app.button_group(key="runs_view").set_value("releases").run()
    assert "its model file was changed after the release" in words(app)
    path = tmp_path / "gates.toml"
    path.write_text(f"[gates.door]\nmodels = '{tmp_path}'\n")
    app = studio("gates", gates=str(path))
    assert [o for b in app.selectbox for o in b.options if "release" in o] == []


def test_gates_show_their_models_and_a_model_is_sent(studio: Open, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    (gate / "incoming").mkdir(parents=True)
    told = {"models": {CLASSIFIER: {"name": "masks", "version": 3, "standing": "good"}},
            "last": {"words": "<b>hello</b> [link](x)", "number": 1}}
    (gate / "status.json").write_text(json.dumps(told))
    path = tmp_path / "gates.toml"
    path.write_text(f"[gates.door]\nmodels = '{gate}'\n")
    run = run_in(tmp_path / "runs" / "converted", METRICS)
    (run / "new.tflite").write_bytes(make(CLASSIFIER, 100))
    app = studio("gates", gates=str(path))
    text = words(app)
    assert "masks 3" in text and "good" in text
    # What a gate says is shown as it is, and never as markup.
    assert "\\<b\\>hello" in text and "\\[link\\]\\(x\\)" in text
    app.button(key="send").click().run()
    assert len(list((gate / "incoming").glob("mask-classifier-100-*.tflite"))) == 1


def test_the_door_stays_shut_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse battery\n")
    settings = StudioSettings(runs=str(tmp_path / "runs"), password_file=str(password))
    monkeypatch.setenv(VARIABLE, settings_text(settings))
    place = Path(importlib.import_module("train.studio.app").__file__ or "")
    app = testing.AppTest.from_file(place, default_timeout=60).run()
    assert [f.label for f in app.text_input] == ["Password"] and not app.file_uploader
    app.text_input[0].set_value("guess")
    app.button[0].click().run()
    assert "not the password" in app.error[0].value and not app.file_uploader
    app.text_input[0].set_value("correct horse battery")
    app.button[0].click().run()
    assert app.file_uploader and not app.text_input


def test_no_page_imports_a_training_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'torch', 'jax',"
        "'flatbuffers', 'mlflow', 'sqlalchemy')));"
        "import train.studio.app"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == 0, done.stderr
