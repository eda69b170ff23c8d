"""Serves the owner of a home to other processes of its user, over ``HOME/control.sock``.

One thread a connection, which is idle as long as nobody asks. A connection holds what
its process began: the records that it writes, and the home itself while that is lent.
When it ends, however it ends, they are free again.

Whoever connects must run as the owner's user or as root (SO_PEERCRED); the file's mode
says the same. Nothing that arrives ends the owner: what is no request ends its
connection.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.memory import control_codec as codec
from ledger.memory import socket_place
from ledger.memory.frames import read_frame, write_frame
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.schema import control_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.unix_socket import peer_of

_LOG: Final = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 32
_CLAIMING: Final = {"progress", "seal", "interrupted", "abandon"}
"""Verbs that need to know who holds which record."""

_ROOT: Final = 0
_END_S: Final = 5.0
_PAUSE_S: Final = 0.2


@contextmanager
def owned_home(root: Path, *, wait_s: float = 0.0) -> Iterator[MemoryOwner]:
    """Own a home and serve it, for the length of the block.

    Raises what `MemoryOwner.open` raises.
    """
    with MemoryOwner.open(root, wait_s=wait_s) as owner:
        ControlServer(owner)
        yield owner


class ControlServer:
    """Listens from construction on, until its owner is closed."""

    def __init__(self, owner: MemoryOwner) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._ended = threading.Event()
        self._listening = socket_place.listen(owner.root)
        self._accepting = threading.Thread(target=self._accept, name="quipu-control", daemon=True)
        self._accepting.start()
        owner.at_close(self.close)

    def close(self) -> None:
        """Stop listening, and end every connection."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            open_now = dict(self._connections)
        socket_place.remove(self._owner.root)
        for each in (self._listening, *open_now):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in (self._accepting, *open_now.values()):
            if thread is not threading.current_thread():
                thread.join(_END_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError as error:
                if self._ended.is_set():
                    return
                # Out of descriptors or memory, which passes.
                _LOG.error("nobody can connect to the control socket: %s", error)
                self._ended.wait(_PAUSE_S)
                continue
            self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        with self._lock:
            if self._ended.is_set():
                connection.close()
                return
            if len(self._connections) < MAX_CONNECTIONS:
                thread = threading.Thread(
                    target=self._serve, args=(connection,), name="quipu-control", daemon=True
                )
                self._connections[connection] = thread
                try:
                    thread.start()
                    return
                except RuntimeError:  # the machine gives no more threads
                    del self._connections[connection]
        with connection, suppress(OSError):
            busy = RefusedError("the home's owner has too many connections", hint="try again")
            self._refuse(connection, busy)

    def _serve(self, connection: socket.socket) -> None:
        sink = OwnerSink(self._owner)
        try:
            peer = peer_of(connection)
            pid = peer.pid
            if peer.user not in (_ROOT, os.geteuid()):
                _LOG.warning(
                    "process %d of user %d was refused at the control socket", pid, peer.user
                )
                self._refuse(connection, RefusedError("this home is another user's"))
                return
            while (frame := read_frame(connection)) is not None:
                request = parse_message(control_pb2.Request, frame, "request")
                verb = request.WhichOneof("verb")
                if verb is None:
                    raise MalformedError("a request without a verb")
                if verb == "lend":
                    self._lend(connection, pid)
                    return
                _answer(connection, self._result(verb, request, sink))
        except MalformedError as error:
            with suppress(OSError):
                self._refuse(connection, error)
        except OSError as error:
            _LOG.debug("a connection to the control socket ended: %s", error)
        except Exception:  # noqa: BLE001 - nothing that arrives may end the owner
            _LOG.exception("a request at the control socket failed")
        finally:
            sink.close()
            with self._lock:
                del self._connections[connection]
            connection.close()

    def _result(
        self, verb: str, request: control_pb2.Request, sink: OwnerSink
    ) -> control_pb2.Response:
        try:
            if verb in _CLAIMING:
                self._wait_for_the_dead()
            return _carry_out(self._owner, sink, verb, request)
        except LedgerError as error:
            return control_pb2.Response(failure=codec.failure_message(error))

    def _wait_for_the_dead(self) -> None:
        """Wait until what connections of dead processes hold is free, and not still being used."""
        with self._lock:
            open_now = dict(self._connections)
        for connection, thread in open_now.items():
            while _has_hung_up(connection) and not self._ended.is_set():
                thread.join(_PAUSE_S)

    def _lend(self, connection: socket.socket, pid: int) -> None:
        try:
            with self._owner.lent(pid):
                _answer(connection, control_pb2.Response(lent=control_pb2.Nothing()))
                with suppress(OSError):
                    connection.recv(1)  # nothing comes but the end
        except LedgerError as error:
            self._refuse(connection, error)

    def _refuse(self, connection: socket.socket, error: LedgerError) -> None:
        _answer(connection, control_pb2.Response(failure=codec.failure_message(error)))


def _has_hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    try:
        poll.register(connection, select.POLLRDHUP)
    except ValueError:  # closed at our end, too
        return False
    return bool(poll.poll(0))


def _answer(connection: socket.socket, response: control_pb2.Response) -> None:
    write_frame(connection, serialize_message(response, "response"))


def _carry_out(
    owner: MemoryOwner, sink: OwnerSink, verb: str, request: control_pb2.Request
) -> control_pb2.Response:
    match verb:
        case "status":
            return control_pb2.Response(status=codec.status_message(owner.status()))
        case "checkpoint":
            return control_pb2.Response(note=owner.checkpoint())
        case "prove_inclusion":
            inclusion = request.prove_inclusion
            proof = owner.prove_inclusion(inclusion.index, inclusion.size)
            return control_pb2.Response(proof=proof)
        case "prove_consistency":
            asked = request.prove_consistency
            answer = owner.prove_consistency(asked.old_size, asked.new_size)
            return control_pb2.Response(
                consistency=control_pb2.Consistency(
                    new_size=answer.new_size, proof=answer.proof, note=answer.note
                )
            )
        case "begin":
            source = codec.path_of(request.begin.source) if request.begin.source else None
            record = sink.begin(in_place=request.begin.in_place, source=source)
            return control_pb2.Response(begun=codec.record_message(record))
        case "progress":
            mark = codec.mark_of(request.progress)
            return control_pb2.Response(index=sink.progress(request.progress.record_id, mark))
        case "seal":
            receipt = sink.seal(
                request.seal.record_id,
                codec.recording_of(request.seal.recording),
                codec.digest_of(request.seal.digest),
                tuple(map(codec.hidden_of, request.seal.hidden)),
                codec.options_of(request.seal.options),
            )
            return control_pb2.Response(sealed=codec.receipt_message(receipt))
        case "interrupted":
            found = sink.interrupted(in_place=request.interrupted.in_place)
            return control_pb2.Response(interrupted=codec.interrupted_message(found))
        case "abandon":
            sink.abandon(request.abandon.record_id, request.abandon.reason)
            return control_pb2.Response(done=control_pb2.Nothing())
        case "missing":
            index = sink.missing(request.missing.record_id, request.missing.reason)
            return control_pb2.Response(index=index)
        case "leaf_hash":
            return control_pb2.Response(leaf_hash=sink.leaf_hash(request.leaf_hash.index))
        case _:
            raise MalformedError(f"there is no verb {verb}")
