"""What participants of a DDS domain say of themselves to everybody, as it arrives at a port.

A participant announces itself to the ports of those who may be there (RTPS 2.5, 9.6.2.4); one
of these is listened at here, and no DDS takes part in it.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Mapping
from types import TracebackType

_PARTICIPANT = 25  # of a domain; beyond those that the tests start
_PROPERTY = re.compile(rb"fastdds\.physical_data\.(host|user|process)\0")


class Announcements:
    """Hears announcements on a domain of this machine."""

    def __init__(self, domain: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 7400 + 250 * domain + 10 + 2 * _PARTICIPANT))

    def __enter__(self) -> Announcements:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def hear(self, wanted: int, seconds: float = 20.0) -> dict[str, Mapping[str, bytes]]:
        """What ``wanted`` participants say of host, user and process, by GUID prefix."""
        found: dict[str, Mapping[str, bytes]] = {}
        until = time.monotonic() + seconds
        while len(found) < wanted and (left := until - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet = self._socket.recv(65_536)
            except TimeoutError:
                break
            if packet.startswith(b"RTPS") and b"PARTICIPANT_TYPE" in packet:
                found[packet[8:20].hex()] = dict(_properties(packet))
        return found


def _properties(packet: bytes) -> list[tuple[str, bytes]]:
    found = []
    for match in _PROPERTY.finditer(packet):
        # Strings of CDR: u32le length with the zero byte, then the bytes; aligned to 4.
        at = match.end() + (-len(match[0]) % 4)
        (length,) = struct.unpack_from("<I", packet, at)
        found.append((match[1].decode(), packet[at + 4 : at + 4 + length].rstrip(b"\0")))
    return found
