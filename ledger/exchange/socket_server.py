"""A seller offered to other processes of its user, over ``FOLDER/storefront.sock``.

One thread a connection, which is idle as long as nobody asks; requests of one connection are
answered in their order. The folder is its user's own, the file's mode is 0600, and whoever
connects must run as that user or as root (SO_PEERCRED). Nothing that arrives ends the
server: what is no frame ends its connection, and what is no request gets its refusal.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from ledger import unix_socket
from ledger.closing import Closing
from ledger.errors import LedgerError, MalformedError
from ledger.exchange.messages import Reply
from ledger.exchange.socket_frames import encode_frame, read_frame, write_frame
from ledger.experience.private_folder import make_private_folder

Answer: TypeAlias = Callable[[bytes], Reply]
"""A seller: any bytes in, a reply out; called from several threads at once."""

SOCKET_NAME: Final = "storefront.sock"
MAX_CONNECTIONS: Final = 64
IDLE_S: Final = 600.0
"""Seconds after which a connection ends over which nobody asks."""

_LOG: Final = logging.getLogger(__name__)
_ROOT: Final = 0
_END_S: Final = 5.0
_PAUSE_S: Final = 0.2


class SocketServer(Closing):
    """Listens from construction on, until it is closed. A context manager."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        """``folder`` is made if it is not there. Raises StorageError."""
        make_private_folder(folder)
        self.path: Final = folder / SOCKET_NAME
        self._answer: Final = answer
        self._lock: Final = threading.Lock()
        self._connections: Final[dict[socket.socket, threading.Thread]] = {}
        self._ended: Final = threading.Event()
        self._listening: Final = unix_socket.listen(self.path)
        self._accepting: Final = threading.Thread(
            target=self._accept, name="quipu-storefront", daemon=True
        )
        self._accepting.start()

    def close(self) -> None:
        """Stop listening, and end every connection; a second call does nothing."""
        with self._lock:
            if self._ended.is_set():
                return
            self._ended.set()
            open_now = dict(self._connections)
        unix_socket.remove(self.path)
        for each in (self._listening, *open_now):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in (self._accepting, *open_now.values()):
            thread.join(_END_S)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError as error:
                if self._ended.is_set():
                    return
                # Out of descriptors or memory, which passes.
                _LOG.error("nobody can connect to the storefront's socket: %s", error)
                self._ended.wait(_PAUSE_S)
                continue
            if not self._admit(connection):
                connection.close()

    def _admit(self, connection: socket.socket) -> bool:
        """Serve it in a thread of its own, if there may be one more."""
        with self._lock:
            if self._ended.is_set() or len(self._connections) >= MAX_CONNECTIONS:
                return False
            thread = threading.Thread(
                target=self._serve, args=(connection,), name="quipu-storefront", daemon=True
            )
            self._connections[connection] = thread
            try:
                thread.start()
            except RuntimeError:  # the machine gives no more threads
                del self._connections[connection]
                return False
            return True

    def _serve(self, connection: socket.socket) -> None:
        try:
            peer = unix_socket.peer_of(connection)
            if peer.user not in (_ROOT, os.geteuid()):
                _LOG.warning("a process of user %d was refused at the storefront", peer.user)
                return
            while (frame := read_frame(connection, IDLE_S, max_sealed=0)) is not None:
                write_frame(connection, encode_frame(self._answer(frame.message)))
        except MalformedError as error:
            _LOG.debug("a connection to the storefront sends no frames: %s", error.message)
        except OSError as error:
            _LOG.debug("a connection to the storefront ended: %s", error)
        except LedgerError as error:
            # The seller's own trouble, which is nothing for the buyer: it asks again later.
            _LOG.error("the storefront cannot answer: %s", error)
        except Exception:  # noqa: BLE001 - nothing that arrives may end the server
            _LOG.exception("a request at the storefront's socket failed")
        finally:
            with self._lock:
                del self._connections[connection]
            connection.close()
