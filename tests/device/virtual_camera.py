"""Lets picamera2 open libcamera's virtual camera, which plays JPEG pictures.  Runs on the board.

Imported at the end of picamera2 by the line that ribbon.py adds; nothing else of picamera2 is
changed.  libcamera's virtual camera has no raw stream, gives NV12 whatever is asked for, and
wants each of its two planes told; Debian's kernel has no memory heaps for cameras.  On a
Raspberry Pi hardware and kernel do all of that.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from typing import Any

import cv2
import libcamera
import numpy as np
from picamera2 import Picamera2
from picamera2.allocators import dmaallocator
from picamera2.dma_heap import UniqueFD
from picamera2.request import CompletedRequest, MappedArray

PAGE = 4096
# linux/fcntl.h and linux/udmabuf.h
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
UDMABUF_CREATE, CLOSE_ON_EXEC = 0x40187542, 1


class UserMemory:
    """Memory by file descriptor from /dev/udmabuf, in place of /dev/dma_heap."""

    def __init__(self) -> None:
        self._device = os.open("/dev/udmabuf", os.O_RDWR | os.O_CLOEXEC)

    def alloc(self, name: str, size: int) -> Any:
        size = -(-size // PAGE) * PAGE
        memory = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK)
        asked = bytearray(struct.pack("IIQQ", memory, CLOSE_ON_EXEC, 0, size))
        made = fcntl.ioctl(self._device, UDMABUF_CREATE, asked, True)
        os.close(memory)
        return UniqueFD(made)

    def close(self) -> None:
        os.close(self._device)


class TwoPlanes(dmaallocator.DmaAllocator):
    """Buffers of NV12: libcamera is told where the brightness lies, and where the colour."""

    def allocate(self, libcamera_config: Any, _: Any) -> None:
        self.libcamera_fds: list[int] = []
        self.cleanup()
        for number in self.open_fds:
            os.close(number)
        self.frame_buffers: dict[Any, Any] = {}
        self.open_fds: list[int] = []
        for config in libcamera_config:
            bright = (config.stride or config.size.width) * config.size.height
            self.frame_buffers[config.stream] = [
                self._buffer(f"picamera2-{i}", bright) for i in range(config.buffer_count)
            ]

    def _buffer(self, name: str, bright: int) -> Any:
        colour = bright // 2
        held = self.dmaHeap.alloc(name, bright + colour)
        number = held.get()
        self.open_fds.append(number)
        planes = [libcamera.FrameBuffer.Plane(), libcamera.FrameBuffer.Plane()]
        for plane, offset, length in zip(planes, (0, bright), (bright, colour), strict=True):
            plane.fd, plane.offset, plane.length = number, offset, length
        self.libcamera_fds.append(planes[0].fd)
        self.mapped_buffers_used[planes[0].fd] = False
        buffer = libcamera.FrameBuffer(planes)
        self.mapped_buffers[buffer] = mmap.mmap(
            planes[0].fd, bright + colour, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
        )
        return buffer


def make_array(self: Any, name: str) -> Any:
    """Return the stream *name* in the format that a Raspberry Pi gives: main BGR, lores I420."""
    with MappedArray(self, name, write=False) as mapped:
        yuv = np.array(mapped.array)
    if name == "main":
        return cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR_NV12)
    rows = yuv.shape[0] * 2 // 3
    colour = yuv[rows:].reshape(-1, 2)
    return np.concatenate([yuv[:rows].ravel(), colour[:, 0], colour[:, 1]]).reshape(yuv.shape)


_open = Picamera2.__init__
Picamera2.__init__ = lambda self, *given: _open(self, *given, allocator=TwoPlanes())
Picamera2._get_raw_modes = lambda self: [{"format": "NV12", "size": (640, 480)}]
CompletedRequest.make_array = make_array
dmaallocator.DmaHeap = UserMemory
