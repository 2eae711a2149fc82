"""What is read is never written over."""

from __future__ import annotations

import pytest

from edge.errors import UsageError
from edge.targets import check_targets


@pytest.fixture
def film(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"film")
    (tmp_path / "link.mp4").symlink_to(path)
    (tmp_path / "hard.mp4").hardlink_to(path)
    return path


@pytest.mark.parametrize("name", ["film.mp4", "./film.mp4", "link.mp4", "hard.mp4"])
@pytest.mark.parametrize("option", ["--record", "--events"])
@pytest.mark.parametrize("prefix", ["", "file:"])
def test_the_source_is_not_overwritten_by_any_name(film, name, option, prefix):
    with pytest.raises(UsageError, match=rf"{option} .* would overwrite --source"):
        check_targets(f"{prefix}{film}", {option: name}, {})


def test_a_model_is_not_overwritten(film):
    with pytest.raises(UsageError, match="would overwrite --detector"):
        check_targets("demo:", {"--events": "film.mp4"}, {"--detector": str(film)})


def test_two_outputs_are_two_files_even_before_they_exist(film):
    with pytest.raises(UsageError, match=r"--events \./new\.mp4 would overwrite --record"):
        check_targets("demo:", {"--record": "new.mp4", "--events": "./new.mp4"}, {})


def test_a_picture_of_the_folder_is_not_overwritten(film, tmp_path):
    with pytest.raises(UsageError, match="picture's name in the folder"):
        check_targets(str(tmp_path), {"--events": "a.jpg"}, {})


def test_other_files_and_standard_output_are_allowed(film, tmp_path):
    outputs = {"--record": "out.mp4", "--events": "-"}
    check_targets(str(film), outputs, {"--detector": None})
    check_targets(str(tmp_path), {"--record": "out.mp4", "--events": "out.jsonl"}, {})
