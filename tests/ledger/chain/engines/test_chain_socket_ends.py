"""How serving a chain ends: engines that close, servers that are killed or late."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import ChainServer, serve_chain
from ledger.chain.engines.service import (
    ConnectionLostError,
    EngineClosedError,
    Inclusion,
    NoEngineError,
)
from ledger.chain.machine.home import ChainPaths
from tests.ledger.chain.engines.engine_process import engine_process
from tests.ledger.chain.engines.engine_world import PATIENCE_S, QUICK, EngineWorld, wait_until


def test_a_server_that_is_killed_and_comes_back(root: Path, world: EngineWorld) -> None:
    transactions = world.transfers(5)
    with engine_process(root) as process:
        client = ChainClient.at_home(root)
        admissions = client.submit(transactions)
        client.wait_all([each.id for each in admissions], PATIENCE_S)
        with ThreadPoolExecutor(2) as pool:
            connection = client._connection
            assert connection is not None
            following = pool.submit(client.events, 1_000, PATIENCE_S)
            wait_until(lambda: bool(connection._asked))
            process.kill()
            with pytest.raises(ConnectionLostError) as raised:
                following.result(PATIENCE_S)
            assert raised.value.hint
        process.wait(PATIENCE_S)
        with pytest.raises(NoEngineError):
            client.info()
    with engine_process(root):
        # The same client goes on; what was acknowledged is there.
        height = client.info().height
        assert height >= 2
        assert client.wait(admissions[0].id, 0).height <= height
        assert [each.code for each in client.submit(transactions)] == [ResultCode.SEQUENCE_PAST] * 5
        (admission,) = client.submit(world.transfers(1))
        client.wait(admission.id, PATIENCE_S)
        client.close()
    with pytest.raises(EngineClosedError):
        client.info()


def test_clients_are_answered_when_the_engine_closes(root: Path, world: EngineWorld) -> None:
    engine = EmbeddedEngine.open(root, QUICK)
    server = ChainServer(engine, ChainPaths(root).socket)
    with ChainClient.at_home(root) as client, ThreadPoolExecutor(2) as pool:
        (admission,) = client.submit([world.transfer()])
        included = pool.submit(client.wait, admission.id, PATIENCE_S)
        following = pool.submit(client.events, 99, PATIENCE_S)
        # One is answered, and the other waits at the server.
        wait_until(
            lambda: included.done() and any(each.waiting for each in list(server._connections))
        )
        server.stop_listening()
        engine.close()
        server.close()
        assert isinstance(included.result(PATIENCE_S), Inclusion)
        with pytest.raises(EngineClosedError):
            following.result(PATIENCE_S)
        with pytest.raises(NoEngineError):
            client.info()
    assert not ChainPaths(root).socket.exists()


def test_a_server_that_is_late_at_the_end_still_tells_what_was_committed(
    root: Path, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = ChainServer.stop_listening

    def stop_late(server: ChainServer) -> None:
        wait_until(lambda: any(each.waiting for each in list(server._connections)))
        stop(server)
        server._in_loop(time.sleep, 0.2)

    monkeypatch.setattr(ChainServer, "stop_listening", stop_late)
    with ThreadPoolExecutor(1) as pool:
        with serve_chain(root, replace(QUICK, block_period_s=3600.0)):
            client = ChainClient.at_home(root)
            (admission,) = client.submit([world.transfer()])
            included = pool.submit(client.wait, admission.id, PATIENCE_S)
        assert isinstance(included.result(PATIENCE_S), Inclusion)
        client.close()
