"""Promotion: a run's model becomes a release that a gate with the key takes, or nothing at all."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import ModelError, OutputError, UsageError
from edge.modelfile import Kind, read_model
from edge.modelstore.install import install
from edge.modelstore.keys import make_key, read_private_key
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.store import Store
from edge.modelstore.trialrun import Passed, run_trial
from edge.vision.interpreter import Network
from tests.edge.model_files import CLASSIFIER, DETECTOR, make, released, released_version
from train.studio import promote as promotion
from train.studio import releases
from train.studio.jobs import Job, write_job
from train.studio.promote import Wish
from train.studio.releases import Release, list_releases, newest_version, trouble_of
from train.studio.runs import evaluations_of, list_runs

pytest.importorskip("flatbuffers", reason="flatbuffers is not installed")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with one that has a converted model of each kind."""
    for kind in (CLASSIFIER, DETECTOR):
        folder = tmp_path / "runs" / f"int8-{kind}"
        folder.mkdir(parents=True)
        (folder / f"{kind}.int8.tflite").write_bytes(make(kind, 50))
    return tmp_path / "runs"


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A private key's file, and the public key."""
    path = tmp_path / "secret" / "release-key"
    path.parent.mkdir()
    return path, make_key(path)


def converted(runs: Path, kind: Kind = CLASSIFIER) -> Path:
    return runs / f"int8-{kind}" / f"{kind}.int8.tflite"


def promoted(runs: Path, version: int, kind: Kind = CLASSIFIER, **more: Any) -> Release:
    return promotion.promote(runs, Wish(read_model(converted(runs, kind)), version, **more), NOW)


def taken(root: Path, release: Release, *keys: str) -> str:
    """Bring *release* to a gate's store at *root* whose configuration has *keys*, as an update."""
    settings = UpdateSettings(folder=str(root), keys=keys)

    def trial(path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        return run_trial(path, kind, running, shown, settings)

    done = install(Store(root), release.model, "new.tflite", settings, released(), trial)
    return f"{done.model.kind} {done.model.version} by {done.model.key}"


@pytest.mark.parametrize("kind", [CLASSIFIER, DETECTOR])
def test_a_gate_with_the_key_takes_the_release(
    runs: Path, key: tuple[Path, str], tmp_path: Path, kind: Kind
) -> None:
    version = released_version(kind) + 1
    release = promoted(runs, version, kind, secret=read_private_key(key[0]))
    assert release.facts.public == key[1]
    said = taken(tmp_path / "gate", release, key[1])
    assert said == f"{kind} {version} by {release.facts.key}"


def test_that_gate_refuses_an_unsigned_release_and_another_one_does_not(
    runs: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    release = promoted(runs, 60)
    assert release.facts.key == ""
    with pytest.raises(ModelError, match="is not signed, and this gate takes only signed models"):
        taken(tmp_path / "strict", release, key[1])
    assert taken(tmp_path / "open", release).startswith("mask-classifier 60")


def test_only_version_and_origin_are_written_anew(runs: Path) -> None:
    before = read_model(converted(runs)).card
    release = promoted(runs, 60)
    after = read_model(release.model).card
    origin = {"released": "2026-01-02T03:04:05+00:00", "released_from": "int8-mask-classifier"}
    assert after.provenance == {**before.provenance, **origin}
    same = {"version": 50, "provenance": before.provenance, "network_sha256": ""}
    assert replace(after, **same) == replace(before, network_sha256="")


@pytest.mark.parametrize("kind", [CLASSIFIER, DETECTOR])
def test_the_released_network_answers_as_the_one_that_was_measured(runs: Path, kind: Kind) -> None:
    files = converted(runs, kind), promoted(runs, 60, kind).model
    one, other = (Network.from_model(read_model(path), 1) for path in files)
    image = np.random.default_rng(1).integers(0, 255, one.shape, np.uint8)
    said = one.run_raw(image)
    for name, (values, *scale) in other.run_raw(image).items():
        assert np.array_equal(values, said[name][0]) and scale == list(said[name][1:])


def test_without_the_libraries_that_write_models_one_line_says_so(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python itself holds of a package that cannot be imported.
    monkeypatch.setitem(sys.modules, "convert.modelwriter", None)
    command = ["release", "--model", str(converted(runs)), "--runs", str(runs)]
    result = CliRunner().invoke(promotion.main, command)
    assert result.exit_code == 2 and "pip install 'maskgate[train]'" in result.output
    assert list_releases(runs) == []


def test_a_release_holds_model_card_facts_and_checksum(runs: Path) -> None:
    release = promoted(
        runs, 60, notes="Weak in **fog**.", evaluation={"accuracy": {"value": 0.75}}
    )
    assert release.folder == runs / "releases" / "mask-classifier-60"
    assert sorted(p.name for p in release.folder.iterdir()) == [
        "SHA256SUMS", "mask-classifier.int8.md", "mask-classifier.int8.tflite", "release.json",
    ]
    card = release.card.read_text()
    assert "version 60" in card and "Weak in **fog**." in card and release.facts.sha256 in card
    assert "this file, int8" in card and "0.7500" in card
    sums = (release.folder / "SHA256SUMS").read_text()
    assert sums == f"{release.facts.sha256}  mask-classifier.int8.tflite\n"
    assert list_releases(runs) == [release]
    assert trouble_of(release, read_model(release.model).sha256) == ""


def test_versions_only_grow_for_each_kind_by_itself(runs: Path) -> None:
    assert newest_version(runs, CLASSIFIER) == released_version(CLASSIFIER)
    promoted(runs, 60)
    assert newest_version(runs, CLASSIFIER) == 60
    assert newest_version(runs, DETECTOR) == released_version(DETECTOR)
    with pytest.raises(UsageError, match=r"60 is released already; .* give 61 or more"):
        promoted(runs, 60)
    for lower in (1, released_version(CLASSIFIER), 59):
        with pytest.raises(UsageError, match=r"versions only grow: give 61 or more"):
            promoted(runs, lower)
    promoted(runs, released_version(DETECTOR) + 1, DETECTOR)
    assert len(list_releases(runs)) == 2


def test_a_model_that_fails_its_self_test_leaves_no_folder(runs: Path) -> None:
    def spoil(card: dict[str, Any]) -> None:
        outputs = card["self_test"]["outputs"]
        name = next(iter(outputs))
        outputs[name] = [[127 - int(v) for v in row] for row in outputs[name]]
        card["self_test"]["tolerance"] = 0

    converted(runs).write_bytes(make(CLASSIFIER, 50, spoil))
    with pytest.raises(ModelError):
        promoted(runs, 60)
    assert list_releases(runs) == [] and not (runs / "releases").exists()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "releases" / "mask-classifier-9"
    with pytest.raises(KeyError), releases.appearing(folder) as inner:
        (inner / "half").write_text("x")
        assert not folder.exists()
        raise KeyError
    assert list(folder.parent.iterdir()) == []
    with releases.appearing(folder) as inner:
        (inner / "all").write_text("x")
    with pytest.raises(UsageError, match="released already"), releases.appearing(folder) as inner:
        (inner / "other").write_text("x")
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert [p.name for p in folder.iterdir()] == ["all"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "releases").write_text("a file")
    with pytest.raises(OutputError, match="mask-classifier-9: cannot be written"), \
            releases.appearing(tmp_path / "releases" / "mask-classifier-9"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"kind": "cat"}', "null"])
def test_what_is_no_release_is_passed_over(runs: Path, content: str) -> None:
    folder = runs / "releases" / "mask-classifier-7"
    folder.mkdir(parents=True)
    (folder / "release.json").write_text(content)
    assert list_releases(runs) == []
    hidden = promoted(runs, 60).folder
    hidden.rename(hidden.with_name(".mask-classifier-60.1.tmp"))
    assert list_releases(runs) == []


def test_a_release_that_was_tampered_with_is_told(runs: Path) -> None:
    release = promoted(runs, 60)
    release.model.write_bytes(make(CLASSIFIER, 60))
    assert "changed after" in trouble_of(release, releases.model_sha256(release.model))
    release.model.write_bytes(b"broken")
    assert "missing or damaged" in trouble_of(release, releases.model_sha256(release.model))


def test_the_command_releases_and_shows_no_secret(
    runs: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    command = ["release", "--model", str(converted(runs)), "--runs", str(runs),
               "--signing-key", str(key[0])]
    result = CliRunner().invoke(promotion.main, command)
    assert result.exit_code == 0, result.output
    version = released_version(CLASSIFIER) + 1
    assert f"released mask-classifier {version} in" in result.output
    secret = next(line for line in key[0].read_text().splitlines() if "private:" in line)
    shown = [result.output, *(
        p.read_text(errors="replace") for p in (runs / "releases").rglob("*") if p.is_file()
    )]
    assert not any(secret.split(":")[1] in text for text in shown)
    # Without a version the next one is taken.
    again = CliRunner().invoke(promotion.main, command[:5])
    assert f"mask-classifier {version + 1}" in again.output and "not signed" in again.output


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--signing-key", "gone"), "cannot read the key"),
        (("--notes", "gone.md"), "gone.md cannot be read as text"),
        (("--evaluation", "gone.json"), "gone.json holds no evaluation"),
        (("--release-version", "0"), "--release-version"),
        (("--tracking", "file:///x"), "--tracking is"),
    ],
)
def test_the_command_refuses_in_words(runs: Path, more: tuple[str, str], told: str) -> None:
    command = ["release", "--model", str(converted(runs)), "--runs", str(runs), *more]
    result = CliRunner().invoke(promotion.main, command)
    assert result.exit_code != 0 and told in result.output
    assert list_releases(runs) == []


def test_evaluations_of_the_file_as_it_is_now_are_found(runs: Path) -> None:
    model = converted(runs)
    for name, measured in (("good", model), ("other", converted(runs, DETECTOR))):
        command = ("train", "evaluate", "classifier", "--model", str(measured), "--data", "d")
        (runs / name).mkdir()
        (runs / name / "evaluation.json").write_text('{"accuracy": 0.9}')
        write_job(runs / name, Job("evaluate", command, "/", "done"))
    assert [run.name for run in evaluations_of(list_runs(runs), model)] == ["good"]
    later = (NOW + timedelta(days=9999)).timestamp()
    os.utime(model, (later, later))
    assert evaluations_of(list_runs(runs), model) == []
