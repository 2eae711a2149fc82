"""A camera on the board's ribbon cable: libcamera's virtual one, which plays our pictures."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np

from edge.camera.demo import DemoSource
from edge.camera.frame import Frame
from edge.vision.crop import Image
from tests.device.board import Board

HERE = Path(__file__).resolve().parent
_SIZE = (640, 480)
# As many as an emulated processor can hand on, and look at.
_FPS = 4
_PICTURES = 12
# Of the picture's width: the person stands at the door.
_LARGE = 0.169
_LIBRARIES = "/usr/lib/python3/dist-packages"
_CAMERAS = "/usr/share/libcamera/pipeline/virtual"
_FRAMES = "/opt/frames"
_VIRTUAL = f"""%YAML 1.1
---
"Virtual0":
  supported_formats:
  - width: {_SIZE[0]}
    height: {_SIZE[1]}
    frame_rates:
    - {_FPS}
    - {2 * _FPS}
  frames:
    path: "{_FRAMES}"
  location: "CameraLocationFront"
  model: "Pictures"
"""
# Debian's memory for cameras is another device than a Raspberry Pi's.
_ALLOWED = "[Service]\nDeviceAllow=/dev/udmabuf rw\n"


def fit(board: Board, folder: Path) -> None:
    """Put the camera into *board*, and make it the one that the gate is to use."""
    for name, text, place in (
        ("virtual.yaml", _VIRTUAL, f"{_CAMERAS}/virtual.yaml"),
        ("udmabuf.conf", _ALLOWED, "/etc/systemd/system/maskgate.service.d/udmabuf.conf"),
    ):
        board.machine.shell(f"mkdir -p $(dirname {place})")
        (folder / name).write_text(text, encoding="ascii")
        board.send(folder / name, place)
    board.send(HERE / "virtual_camera.py", f"{_LIBRARIES}/virtual_camera.py")
    source = f"picamera2://0?size={_SIZE[0]}x{_SIZE[1]}\\&fps={_FPS}"
    board.machine.shell(
        f"echo import virtual_camera >> {_LIBRARIES}/picamera2/__init__.py; "
        f"sed -i 's#^source = .*#source = \"{source}\"#' /etc/maskgate/gate.toml; "
        "systemctl daemon-reload"
    )


def show(board: Board, scene: str, folder: Path) -> None:
    """Start the gate anew with *scene* before its camera, and wait until it is ready."""
    (folder / "frames.tar").write_bytes(_archive(scene))
    board.send(folder / "frames.tar", "/tmp/frames.tar")
    board.machine.shell(
        f"systemctl stop maskgate; rm -rf {_FRAMES}; mkdir {_FRAMES}; "
        f"tar -xf /tmp/frames.tar -C {_FRAMES}; systemctl start maskgate", 900,
    )
    board.wait_for_service()


def _archive(scene: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for number, image in enumerate(_images(scene)):
            done, jpeg = cv2.imencode(".jpg", _limited(image), [cv2.IMWRITE_JPEG_QUALITY, 92])
            assert done
            entry = tarfile.TarInfo(f"{number}.jpg")
            entry.size = len(jpeg)
            archive.addfile(entry, io.BytesIO(jpeg.tobytes()))
    return packed.getvalue()


def _images(scene: str) -> list[Image]:
    """Return pictures of the demo while the person of *scene* stands at the door."""
    found: list[Image] = []
    source = DemoSource(size=_SIZE, frames_per_second=10)
    while len(found) < _PICTURES and isinstance(frame := source.read(1.0), Frame):
        truth = source.truth(frame.timestamp)
        large = truth.box is not None and truth.box[2] - truth.box[0] > _LARGE * _SIZE[0]
        if truth.state == scene and large:
            found.append(frame.image)
    return found


def _limited(image: Image) -> Image:
    """Return *image* so that the YUV in its JPEG is of limited range (BT.601), as a camera's.

    libcamera's virtual camera hands a JPEG's YUV on as it is, and that is of full range.
    """
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    yuv[..., 0] = 16 + yuv[..., 0] * 219 / 255
    yuv[..., 1:] = 128 + (yuv[..., 1:] - 128) * 224 / 255
    limited = np.clip(np.rint(yuv), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(limited, cv2.COLOR_YCrCb2BGR), np.uint8)
