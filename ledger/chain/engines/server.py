"""An engine offered to other processes, over ``HOME/chain.sock``.

One thread runs an event loop with a `Connection` for each client, a few others do the work;
ten thousand clients that come and go leave nothing. The file's mode lets in the engine's own
user, or a group too if one is named; the credentials of whoever connects say the same.
Nothing that arrives ends the engine: what is no request ends its connection.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger import unix_socket
from ledger.chain.engines import socket_codec as codec
from ledger.chain.engines.connection import Connection, Waiting, not_included
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.machine.home import ChainPaths
from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.schema import chain_socket_pb2 as wire

_LOG: Final = logging.getLogger(__name__)

MAX_WAIT_S: Final = 3_600.0
"""Nobody waits longer for a transaction or a block; they ask again."""

_THREADS: Final = 8
_END_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Who may connect, and how many at once."""

    group: int | None = None
    """Id of a group whose processes may connect too. They need a way to the file: a folder
    of the group's (`path`), or a home that it may enter."""
    path: Path | None = None
    """Where to listen; without it, ``HOME/chain.sock``."""
    max_connections: int = 1_024
    max_buffered: int = 256 << 20
    """Bytes of requests that are in memory, of all clients together."""


@contextmanager
def serve_chain(
    root: Path, engine: EngineSettings | None = None, server: ServerSettings | None = None
) -> Iterator[EmbeddedEngine]:
    """Run the engine of a chain and offer it, for the length of the block.

    At the end clients whose transactions wait are still answered. Raises as
    `EmbeddedEngine.open`.
    """
    chosen = server or ServerSettings()
    with EmbeddedEngine.open(root, engine) as running:
        offered = ChainServer(running, chosen.path or ChainPaths(root).socket, chosen)
        try:
            yield running
        finally:
            offered.stop_listening()
            running.finish()
            offered.close()  # whose answers are read from the engine


class ChainServer:
    """Listens from construction on, until it is closed."""

    def __init__(
        self, engine: EmbeddedEngine, path: Path, settings: ServerSettings | None = None
    ) -> None:
        chosen = settings or ServerSettings()
        self._engine = engine
        self._path = path
        self._max_connections = chosen.max_connections
        self.group = chosen.group
        self.max_buffered = chosen.max_buffered
        self.buffered = 0
        """Bytes of requests in memory."""
        self._connections: set[Connection] = set()
        self._closing = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="quipu-chain-work")
        self._listening = unix_socket.listen(path, chosen.group)
        self.loop = asyncio.new_event_loop()
        self._server = self.loop.run_until_complete(
            self.loop.create_unix_server(lambda: Connection(self), sock=self._listening)
        )
        self._thread = threading.Thread(target=self._run, name="quipu-chain-socket", daemon=True)
        self._thread.start()
        engine.at_block(self._at_block)

    def stop_listening(self) -> None:
        """Let nobody else connect."""
        if not self._closing:
            self._closing = True
            unix_socket.remove(self._path)
            self._in_loop(self._server.close)

    def close(self) -> None:
        """End every connection, once it has been sent its answers."""
        self.stop_listening()
        self._in_loop(self._end_connections)
        self._thread.join()
        self._pool.shutdown()

    # For connections, in the loop's thread

    def enter(self, connection: Connection) -> RefusedError | None:
        """Count a connection; why it is one too many, if it is."""
        full = len(self._connections) >= self._max_connections
        self._connections.add(connection)
        if full or self._closing:
            return RefusedError("the chain's engine has too many connections", hint="try again")
        return None

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def carry_out(self, request: wire.Request, done: Callable[[wire.Response], None]) -> None:
        """Carry a request out in another thread; ``done`` is called in the loop's."""

        def work() -> None:
            response = self._result(request)
            response.number = request.number
            self._in_loop(done, response)

        self._pool.submit(work)

    def waiting_of(self, connection: Connection, request: wire.Request) -> Waiting:
        """The request, as one that waits."""
        engine, number = self._engine, request.number
        if request.WhichOneof("verb") == "wait":
            ids = codec.split_ids(request.wait.ids)
            wait_ms = request.wait.timeout_ms

            def try_again() -> wire.Response | None:
                found = engine.outcomes(ids)
                return (
                    None if found is None else wire.Response(outcomes=codec.outcomes_message(found))
                )

            waiting = Waiting(connection, number, try_again, not_included)
        else:
            start, wait_ms = request.events.from_height, request.events.wait_ms

            def events() -> wire.Response | None:
                found = engine.events(start, 0)
                return wire.Response(events=codec.events_message(found)) if found else None

            nothing = wire.Response(events=wire.BlockEvents())
            waiting = Waiting(connection, number, events, lambda: nothing)
        wait_s = min(wait_ms / 1e3, MAX_WAIT_S)
        waiting.timer = self.loop.call_later(wait_s, connection.time_out, waiting)
        return waiting

    # The rest

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def _at_block(self) -> None:
        self._in_loop(self._look_again)

    def _in_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # a loop that has ended has nobody left to answer
            self.loop.call_soon_threadsafe(call, *arguments)

    def _look_again(self) -> None:
        for connection in list(self._connections):
            for waiting in list(connection.waiting):
                connection.look_again(waiting)

    def _end_connections(self) -> None:
        self._look_again()
        for connection in list(self._connections):
            connection.close()
        self._stop_when_empty(self.loop.time() + _END_S)

    def _stop_when_empty(self, until_s: float) -> None:
        if not self._connections:
            self.loop.stop()
            return
        if self.loop.time() > until_s:
            for connection in list(self._connections):
                connection.abort()
        self.loop.call_later(0.01, self._stop_when_empty, until_s)

    def _result(self, request: wire.Request) -> wire.Response:
        try:
            return _carry_out(self._engine, request)
        except LedgerError as error:
            return wire.Response(failure=codec.failure_message(error))
        except Exception:  # noqa: BLE001 - nothing that arrives may end the engine
            _LOG.exception("a request at the chain's socket failed")
            failed = RefusedError("the engine failed at this request", hint="see its log")
            return wire.Response(failure=codec.failure_message(failed))


def _carry_out(engine: EmbeddedEngine, request: wire.Request) -> wire.Response:
    match request.WhichOneof("verb"):
        case "info":
            return wire.Response(info=codec.info_message(engine.info()))
        case "genesis":
            return wire.Response(message=engine.genesis())
        case "submit":
            attachments = {sha256(each).digest(): each for each in request.submit.attachments}
            admissions = engine.submit(list(request.submit.transactions), attachments)
            return wire.Response(admissions=codec.admissions_message(admissions))
        case "receipt":
            return wire.Response(message=engine.receipt(request.receipt))
        case "answer":
            height = request.answer.height - 1 if request.answer.height else None
            return wire.Response(message=engine.answer(request.answer.key, height))
        case "signed_header":
            return wire.Response(message=engine.signed_header(request.signed_header or None))
        case "block":
            return wire.Response(block=codec.block_message(engine.block(request.block)))
        case "checkpoint":
            return wire.Response(message=engine.checkpoint())
        case "consistency":
            asked = request.consistency
            hashes = engine.consistency(asked.old_size, asked.new_size)
            return wire.Response(consistency=wire.Hashes(hashes=hashes))
        case verb:
            raise MalformedError(f"there is no verb {verb}")
