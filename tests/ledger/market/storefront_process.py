"""A storefront in a process of its own: ``python -m`` this, with a JSON file of what it needs.

It sells at its socket, watches the chain over the engine's, and says so on a line. Until its
input ends; or it is killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ledger.chain.engines.client import ChainClient
from ledger.chain.light.trust_file import read_trust
from ledger.chain.proven.chain import ProvenChain
from ledger.exchange.socket_server import SOCKET_NAME, SocketServer
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.wallet.wallet import Wallet
from tests.ledger.market.sellers_world import BRISK


def main(path: str) -> None:
    said = json.loads(Path(path).read_text())
    with ExitStack() as held:
        client = held.enter_context(ChainClient(Path(said["chain"])))
        chain = ProvenChain(client, read_trust(Path(said["trust"])))
        homes = held.enter_context(SellingHomes([Path(home) for home in said["homes"]]))
        wallets = [Wallet.open(Path(wallet)) for wallet in said["wallets"]]
        shop = held.enter_context(Storefront(Path(said["folder"]), chain, wallets, homes, BRISK))
        held.enter_context(SocketServer(shop.folder, shop.answer))
        held.enter_context(shop.watching())
        sys.stdout.write("sells\n")
        sys.stdout.flush()
        sys.stdin.read()


class Shop:
    """That process, to be killed and started again."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self.settings = settings
        self.socket = folder / SOCKET_NAME
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.ledger.market.storefront_process", str(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "sells\n"

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self._wait()

    def end(self) -> int:
        assert self.process is not None
        return self._wait()

    def _wait(self) -> int:
        process, self.process = self.process, None
        assert process is not None
        with process:
            if process.stdin is not None:
                process.stdin.close()
            return process.wait(60)


@contextmanager
def running(settings: Path, folder: Path) -> Iterator[Shop]:
    """A shop that is gone when the block ends."""
    shop = Shop(settings, folder)
    shop.start()
    try:
        yield shop
    finally:
        if shop.process is not None:
            shop.kill()


if __name__ == "__main__":
    main(sys.argv[1])
