"""Asks the owner of a home, from another process of the same user."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.closing import Closing
from ledger.errors import MalformedError, StorageError
from ledger.memory import control_codec as codec
from ledger.memory import socket_place
from ledger.memory.frames import read_frame, write_frame
from ledger.memory.owner import ConsistencyAnswer
from ledger.memory.status import MemoryStatus
from ledger.schema import control_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage.os_errors import storage_errors

ANSWER_S: Final = 10.0
"""How long an owner may take over what waits for nobody."""


class NoOwnerError(StorageError):
    """Nobody owns the home, or its owner is just going."""


class ControlClient(Closing):
    """One connection to a home's owner, for one thread at a time.

    Methods raise what the owner raises, `NoOwnerError` when the connection breaks off,
    and StorageError where the socket must not be used.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        with storage_errors(root / socket_place.SOCKET_NAME):
            try:
                self._connection = socket_place.connect(root)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise self._gone() from error

    def close(self) -> None:
        """End the connection: what was lent or begun over it is free again."""
        self._connection.close()

    def status(self) -> MemoryStatus:
        """What the owner says of itself; it never waits for a disk or a command."""
        request = control_pb2.Request(status=control_pb2.Nothing())
        return codec.status_of(self.ask(request, wait_s=ANSWER_S).status)

    def checkpoint(self) -> bytes:
        """Have the log signed; waits while the home is lent."""
        return self.ask(control_pb2.Request(checkpoint=control_pb2.Nothing())).note

    def prove_inclusion(self, index: int, size: int = 0) -> bytes:
        """See `MemoryOwner.prove_inclusion`."""
        asked = control_pb2.ProveInclusion(index=index, size=size)
        return self.ask(control_pb2.Request(prove_inclusion=asked)).proof

    def prove_consistency(self, old_size: int, new_size: int = 0) -> ConsistencyAnswer:
        """See `MemoryOwner.prove_consistency`."""
        asked = control_pb2.ProveConsistency(old_size=old_size, new_size=new_size)
        answer = self.ask(control_pb2.Request(prove_consistency=asked)).consistency
        return ConsistencyAnswer(answer.new_size, tuple(answer.proof), answer.note)

    def lend(self) -> None:
        """Have the owner leave the home to this process until the connection is closed."""
        self.ask(control_pb2.Request(lend=control_pb2.Nothing()))

    def ask(
        self, request: control_pb2.Request, *, wait_s: float | None = None
    ) -> control_pb2.Response:
        """Send a request and wait for its answer, for ever unless ``wait_s`` is given."""
        try:
            self._connection.settimeout(wait_s)
            write_frame(self._connection, serialize_message(request, "request"))
            frame = read_frame(self._connection)
        except OSError as error:
            self.close()  # an answer that comes late would be taken for the next one's
            raise self._gone() from error
        if frame is None:
            raise self._gone()
        response = parse_message(control_pb2.Response, frame, "answer of the home's owner")
        result = response.WhichOneof("result")
        if result == "failure":
            raise codec.error_of(response.failure)
        if result is None:
            raise MalformedError("an answer of the home's owner says nothing")
        return response

    def _gone(self) -> NoOwnerError:
        return NoOwnerError(
            f"no process that owns {self._root} answers",
            hint="start the robot's memory, or use the home without it",
        )
