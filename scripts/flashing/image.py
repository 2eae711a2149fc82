"""The image a card is made of: is it whole, is it the one that was meant, what is in it."""

from __future__ import annotations

import errno
import hashlib
import lzma
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from edge.errors import OutputError, SourceError, UsageError

CHUNK = 4 * 1024 * 1024
_XZ = b"\xfd7zXZ\x00"
_OTHERS = {b"PK\x03\x04": "a .zip", b"\x1f\x8b": "a .gz", b"(\xb5/\xfd": "a .zst"}

Progress = Callable[[int], None]
"""Is told how many more bytes are done."""


def expected_digest(image: Path, given: str | None) -> str:
    """Return the SHA-256 that *image*, as it was downloaded, must have, in lower-case hex.

    It is *given*, or else the first word of the file beside the image that is called like it
    with ``.sha256`` after it.  Raises UsageError when there is neither, or it is no digest.
    """
    beside = image.with_name(f"{image.name}.sha256")
    if given is not None:
        text, place = given, "--sha256"
    elif beside.is_file():
        text = beside.read_text(encoding="utf-8", errors="replace")[:4096]
        place = str(beside)
    else:
        raise UsageError(
            f"{image}: there is no checksum to compare it with; download {beside.name} from where "
            "the image is from and put it beside the image, or name the checksum: --sha256 HEX"
        )
    word = (text.split() or [""])[0].lower()
    if re.fullmatch(r"[0-9a-f]{64}", word) is None:
        raise UsageError(
            f"{place}: {word[:80]!r} is no SHA-256; allowed: 64 digits 0-9 and a-f, as on the "
            "image's download page"
        )
    return word


def check_digest(image: Path, digest: str, progress: Progress) -> None:
    """Read *image* once; raises SourceError when its SHA-256 is not *digest*."""
    sha = hashlib.sha256()
    try:
        with image.open("rb") as file:
            for chunk in chunks(file):
                sha.update(chunk)
                progress(len(chunk))
    except OSError as error:
        raise SourceError(f"{image}: cannot be read: {error.strerror}") from None
    if sha.hexdigest() != digest:
        raise SourceError(
            f"{image}: its SHA-256 is {sha.hexdigest()}, and should be {digest}; it is damaged, "
            "not whole or another image; download it again"
        )


def unpacked_size(image: Path) -> int:
    """Return how many bytes *image* has once unpacked.

    Raises SourceError for a file that is missing, damaged, or packed in another way than xz.
    """
    try:
        with image.open("rb") as file:
            start = file.read(6)
            for magic, kind in _OTHERS.items():
                if start.startswith(magic):
                    raise SourceError(
                        f"{image}: is {kind} archive; allowed: .img and .img.xz; unpack it first"
                    )
            size = file.seek(0, 2)
            if start != _XZ:
                return size
            return _xz_size(file, size)
    except (struct.error, ValueError, IndexError):
        raise SourceError(f"{image}: ends in the middle; download it again") from None
    except OSError as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{image}: cannot be read: {error.strerror}") from None


def unpack(image: Path, output: BinaryIO, progress: Progress) -> None:
    """Write what is in *image*, unpacked where it is an .xz, to *output*.

    Raises SourceError for damage, OutputError where it cannot be written.
    """
    try:
        with image.open("rb") as raw:
            packed = raw.read(6) == _XZ
            raw.seek(0)
            with lzma.LZMAFile(raw) if packed else raw as source:
                for chunk in chunks(source):
                    _write(output, chunk)
                    progress(len(chunk))
    except (lzma.LZMAError, EOFError) as error:
        raise SourceError(f"{image}: cannot be unpacked ({error}); download it again") from None


def chunks(file: BinaryIO | lzma.LZMAFile) -> Iterator[bytes]:
    """Yield what is left in *file* in pieces of 4 MiB."""
    while chunk := file.read(CHUNK):
        yield chunk


def _write(output: BinaryIO, chunk: bytes) -> None:
    try:
        if chunk.count(0) == len(chunk):
            # A hole: most of an image is empty, and need not be stored twice on the workstation.
            output.seek(len(chunk), 1)
            output.truncate(output.tell())
        else:
            output.write(chunk)
    except OSError as error:
        why = "no space is left" if error.errno == errno.ENOSPC else error.strerror
        raise OutputError(f"{output.name}: cannot be written: {why}") from None


def _xz_size(file: BinaryIO, size: int) -> int:
    """Return the unpacked size that the index of the one stream in *file* tells.

    The format: https://tukaani.org/xz/xz-file-format.txt, sections 2.1.2 and 4.
    """
    file.seek(size - 12)
    footer = file.read(12)
    if footer[10:] != b"YZ":
        raise ValueError("no footer")
    length = (struct.unpack("<I", footer[4:8])[0] + 1) * 4
    file.seek(size - 12 - length)
    index = file.read(length)
    if index[0] != 0:
        raise ValueError("no index")
    count, place = _number(index, 1)
    total = 0
    for _ in range(count):
        _, place = _number(index, place)
        unpacked, place = _number(index, place)
        total += unpacked
    return total


def _number(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 63, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number that never ends")
