"""A radio link between two Unix sockets: as slow as one, and what goes over it can be looked at.

A purchase that takes a second shows how it goes on, and can be killed in its middle.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ledger import unix_socket

BYTES_A_SECOND = 2_000_000
_PIECE = 16_384


class Radio:
    """Listens at ``path`` and passes everything on to ``to``; the answers at a radio's pace."""

    def __init__(self, path: Path, to: Path, bytes_a_second: int = BYTES_A_SECOND) -> None:
        self.path = path
        self._to = to
        self._pace = bytes_a_second
        self._heard: list[bytes] = []
        self._listening = unix_socket.listen(path)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listening.close()
        unix_socket.remove(self.path)

    @property
    def heard(self) -> bytes:
        """All that an eavesdropper has of what the seller sent."""
        return b"".join(self._heard)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            try:
                far = unix_socket.connect(self._to)
            except OSError:
                near.close()
                continue
            for source, target, paced in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pass_on, args=(source, target, paced), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, paced: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                if paced:
                    self._heard.append(data)
                    time.sleep(len(data) / self._pace)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
