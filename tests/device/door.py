"""A network camera at a door, played by the workstation; the test says who stands before it.

RTSP (RFC 2326) over one TCP connection, with JPEG pictures in RTP (RFC 2435): as much of both as
FFmpeg asks for.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import cv2

from edge.camera.demo import DemoSource
from edge.camera.frame import Frame

PORT = 8554
NOBODY, BARE, MASKED = "nobody", "bare", "mask"
# Whole blocks of JPEG, and small, as an emulated processor has to unpack them.
_SIZE = (448, 336)
_LARGE = 0.169
_PAYLOAD = 1300
_CLOCK = 90000
_YUV420, _TABLES_INSIDE = 1, 255


def pictures() -> dict[str, list[bytes]]:
    """Return scene -> JPEG pictures of it, some seconds of the demo while the person stands."""
    found: dict[str, list[bytes]] = {NOBODY: [], BARE: [], MASKED: []}
    source = DemoSource(size=_SIZE, frames_per_second=25)
    while isinstance(frame := source.read(1.0), Frame):
        truth = source.truth(frame.timestamp)
        large = truth.box is not None and truth.box[2] - truth.box[0] > _LARGE * _SIZE[0]
        if truth.state == NOBODY or large:
            done, jpeg = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 80])
            assert done
            found[truth.state].append(jpeg.tobytes())
    return found


class Door:
    """Serves ``rtsp://HOST:8554/door``; *scene* is what it shows from the next picture on.

    *alive* false is a camera without power: connections break and none is taken.
    """

    def __init__(self, shown: Mapping[str, Sequence[bytes]], fps: float = 4.0) -> None:
        self.scene = NOBODY
        self.alive = True
        self.sent = 0
        self._shown = {name: [_Jpeg(content) for content in all_] for name, all_ in shown.items()}
        self._fps = fps
        self._server = socket.create_server(("127.0.0.1", PORT))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """End it; its port is free for the next one."""
        self.alive = False
        # A thread that waits in accept keeps a socket that is only closed listening.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._accepting.join(timeout=10)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            if self.alive:
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()
            else:
                line.close()

    def _serve(self, line: socket.socket) -> None:
        try:
            with line, line.makefile("rb") as requests:
                self._talk(line, requests)
        except OSError:
            return

    def _talk(self, line: socket.socket, requests: BinaryIO) -> None:
        sdp = (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=door\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n"
            f"a=framerate:{self._fps:g}\r\na=control:track1\r\n"
        )
        turn = threading.Lock()
        while self.alive:
            head = _request(requests)
            if not head:
                return
            method, *_ = head[0].split()
            number = next(one for one in head if one.lower().startswith("cseq"))
            extra, body = "", ""
            if method == "OPTIONS":
                extra = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n"
            elif method == "DESCRIBE":
                extra, body = "Content-Type: application/sdp\r\n", sdp
            elif method == "SETUP":
                extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            elif method == "PLAY":
                extra = "Session: 1\r\n"
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            # Not in the middle of a picture.
            with turn:
                line.sendall(
                    f"RTSP/1.0 200 OK\r\n{number}\r\n{extra}{length}\r\n{body}".encode()
                )
            if method == "PLAY":
                threading.Thread(target=self._play, args=(line, turn), daemon=True).start()
            if method == "TEARDOWN":
                return

    def _play(self, line: socket.socket, turn: threading.Lock) -> None:
        sequence, began = itertools.count(), time.monotonic()
        # What waits here is old when it is seen.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        try:
            for number in itertools.count():
                if not self.alive:
                    line.shutdown(socket.SHUT_RDWR)
                    return
                shown = self._shown[self.scene]
                # Forth and back, so that nobody jumps.
                place = number % max(1, 2 * len(shown) - 2)
                jpeg = shown[min(place, 2 * len(shown) - 2 - place)]
                with turn:
                    line.sendall(jpeg.packets(sequence, round(number * _CLOCK / self._fps)))
                self.sent += 1
                time.sleep(max(0.0, began + (number + 1) / self._fps - time.monotonic()))
        except OSError:
            return


class _Jpeg:
    """A baseline JPEG, taken apart into what RFC 2435 sends of it."""

    def __init__(self, content: bytes) -> None:
        place, tables = 2, {}
        while content[place + 1] != 0xDA:
            length = struct.unpack(">H", content[place + 2 : place + 4])[0]
            part = content[place + 4 : place + 2 + length]
            if content[place + 1] == 0xDB:
                for start in range(0, len(part), 65):
                    tables[part[start] & 15] = part[start + 1 : start + 65]
            if content[place + 1] == 0xC0:
                self._height, self._width = struct.unpack(">HH", part[1:5])
            place += 2 + length
        length = struct.unpack(">H", content[place + 2 : place + 4])[0]
        self._scan = content[place + 2 + length : -2]
        self._tables = tables[0] + tables[1]

    def packets(self, sequence: itertools.count[int], timestamp: int) -> bytes:
        """Return the picture as RTP packets, each behind RTSP's mark for channel 0."""
        out = []
        for offset in range(0, len(self._scan), _PAYLOAD):
            part = self._scan[offset : offset + _PAYLOAD]
            last = offset + _PAYLOAD >= len(self._scan)
            head = struct.pack(
                ">BBHII", 0x80, 26 | (0x80 if last else 0), next(sequence) & 0xFFFF,
                timestamp & 0xFFFFFFFF, 1,
            )
            head += struct.pack(">I", offset)
            head += bytes([_YUV420, _TABLES_INSIDE, self._width // 8, self._height // 8])
            if offset == 0:
                head += struct.pack(">BBH", 0, 0, len(self._tables)) + self._tables
            out.append(struct.pack(">cBH", b"$", 0, len(head) + len(part)) + head + part)
        return b"".join(out)


def _request(requests: BinaryIO) -> list[str]:
    """Return the lines of the next request; what comes interleaved with them is passed over."""
    lines: list[str] = []
    while True:
        first = requests.read(1)
        if not first:
            return []
        if first == b"$" and not lines:
            head = requests.read(3)
            if len(head) < 3:
                return []
            requests.read(struct.unpack(">BH", head)[1])
            continue
        text = (first + requests.readline()).decode("utf-8", errors="replace").strip()
        if not text and lines:
            return lines
        if text:
            lines.append(text)

