"""The way to a seller in another process of this user, over its socket."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from ledger import unix_socket
from ledger.closing import Closing
from ledger.exchange.messages import Reply
from ledger.exchange.socket_frames import encode_frame, read_frame, write_frame
from ledger.exchange.transport import NoSellerError, SellerLostError, SellerSilentError
from ledger.storage.os_errors import storage_errors

ANSWER_S: Final = 60.0
"""Seconds that a seller may take over a request."""


class SocketTransport(Closing):
    """A `ledger.exchange.transport.Transport` over one connection; threads take turns.

    It connects when it is asked first, and again after the connection has ended. A context
    manager.
    """

    def __init__(self, path: Path, answer_s: float = ANSWER_S) -> None:
        self._path: Final = path
        self._answer_s: Final = answer_s
        self._lock: Final = threading.Lock()
        self._connection: socket.socket | None = None

    def reach(self) -> None:
        """Connect now. Raises NoSellerError where nobody listens, StorageError."""
        with self._lock:
            self._connected()

    def ask(self, request: bytes) -> Reply:
        """The seller's reply.

        Raises NoSellerError where nobody listens, SellerLostError where the seller goes,
        SellerSilentError where it does not answer, MalformedError for what is no reply,
        StorageError where the socket is barred. Asking again is safe after any of them.
        """
        frame = encode_frame(Reply(request))
        with self._lock:
            is_new = self._connection is None
            try:
                return self._exchange(frame)
            except SellerLostError:
                # A seller that was restarted since the last request: it is there again.
                if is_new:
                    raise
            return self._exchange(frame)

    def close(self) -> None:
        """End the connection; `ask` makes another."""
        with self._lock:
            self._disconnect()

    def _exchange(self, frame: bytes) -> Reply:
        try:
            connection = self._connected()
            write_frame(connection, frame)
            reply = read_frame(connection, self._answer_s)
        except TimeoutError as error:
            self._disconnect()
            raise SellerSilentError(
                f"the seller at {self._path} does not answer", hint="see whether it still runs"
            ) from error
        except OSError as error:
            self._disconnect()
            raise self._lost() from error
        except BaseException:
            # An answer that comes late would be taken for the next one's.
            self._disconnect()
            raise
        if reply is None:
            self._disconnect()
            raise self._lost()
        return reply

    def _connected(self) -> socket.socket:
        if self._connection is None:
            with storage_errors(self._path):
                try:
                    self._connection = unix_socket.connect(self._path)
                except (FileNotFoundError, ConnectionRefusedError) as error:
                    raise NoSellerError(
                        f"no storefront listens at {self._path}", hint="start the fleet's"
                    ) from error
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def _lost(self) -> SellerLostError:
        return SellerLostError(
            f"the connection to the seller at {self._path} ended", hint="ask again"
        )
