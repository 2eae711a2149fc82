"""What scripts/flash makes of the image it is given."""

from __future__ import annotations

import hashlib
import io
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import OutputError, SourceError, UsageError
from scripts.flashing.image import check_digest, expected_digest, unpack, unpacked_size
from scripts.flashing.partitions import grow_root, read_layout
from scripts.flashing.system import examine
from tests.cards import BOOKWORM, MIB, TRIXIE, system_in, table

LAYOUT = table((0x0C, 2048, 2048), (0x83, 4096, 2048))


def nothing(count: int) -> None:
    """Is told of progress and forgets it."""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "raspios.img.xz"
    path.write_bytes(lzma.compress(LAYOUT + bytes(3 * MIB - 512)))
    return path


def unpacked(image: Path, target: Path) -> Path:
    with target.open("wb") as output:
        unpack(image, output, nothing)
    return target


def test_the_checksum_beside_the_image_counts(image: Path) -> None:
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    beside = image.with_name("raspios.img.xz.sha256")
    beside.write_text(f"{digest.upper()}  raspios.img.xz\n")
    assert expected_digest(image, None) == digest
    check_digest(image, digest, nothing)


def test_an_image_without_a_checksum_is_refused(image: Path) -> None:
    with pytest.raises(UsageError, match=r"no checksum.*raspios.img.xz.sha256.*--sha256 HEX"):
        expected_digest(image, None)


@pytest.mark.parametrize("given_digest", ["", "abc", "g" * 64, "0" * 63])
def test_what_is_no_checksum_is_refused(image: Path, given_digest: str) -> None:
    with pytest.raises(UsageError, match="is no SHA-256; allowed: 64 digits"):
        expected_digest(image, given_digest)


def test_another_image_than_the_one_meant_is_refused(image: Path) -> None:
    with pytest.raises(SourceError, match=r"its SHA-256 is [0-9a-f]{64}, and should be 0000"):
        check_digest(image, "0" * 64, nothing)


# No timed assertion: a busy machine takes its time.
@settings(deadline=None)
@given(st.binary(max_size=4096), st.sampled_from([lzma.CHECK_CRC32, lzma.CHECK_SHA256]))
def test_the_unpacked_size_is_known_before_unpacking(content: bytes, check: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.img.xz"
        path.write_bytes(lzma.compress(content, check=check))
        assert unpacked_size(path) == len(content)


def test_unpacking_gives_back_what_was_packed(image: Path, tmp_path: Path) -> None:
    found = unpacked(image, tmp_path / "raspios.img").read_bytes()
    assert found == LAYOUT + bytes(3 * MIB - 512)


@pytest.mark.parametrize("kept", [5, 40, 400, -1])
def test_a_truncated_image_is_refused(image: Path, tmp_path: Path, kept: int) -> None:
    content = image.read_bytes()
    image.write_bytes(content[:kept])
    with pytest.raises(SourceError, match=r"download it again|no partition table"):
        unpacked_size(image)
        read_layout(unpacked(image, tmp_path / "raspios.img"))


def test_an_image_with_a_flipped_bit_is_refused(image: Path, tmp_path: Path) -> None:
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be unpacked"):
        unpacked(image, tmp_path / "raspios.img")


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x1f\x8b\x08"])
def test_other_archives_are_refused_by_name(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "raspios.zip"
    path.write_bytes(start + bytes(100))
    with pytest.raises(SourceError, match=r"archive; allowed: \.img and \.img\.xz"):
        unpacked_size(path)


def test_a_full_disk_is_told(image: Path) -> None:
    with Path("/dev/full").open("wb") as full, pytest.raises(OutputError, match="no space is left"):
        unpack(image, io.BufferedWriter(full.raw, 1), nothing)  # type: ignore[attr-defined]
        full.flush()


@pytest.mark.parametrize(
    ("sector", "told"),
    [
        (bytes(512), "has no partition table"),
        (table((0x0C, 2048, 2048)), "its partitions are 0c;"),
        (table((0x83, 2048, 2048), (0x0C, 4096, 2048)), "its partitions are 83, 0c;"),
        (table((0xEE, 1, 6000)), "its partitions are ee;"),
        (table((0x0C, 2048, 2048), (0x83, 4096, 9999)), "it is not whole"),
    ],
)
def test_what_is_no_image_of_raspberry_pi_os_is_refused(
    tmp_path: Path, sector: bytes, told: str
) -> None:
    path = tmp_path / "x.img"
    path.write_bytes(sector + bytes(3 * MIB - 512))
    with pytest.raises(SourceError, match=told):
        read_layout(path)


def test_growing_the_root_leaves_everything_else_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.img"
    path.write_bytes(LAYOUT + bytes(range(256)) * (3 * MIB // 256 - 2))
    before = path.read_bytes()
    layout = read_layout(path)
    grown = grow_root(path, layout, 5 * MIB)
    assert grown == read_layout(path)
    assert (grown.boot, grown.root.start, grown.root.size) == (
        layout.boot, layout.root.start, 5 * MIB
    )
    assert path.stat().st_size == grown.root.start + grown.root.size
    assert path.read_bytes()[512 : len(before)] == before[512:]


def test_both_releases_are_known_by_name(tmp_path: Path) -> None:
    system = examine(system_in(tmp_path / "new", TRIXIE))
    assert (system.release, system.python, system.numpy) == ("trixie", "3.13", "2.2.4")
    assert system.cloud_init
    system = examine(system_in(tmp_path / "old", BOOKWORM, extra=""))
    assert (system.release, system.python, system.cloud_init) == ("bookworm", "3.11", False)


@pytest.mark.parametrize(
    ("release", "processor", "told"),
    [
        (TRIXIE, "armhf", "this image is armhf"),
        (TRIXIE.replace("trixie", "bullseye"), "arm64", "this image is Debian"),
        ("", "arm64", "this image is an unknown system"),
    ],
)
def test_an_unfit_system_is_refused_in_one_sentence(
    tmp_path: Path, release: str, processor: str, told: str
) -> None:
    with pytest.raises(UsageError, match=rf"{told}.*64-bit.*Bookworm or Trixie"):
        examine(system_in(tmp_path, release, processor))
