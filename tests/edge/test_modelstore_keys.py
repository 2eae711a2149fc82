"""Signatures inside model files: who may say what runs."""

from __future__ import annotations

import errno
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelError, OutputError, UsageError
from edge.modelfile import read_model
from edge.modelstore import keys
from edge.vision.selftest import run_self_test
from tests.edge.model_files import DETECTOR, make, original

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


def public_of(secret: bytes) -> str:
    import base64

    from nacl.signing import SigningKey

    return keys.PUBLIC_PREFIX + base64.b64encode(bytes(SigningKey(secret).verify_key)).decode()


PUBLIC, STRANGER = public_of(SECRET), public_of(OTHER)
SIGNED = keys.signed(original(DETECTOR), SECRET, "new.tflite")


def test_a_signed_file_is_known_by_its_key() -> None:
    assert keys.signer(SIGNED, [STRANGER, PUBLIC], "new.tflite") == keys.key_id(PUBLIC)


def test_a_signed_file_is_still_a_model_for_everybody(tmp_path: Path) -> None:
    path = tmp_path / "new.tflite"
    path.write_bytes(SIGNED)
    assert run_self_test(read_model(path)) == 0
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"maskgate-signature ed25519 ")


def test_signing_again_replaces_the_signature() -> None:
    again = keys.signed(SIGNED, OTHER, "new.tflite")
    assert len(again) == len(SIGNED)
    assert keys.signer(again, [STRANGER], "new.tflite") == keys.key_id(STRANGER)
    assert keys.signed(again, SECRET, "new.tflite") == SIGNED


def test_without_keys_everything_is_taken() -> None:
    assert keys.signer(original(DETECTOR), [], "new.tflite") == ""


@pytest.mark.parametrize(
    ("content", "pinned", "says"),
    [
        (original(DETECTOR), PUBLIC, "is not signed"),
        (SIGNED, STRANGER, "not among the keys of this gate"),
        (SIGNED[:-1], PUBLIC, "is not signed"),
        (SIGNED + b"\n", PUBLIC, "is not signed"),
        (b"", PUBLIC, "is not signed"),
        (make(DETECTOR)[:-2] + SIGNED[-135:], PUBLIC, "is false"),
    ],
)
def test_what_no_key_of_this_gate_signed_is_refused(
    content: bytes, pinned: str, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        keys.signer(content, [pinned], "new.tflite")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed_unseen(place: int, flip: int) -> None:
    content = bytearray(SIGNED)
    content[place] ^= flip
    with pytest.raises(ModelError):
        keys.signer(bytes(content), [PUBLIC], "new.tflite")


def test_no_byte_of_the_end_can_be_changed_unseen() -> None:
    for place in range(len(SIGNED) - 133 - 22, len(SIGNED)):
        content = bytearray(SIGNED)
        content[place] ^= 1
        with pytest.raises(ModelError):
            keys.signer(bytes(content), [PUBLIC], "new.tflite")


def test_a_signature_from_another_file_is_false() -> None:
    other = keys.signed(make(DETECTOR), SECRET, "other.tflite")
    with pytest.raises(ModelError, match="is false"):
        keys.signer(SIGNED[:-133] + other[-133:], [PUBLIC], "new.tflite")


@pytest.mark.parametrize("content", [b"", b"plain", original(DETECTOR)[:-5]])
def test_what_ends_in_no_archive_is_not_signed(content: bytes) -> None:
    with pytest.raises(ModelError, match="does not end in an archive"):
        keys.signed(content, SECRET, "new.tflite")


def test_a_new_key_is_its_owners_secret(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    public = keys.make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_of(keys.read_private_key(path)) == public
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "gate.key"
    keys.make_key(path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        keys.make_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["k" * 300, "none/gate.key", "k" * 250])
def test_a_key_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*; name a file in a folder"):
        keys.make_key(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_looked_into_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path, **options: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", forbidden)
    with pytest.raises(OutputError, match="Permission denied; name a file"):
        keys.make_key(tmp_path / "gate.key")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ed25519:"),
        ("ed25519:", "44 characters"),
        ("ed25519:AAAA", "44 characters"),
        (PUBLIC[:-2], "44 characters"),
        (PUBLIC.replace("ed25519", "rsa"), "44 characters"),
        ("ed25519-private:AAAA", "private key is given where a public one"),
    ],
)
def test_what_is_no_public_key_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        keys.check_public_key(text)


@pytest.mark.parametrize("content", ["", "ed25519-private:", PUBLIC, "ed25519-private:AAAA\n"])
def test_what_is_no_key_file_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "gate.key"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        keys.read_private_key(path)
    assert "AAAA" not in str(caught.value)
    with pytest.raises(UsageError, match="cannot read the key"):
        keys.read_private_key(tmp_path / "none")
