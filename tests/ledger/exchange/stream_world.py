"""A seller, a buyer and a channel between them; content of a few chunks."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ledger.chain.channel.identity import channel_id
from ledger.chain.state_keys import channel_key, grant_key, offer_key, robot_key
from ledger.errors import ErasedError, NotFoundError
from ledger.exchange.buyer import OpeningStream
from ledger.exchange.counter import Counter
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import Desk
from ledger.exchange.transport import InProcess
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.content_root import (
    CHUNK_SIZE,
    content_root_of_leaves,
    leaves_of_chunks,
    rechunk,
)
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_identity_pb2 import RobotRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord, Terms
from ledger.wallet.payer import PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.ledger.chain.rules.chain_world import ChainWorld, known_key
from tests.ledger.wallet.channel_ends import wallet

PRICE: Final = 10
UNITS: Final = 5
EXPIRY: Final = 60
SALT_KEY: Final = bytes(range(32))
GRANT: Final = sha256(b"a grant").digest()


def content_of(units: int, rest: int = 1_000) -> bytes:
    """Content of ``units`` chunks, the last of ``rest`` bytes; no two chunks alike."""
    block = b"".join(sha256(n.to_bytes(4, "big")).digest() for n in range(CHUNK_SIZE // 32))
    whole = b"".join(bytes([n]) + block[1:] for n in range(units))
    return whole[: (units - 1) * CHUNK_SIZE + rest] if units else b""


class BytesSource:
    """A `ChunkSource` of bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @property
    def size(self) -> int:
        return len(self.content)

    def read_into(self, offset: int, view: memoryview) -> None:
        view[:] = self.content[offset : offset + len(view)]


def units_of(content: bytes) -> StoredUnits:
    leaves = leaves_of_chunks(SALT_KEY, rechunk([content]))
    return StoredUnits(BytesSource(content), SALT_KEY, leaves)


def write_grant(world: ChainWorld, grant: Grant, **terms_of: Any) -> None:
    """Have a chain know a grant, and the offer and the robot that it is of."""
    robot, offer = "robot.example/seller", bytes(32)
    world.state.write(robot_key(robot), RobotRecord(fleet=bytes(32)))
    world.state.write(offer_key(offer), OfferRecord(origin=robot, record_id=bytes(16)))
    record = GrantRecord(
        offer=offer,
        terms=Terms(
            asset=grant.asset,
            chunk_price=grant.chunk_price,
            record_price=grant.record_price,
            **terms_of,
        ),
        key=grant.buyer,
        seller=grant.seller,
        content_root=grant.content_root,
        content_size=grant.content_size,
        expiry_height=grant.expiry_height,
    )
    world.state.write(grant_key(grant.grant), record)
    world.state.keep()


class StreamWorld:
    """Alice buys from Bob, on a chain at height 1: `SaleChain` and `Contents` at once."""

    def __init__(
        self, root: Path, payword: PayWordOffer | None = None, content: bytes | None = None
    ) -> None:
        self.root = root
        self.content = content_of(UNITS) if content is None else content
        self.units: StoredUnits | None = units_of(self.content)
        self.now = 1
        self.withdrawn = False
        self.world = ChainWorld()
        self.alice, self.bob = wallet(root, "alice"), wallet(root, "bob")
        leaves = leaves_of_chunks(SALT_KEY, rechunk([self.content]))
        self.granted = Grant(
            chain=self.world.chain,
            grant=GRANT,
            buyer=self.alice.account,
            seller=self.bob.account,
            content_root=content_root_of_leaves(leaves),
            content_size=len(self.content),
            asset=0,
            chunk_price=PRICE,
            record_price=0,
            expiry_height=EXPIRY,
        )
        write_grant(self.world, self.granted)
        self.channel_id = self.open_channel(payword)
        (root / "sales").mkdir(exist_ok=True)
        self.payer: PayerOpen | None = None
        self.purchase: Purchase | None = None
        self.counter = self.new_counter()

    def open_channel(self, payword: PayWordOffer | None = None, **terms: Any) -> bytes:
        values = {
            "payee": self.bob.account,
            "asset": 0,
            "deposit": 1_000,
            "expiry_height": 101,
            "challenge": 5,
            "payword": payword,
            "grant": GRANT,
            **terms,
        }
        account = self.world.account(self.alice.account)
        sequence = account.sequence if account else 0
        opening = self.alice.open_channel(self.world.chain, sequence, **values)
        self.world.must(known_key("alice"), opening.message)
        found = self.channel(opening.channel)
        assert found is not None
        opening.opened(found).release()
        assert opening.channel == channel_id(self.world.chain, self.alice.account, sequence)
        return opening.channel

    # SaleChain and Contents

    def grant(self, grant: bytes) -> Grant | None:
        return self.granted if grant == self.granted.grant else None

    def channel(self, channel: bytes) -> ChannelRecord | None:
        return self.world.state.read(ChannelRecord, channel_key(channel))

    def is_withdrawn(self, grant: Grant) -> bool:
        return self.withdrawn

    def height(self) -> int:
        return self.now

    def find(self, grant: Grant) -> StoredUnits:
        if self.units is None:
            raise ErasedError("the content was erased")
        if grant.content_root != self.granted.content_root:
            raise NotFoundError("no such content")
        return self.units

    # The two ends

    def free(self) -> None:
        """From here on the content costs nothing."""
        self.granted = replace(self.granted, chunk_price=0)
        self.channel_id = b""

    def new_counter(self) -> Counter:
        return Counter(Desk(self.bob, self, self.root / "sales"), self)

    def restart_seller(self) -> None:
        self.counter.close()
        self.bob = Wallet.open(self.root / "bob")
        self.counter = self.new_counter()

    def begin(self, folder: str = "bought") -> OpeningStream:
        """The buyer at the beginning, or where it was."""
        place = self.root / folder
        self.leave()
        if (place / "purchase").exists():
            self.purchase = Purchase.open(place)
        else:
            self.purchase = Purchase.create(place, self.granted, self.channel_id)
        if self.channel_id:
            payer = self.alice.payer(self.channel_id)
            assert isinstance(payer, PayerOpen)
            self.payer = payer
        return OpeningStream(self.purchase, self.alice, self.payer)

    def leave(self) -> None:
        """The buyer's process ends."""
        if self.purchase is not None:
            self.purchase.close()
        if self.payer is not None:
            self.payer.release()
        self.purchase = self.payer = None

    def close(self) -> None:
        self.leave()
        self.counter.close()

    @property
    def bought(self) -> Purchase:
        assert self.purchase is not None
        return self.purchase

    @property
    def paid(self) -> int:
        return self.payer.paid if self.payer is not None else 0

    @property
    def earned(self) -> int:
        sale = self.counter.sale(self.granted.grant)
        return sale.earned if sale is not None else 0

    @property
    def transport(self) -> InProcess:
        return InProcess(self.counter)

    def ask(self, request: bytes) -> Reply:
        return self.counter.answer(request)

    def received(self, folder: str = "bought") -> bytes:
        return (self.root / folder / "content").read_bytes()
