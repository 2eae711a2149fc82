"""Who may say which models run: Ed25519 keys, and signatures inside the model file.

A signature is the comment of the archive at the end of the file, 133 plain characters, so
that it travels with the one file that is copied.  It covers every byte before it::

    flatbuffer | archive: labels.txt, maskgate.json, directory, end record | comment
    <---------------------- signed ----------------------------------------> signature

The end record, which holds the comment's length, is part of what is signed, and the comment
has one spelling only, so there is no byte that could be changed unseen.  Interpreters read
the flatbuffer, :mod:`zipfile` and ``unzip`` the archive; both pass over the comment.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import ModelError, OutputError, UsageError
from edge.files import replaced

PUBLIC_PREFIX = "ed25519:"
PRIVATE_PREFIX = "ed25519-private:"
_MARK = b"maskgate-signature ed25519 "
_ID_LENGTH = 16
_TRAILER = len(_MARK) + _ID_LENGTH + 1 + 88 + 1
_END_RECORD = 22
# Keeps a signature made here from ever being good for anything else, and the other way round.
_PURPOSE = b"maskgate model file, format 1\n"
_LARGEST_KEY_FILE = 4096


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it stands in a file: whose *key* it claims (an id), and 64 bytes."""

    key: str
    value: bytes


def check_public_key(text: str) -> bytes:
    """Return the 32 bytes of the public key *text*; raise UsageError if it is none."""
    if text.startswith(PRIVATE_PREFIX):
        raise UsageError(
            "a private key is given where a public one belongs; keep it secret, make a new one "
            "with `maskgate model keygen`, and give the line that begins with ed25519:"
        )
    return _decoded(text, PUBLIC_PREFIX, f"{text[:60]!r} is no public key")


def key_id(public: str) -> str:
    """Return the short name of the public key *public*: 16 hex digits of its SHA-256."""
    return hashlib.sha256(check_public_key(public)).hexdigest()[:_ID_LENGTH]


def make_key(path: Path) -> str:
    """Write a new private key to *path*, readable by its owner only; return the public key.

    Raises UsageError when there is a file already, OutputError when it cannot be written.
    """
    signing = _nacl().SigningKey.generate()
    public = PUBLIC_PREFIX + base64.b64encode(bytes(signing.verify_key)).decode()
    text = (
        "# A private key of maskgate: whoever has it can sign models for your gates.\n"
        f"# Its public key: {public}\n"
        f"{PRIVATE_PREFIX}{base64.b64encode(bytes(signing)).decode()}\n"
    )
    try:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists; a key is never overwritten; name another file")
        with replaced(path) as file:
            # Before the key is in it: there must be no moment in which others can read it.
            os.fchmod(file.fileno(), 0o600)
            file.write(text.encode())
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; name a file in a folder that exists "
            "and is writable"
        ) from error
    return public


def read_private_key(path: Path) -> bytes:
    """Return the 32 secret bytes in the file *path*; raise UsageError if it holds none."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_KEY_FILE).decode("ascii", "replace")
    except OSError as error:
        raise UsageError(
            f"cannot read the key {path}: {error.strerror or error}; "
            "`maskgate model keygen` makes one"
        ) from error
    lines = [line for line in text.splitlines() if line.startswith(PRIVATE_PREFIX)]
    if len(lines) != 1:
        raise UsageError(
            f"{path} is no private key of maskgate; `maskgate model keygen` makes one"
        )
    return _decoded(lines[0], PRIVATE_PREFIX, f"the key in {path} is damaged")


def signed(content: bytes, secret: bytes, name: str) -> bytes:
    """Return the model file *content* with a signature by *secret*, an older one replaced.

    The same arguments give the same bytes.  Raises ModelError, with *name*, when *content* does
    not end in an archive.
    """
    body, _ = split(content)
    if len(body) < _END_RECORD or body[-_END_RECORD:][:4] != b"PK\x05\x06":
        raise ModelError(
            f"{name} does not end in an archive without comment; sign what `python -m convert` "
            "wrote"
        )
    body = body[:-2] + struct.pack("<H", _TRAILER)
    signing = _nacl().SigningKey(secret)
    value = signing.sign(_message(body)).signature
    public = PUBLIC_PREFIX + base64.b64encode(bytes(signing.verify_key)).decode()
    return body + _trailer(Signature(key_id(public), value))


def split(content: bytes) -> tuple[bytes, Signature | None]:
    """Return what *content*'s signature covers, and the signature; None if it has none."""
    body, tail = content[:-_TRAILER], content[-_TRAILER:]
    if len(content) <= _TRAILER or not tail.startswith(_MARK):
        return content, None
    try:
        key, text = tail[len(_MARK) : -1].decode("ascii").split(" ")
        found = Signature(key, base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        return content, None
    # One spelling only: base64 has bits that decoding does not look at.
    return (body, found) if _trailer(found) == tail else (content, None)


def signer(content: bytes, keys: Sequence[str], name: str) -> str:
    """Return the id of the key among *keys* (public) that signed *content*; "" without keys.

    Raises ModelError, with *name*, when there are keys and none of them signed every byte of it.
    """
    if not keys:
        return ""
    body, signature = split(content)
    if signature is None:
        raise ModelError(
            f"{name} is not signed, and this gate takes only signed models; sign it with "
            "`maskgate model sign`"
        )
    for key in keys:
        if key_id(key) != signature.key:
            continue
        if _verifies(body, signature, key):
            return signature.key
        raise ModelError(
            f"{name} carries a signature of key {signature.key} that is false: the file was "
            "changed after it was signed, or the signature is forged; get it again"
        )
    known = ", ".join(key_id(key) for key in keys)
    raise ModelError(
        f"{name} is signed with key {signature.key}, which is not among the keys of this gate "
        f"({known}); sign it with one of them, or add the key under [updates]"
    )


def _verifies(body: bytes, signature: Signature, key: str) -> bool:
    from nacl.exceptions import BadSignatureError

    try:
        _nacl().VerifyKey(check_public_key(key)).verify(_message(body), signature.value)
    except (BadSignatureError, ValueError):
        return False
    return True


def _message(body: bytes) -> bytes:
    return _PURPOSE + hashlib.sha512(body).digest()


def _trailer(signature: Signature) -> bytes:
    return _MARK + f"{signature.key} {base64.b64encode(signature.value).decode()}\n".encode()


def _decoded(text: str, prefix: str, wrong: str) -> bytes:
    try:
        value = base64.b64decode(text.removeprefix(prefix).strip(), validate=True)
    except (ValueError, binascii.Error):
        value = b""
    if not text.startswith(prefix) or len(value) != 32:
        raise UsageError(
            f"{wrong}; {prefix} and 44 characters of base64 are needed, as `maskgate model keygen` "
            f"{'prints' if prefix == PUBLIC_PREFIX else 'writes'} them"
        )
    return value


def _nacl() -> Any:
    # Imported when a key is used: a gate without keys does not need it.
    try:
        from nacl import signing
    except ImportError as error:
        raise UsageError(
            "signatures need PyNaCl, which is not installed; run `pip install pynacl`"
        ) from error
    return signing
