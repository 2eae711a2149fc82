"""The studio in a real browser: a picture judged, a training watched, compared, promoted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.errors import ModelError
from edge.modelfile import Kind
from edge.modelstore.install import install
from edge.modelstore.keys import key_id, make_key
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.store import Store
from edge.modelstore.trialrun import Passed, run_trial
from tests.edge.model_files import (
    CLASSIFIER,
    feed_of,
    make,
    released,
    released_version,
    settings_of,
)
from tests.train.making import face_rows, write_csv
from tests.train.studio_site import Browser, encoded, eventually, portrait, serving
from tests.train.test_studio_bad_input import png_bomb
from train.studio.forms import ClassifierForm, classifier_command
from train.studio.jobs import read_job, start_job, stop_job
from train.studio.relabel import read_rows
from train.studio.releases import Release, list_releases

ROOT = Path(__file__).resolve().parents[2]
TRAINING = 170.0
"""Seconds a two-step training may take on a busy machine; TensorFlow's start is most of it."""


@dataclass(frozen=True)
class Site:
    """A studio that is served, its *address*, where its things lie, and its public *key*."""

    address: str
    folder: Path

    key: str

    @property
    def runs(self) -> Path:
        return self.folder / "runs"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("streamlit", reason="Streamlit is not installed")
    found = Browser()
    yield found
    found.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Site]:
    """A studio with a data set of cartoon faces, a gate, and a training that began just now."""
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    folder = tmp_path_factory.mktemp("studio")
    data = folder / "sets" / "cartoon"
    write_csv(data / "train.csv", face_rows(data, 24))
    write_csv(data / "val.csv", face_rows(data, 12, first=100))
    (folder / "gate" / "incoming").mkdir(parents=True)
    (folder / "gates.toml").write_text(f"[gates.door]\nmodels = '{folder / 'gate'}'\n")
    runs, key = folder / "runs", make_key(folder / "release-key")
    form = ClassifierForm(
        data, epochs=1, batch_size=12, seed=1, alpha=0.35, input_size=32, backbone="none"
    )
    command = classifier_command(form, runs / "before", None)
    start_job(runs, "before", "classifier", command, cwd=ROOT, epochs=1)
    with serving(
        folder, "--runs", "runs", "--data", "sets", "--gates", "gates.toml", "--tracking", "none",
        "--signing-key", "release-key",
    ) as address:
        yield Site(address, folder, key)
    for run in runs.iterdir():
        stop_job(run, patience=0.5)


def test_a_picture_that_is_brought_is_judged(site: Site, browser: Browser, tmp_path: Path) -> None:
    picture = tmp_path / "me.jpg"
    picture.write_bytes(encoded(portrait()))
    browser.open(site.address, "Who wears a mask here?")
    browser.upload(picture)
    browser.sees("No mask")
    browser.sees("What the classifier was given".lower())


def test_the_demo_is_one_click_away(site: Site, browser: Browser) -> None:
    portrait()
    browser.open(site.address, "Who wears a mask here?")
    browser.click("Demo")
    browser.sees("without a mask worn right")


def test_a_bomb_and_a_broken_clip_are_refused_in_words(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    bomb, clip = tmp_path / "bomb.png", tmp_path / "clip.mp4"
    bomb.write_bytes(png_bomb(50_000))
    clip.write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 5000)
    for file, told in ((bomb, "50000 x 50000 pixels"), (clip, "cannot be opened")):
        browser.open(site.address, "Who wears a mask here?")
        browser.upload(file)
        browser.sees(told)
        assert "Traceback" not in browser.text


def test_a_snapshot_of_the_camera_is_looked_at(site: Site, browser: Browser) -> None:
    browser.open(site.address, "Who wears a mask here?")
    browser.click("Camera")
    # Chromium's own stand-in for a camera, a green field with a clock.
    eventually(browser.camera_runs)
    # A click that comes before the page listens, as on a busy machine, is lost.
    browser.click_until("Take Photo", "pixels; faces found in")


@pytest.mark.parametrize(
    ("page", "shows"),
    [
        ("data", "Data set"), ("runs?run=before", "before"), ("compare", "Two runs"),
        ("gates", "door"),
    ],
)
def test_every_page_can_be_opened_by_its_address(
    site: Site, browser: Browser, page: str, shows: str
) -> None:
    browser.open(f"{site.address}/{page}", shows)


def test_a_phone_names_every_page_and_fits_it(site: Site) -> None:
    phone = Browser()
    try:
        phone.as_phone()
        phone.open(site.address, "Who wears a mask here?")
        phone.click("Demo")
        phone.sees("without a mask worn right")
        assert phone.too_wide == []
        for page, shows in (("Data", "Data set"), ("Runs", "before"), ("Gates", "door")):
            phone.follow(page)
            phone.sees(shows)
            assert phone.too_wide == []
    finally:
        phone.close()


def test_labels_are_put_right_by_the_keyboard(site: Site, browser: Browser) -> None:
    browser.open(f"{site.address}/data", "Look at it")
    browser.click("Look at it")
    browser.sees("0 corrected so far")
    # The first presses may come before the page listens.
    eventually(lambda: browser.press("0") or " 0 corrected so far" not in browser.text)
    eventually(lambda: (site.runs / "corrections.csv").exists())
    assert {seen for seen, _ in read_rows(site.runs / "corrections.csv").values()} == {"drop"}


def test_a_model_is_sent_to_a_gate_that_takes_it_in(site: Site, browser: Browser) -> None:
    root = site.folder / "gate"
    feed = feed_of(root, settings_of(root))
    feed.start()
    feed.work(0.0)
    made = site.runs / "made"
    made.mkdir()
    (made / "metrics.json").write_text('{"kind": "made"}')
    (made / "new.tflite").write_bytes(make(CLASSIFIER, 100))
    browser.open(f"{site.address}/gates", "Bring a model to the gates")
    browser.click("Send to door only")
    browser.sees("Sent as mask-classifier-100-")
    for second in range(1, 6):
        feed.work(float(second))
    browser.sees(" 100, probation")
    feed.close()


def test_a_training_is_started_watched_converted_compared_and_promoted(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    _train(site, browser)
    _convert(site, browser)
    _compare(site, browser)
    release = _promote(site, browser)
    browser.open(f"{site.address}/gates", "Bring a model to the gates")
    # In front of what was only converted.
    browser.sees(f"release: {release.title}")
    settings = UpdateSettings(folder=str(tmp_path), keys=(site.key,))

    def trial(path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        return run_trial(path, kind, running, shown, settings)

    store = Store(tmp_path)
    done = install(store, release.model, "new.tflite", settings, released(), trial)
    assert done.changed and done.model.key == key_id(site.key)
    unsigned = site.runs / "by-form-int8" / release.model.name
    with pytest.raises(ModelError, match="is not signed"):
        install(store, unsigned, "new.tflite", settings, released(), trial)


def _train(site: Site, browser: Browser) -> None:
    browser.open(f"{site.address}/runs?run=before", "before")
    browser.click("Train")
    browser.sees("Faces a step")
    for label, text in (
        ("Name of the run", "by-form"), ("Epochs", "1"), ("Faces a step", "12"), ("Seed", "2"),
        ("Input, pixels", "32"),
    ):
        browser.fill(label, text)
    browser.choose("Begin with", "nothing")
    if (site.runs / "corrections.csv").exists():
        # Which face was dropped depends on the released classifier; without one in training the
        # data would be other ones.
        browser.click("Use the corrections made")
    browser.click("Start")
    browser.sees("epoch 0 of 1")
    # The page is closed and opened again; the training does not care.
    browser.open("about:blank", "")
    browser.open(f"{site.address}/runs?run=by-form", "by-form")
    browser.sees("1 of 1 epochs", TRAINING)
    browser.sees("all three classes, accuracy", TRAINING)
    for name in ("by-form", "before"):
        eventually(lambda name=name: _state(site.runs / name) == "done", TRAINING)
        assert (site.runs / name / "model.keras").is_file()


def _convert(site: Site, browser: Browser) -> None:
    browser.click("Convert")
    browser.choose("Trained network", "by-form")
    browser.fill("Name of the run", "by-form-int8")
    # Two steps teach nothing that int8 would have to keep.
    browser.click("Write it even where")
    browser.click("Start")
    browser.sees("mask-classifier.int8.tflite (", TRAINING)
    eventually(lambda: _state(site.runs / "by-form-int8") == "done", TRAINING)


def _compare(site: Site, browser: Browser) -> None:
    browser.open(f"{site.address}/compare", "First")
    browser.choose("First", "before")
    browser.choose("Second", "by-form")
    browser.sees("Same data")
    browser.sees("settings differ")
    browser.sees("all three classes, accuracy")


def _promote(site: Site, browser: Browser) -> Release:
    browser.open(f"{site.address}/runs?run=by-form-int8", "Promote to a release")
    browser.sees("It will be signed")
    browser.fill("Sources and known weaknesses", "Two steps of cartoons.")
    browser.click("Promote")
    job = site.runs / f"promote-mask-classifier-{released_version(CLASSIFIER) + 1}-1"
    eventually(lambda: _state(job) == "done", TRAINING)
    browser.open(f"{site.address}/runs", "promote-mask-classifier")
    browser.click("Releases")
    browser.sees(f"signed by {key_id(site.key)}")
    browser.sees("Two steps of cartoons.")
    (release,) = list_releases(site.runs)
    browser.sees(release.facts.sha256)
    return release


def _state(run: Path) -> str:
    job = read_job(run)
    return "" if job is None else job.state


def test_another_site_cannot_drive_the_studio(site: Site) -> None:
    """A page elsewhere that opens the studio's web socket is turned away by its origin."""
    from urllib.parse import urlparse

    websockets = pytest.importorskip("websockets.sync.client", reason="websockets is missing")
    from websockets.exceptions import InvalidStatus

    port = urlparse(site.address).port
    for origin, host in (("http://evil.example", "127.0.0.1"), (None, "evil.example")):
        headers = {"Host": f"{host}:{port}"} if host != "127.0.0.1" else {}
        with pytest.raises((InvalidStatus, OSError)):
            websockets.connect(
                f"ws://127.0.0.1:{port}/_stcore/stream", origin=origin,
                additional_headers=headers, open_timeout=10,
            ).close()
