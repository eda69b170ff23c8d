"""An atomic sale in a process of its own, both ends on disk, on a chain in the parent.

The parent holds the chain, of the real rules, and answers over a socket; the child runs both
ends and may be killed anywhere. What it asked of the chain is then done, or was never asked.
"""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ledger.chain.codes import ResultCode
from ledger.chain.sale_end import SaleEnd
from ledger.exchange.grant import Grant
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.exchange_world import ExchangeWorld
from tests.ledger.exchange.swap_world import Shelf, SwapWorld, WorldChain

_HEADER: Final = 4


class ServedChain:
    """The chain in the parent, for as many children as there come."""

    def __init__(self, world: ExchangeWorld) -> None:
        self.chain: Final = WorldChain(world)
        self._threads: Final[list[threading.Thread]] = []

    def connect(self) -> socket.socket:
        """An end for a child that is about to be forked."""
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(ours,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return theirs

    def drain(self) -> None:
        """Wait until all that children asked for is done."""
        while self._threads:
            self._threads.pop().join(20)

    def _serve(self, end: socket.socket) -> None:
        with end:
            while (asked := _receive(end)) is not None:
                name, arguments = asked
                if name == "pass":
                    self.chain.world.advance(*arguments)
                    answer: Any = None
                elif name == "chain":
                    answer = self.chain.chain
                else:
                    answer = getattr(self.chain, name)(*arguments)
                if isinstance(answer, SaleRecord):
                    answer = answer.SerializeToString()
                try:
                    _send(end, answer)
                except OSError:
                    return


class RemoteChain:
    """The parent's chain, as the child has it."""

    def __init__(self, end: socket.socket, grant: bytes) -> None:
        self._end, self.granted = end, grant

    @property
    def world(self) -> RemoteChain:
        return self

    def _ask(self, name: str, *arguments: Any) -> Any:
        _send(self._end, (name, arguments))
        answer = _receive(self._end)
        if answer is None:
            raise ConnectionError("the chain is gone")
        return answer[0]

    @property
    def chain(self) -> bytes:
        return bytes(self._ask("chain"))

    def height(self) -> int:
        return int(self._ask("height"))

    def sequence(self, account: bytes) -> int:
        return int(self._ask("sequence", account))

    def sale(self, sale: bytes) -> SaleRecord | None:
        record = self._ask("sale", sale)
        return None if record is None else SaleRecord.FromString(record)

    def revealed_key(self, sale: bytes, hashed: bytes, from_height: int) -> bytes | None:
        key: bytes | None = self._ask("revealed_key", sale, hashed, from_height)
        return key

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        end: SaleEnd | None = self._ask("ended", sale, from_height)
        return end

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        return ResultCode(self._ask("submit", transaction, list(attachments)))

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        """One after the other, in a block each: there is one sale."""
        codes = []
        for body in bodies:
            body.sequence = self.sequence(wallet.account)
            codes.append(self.submit(wallet.sign(self.chain, body)))
        return codes

    def grant(self, grant: bytes) -> Grant | None:
        found: Grant | None = self._ask("grant", grant)
        return found

    def channel(self, channel: bytes) -> ChannelRecord | None:
        return None

    def is_withdrawn(self, grant: Grant) -> bool:
        withdrawn: bool = self._ask("is_withdrawn", grant)
        return withdrawn

    def advance(self, count: int) -> None:
        self._ask("pass", count)


def trade(root: Path, end: socket.socket, grant: bytes, shelf: Shelf) -> str:
    """Begin or take up the sale under ``root`` and bring it to its end; how the buyer's ended."""
    world = SwapWorld(root, RemoteChain(end, grant), shelf, grant=grant)
    world.counter.tend()
    ended = world.buy()
    world.leave()
    for _ in range(8):
        world.counter.tend()
        world.pass_blocks(1)
    return type(ended).__name__


def _send(end: socket.socket, value: Any) -> None:
    data = pickle.dumps(value if isinstance(value, tuple) else (value,))
    end.sendall(len(data).to_bytes(_HEADER, "big") + data)


def _receive(end: socket.socket) -> Any:
    header = _exactly(end, _HEADER)
    if header is None:
        return None
    data = _exactly(end, int.from_bytes(header, "big"))
    return None if data is None else pickle.loads(data)  # noqa: S301 - our own child's


def _exactly(end: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        try:
            part = end.recv(size - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return data
