"""Which member of a fleet made which purchase: every field is tried, and none tells.

Two members that are as different as members can be buy the same recording again and again, as
robots do, in an order that is drawn. Then each field that anybody sees is tried on its own as
a classifier that knows all the answers (`seen_purchases`). That it would find a leak is shown
by planting some.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest

from ledger.chain.account import Account
from ledger.chain.channel.identity import channel_id
from ledger.chain.result import Result
from ledger.chain.state_keys import account_key, channel_key, grant_key, nullifier_key
from ledger.credentials.member_file import MemberFile
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reply
from ledger.exchange.session import new_agreement_key
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_payment import BoughtSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import EndedSwap, LockedSwap, ProposedSwap, RevealedSwap, SwapDesk
from ledger.exchange.transport import InProcess, Transport
from ledger.market.acquisition_states import Closed
from ledger.market.buying import acquire
from ledger.market.funding import need_of
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.market.swap_chain import ProvenSwapChain
from ledger.market.tools import Progress
from ledger.schema.chain_channel_pb2 import ChannelRecord
from ledger.schema.chain_grant_pb2 import GrantRecord, NullifierRecord
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from ledger.schema.chain_receipt_pb2 import Receipt
from ledger.schema.exchange_pb2 import StreamRequest
from tests.fleet.seen_purchases import Seen, tell_apart
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.fleet.test_sharing_secrets import AtCounter
from tests.fleet.test_sharing_whole import BUYING, SELLING
from tests.ledger.market.buyers_world import BuyersWorld
from zkproofs.group import group

TURNS = 9
"""Purchases of each member. A field of no meaning tells by chance once in 24,000."""
USES = 64
YEAR_S = 365 * 24 * 3_600
QUICK = replace(SELLING, complaint_blocks=2)


@dataclass(frozen=True)
class Buyer:
    """A member, and how it says who it is."""

    name: str
    file: MemberFile


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    root = tmp_path_factory.mktemp("unlinkable")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield BuyersWorld(root, held)


@pytest.fixture(scope="module")
def buyers(world: BuyersWorld) -> tuple[Buyer, Buyer]:
    """A new courier of level 3, and an old medic of level 9 whose credential goes on for years."""
    files = []
    for robot_id, level, role, years in ((7, 3, "courier", 1), (2**32 - 9, 9, "medic", 40)):
        file = MemberFile(world.root / world.name("member"))
        expiry = int(time.time()) + years * YEAR_S
        file.accept(
            world.issuer.answer(file.request(world.issuer.invite(role, level, expiry, robot_id)))
        )
        files.append(file)
    return Buyer("courier", files[0]), Buyer("medic", files[1])


class Overheard:
    """The way to a seller, who looks at what it is asked."""

    def __init__(self, inner: Transport, seen: Seen) -> None:
        self.inner, self.seen, self.count = inner, seen, 0

    def ask(self, request: bytes) -> Reply:
        self.seen.add(f"asked[{self.count}]", StreamRequest.FromString(request))
        self.count += 1
        return self.inner.ask(request)


def purchase(world: BuyersWorld, buyer: Buyer, offer: bytes, **wish: object) -> Seen:
    """One purchase, and all that was to be seen of it."""
    seen = Seen(buyer.name, world.height())

    def way(grant: Grant) -> Transport:
        return Overheard(InProcess(world.counter), seen)

    def told(progress: Progress) -> None:
        for channel in channels(world, seen.begun_height):
            record = world.read(ChannelRecord, channel_key(channel))
            if record is not None:
                seen.add(f"channel at {progress.stage.name}", record)

    with world.begin(offer, **wish) as acquisition:  # type: ignore[arg-type]
        end = acquire(acquisition, world.tools(buyer.file, way=way), told)
    assert isinstance(end, Closed)
    world.close_sale(end.grant)
    look(world, seen, end.grant)
    return seen


def channels(world: BuyersWorld, since: int) -> list[bytes]:
    opened = []
    for height in range(since + 1, world.height() + 1):
        for encoded in world.engine.block(height).transactions:
            body = world.body(bytes(encoded))
            if body.WhichOneof("action") == "open_channel":
                opened.append(channel_id(world.chain, body.signer, body.sequence))
    return opened


def look(world: BuyersWorld, seen: Seen, grant: Grant) -> None:
    """What the chain has of a purchase once it is over."""
    place = 0
    for height in range(seen.begun_height + 1, world.height() + 1):
        block = world.engine.block(height)
        for encoded, result in zip(block.transactions, block.results, strict=True):
            transaction = Transaction.FromString(bytes(encoded))
            body = TransactionBody.FromString(transaction.body)
            name = f"{place} {body.WhichOneof('action')}"
            seen.add(name, body)
            seen.add_value(f"{name} signature", transaction.signature)
            seen.add_value(f"{name} size", len(encoded))
            parsed = Result.parse(bytes(result))
            seen.add_value(f"{name} id", parsed.transaction)
            for number, event in enumerate(parsed.events):
                seen.add(f"{name} event[{number}]", event)
            receipt = Receipt.FromString(world.engine.receipt(parsed.transaction))
            seen.add_value(f"{name} receipt size", len(receipt.transaction) + len(receipt.result))
            seen.add_value(f"{name} height", height)
            place += 1
    record = world.read(GrantRecord, grant_key(grant.grant))
    assert record is not None
    seen.add("grant", record)
    nullifier = world.read(NullifierRecord, nullifier_key(record.nullifier))
    assert nullifier is not None
    seen.add("nullifier", nullifier)
    row = world.row(account_key(record.key))
    assert row is not None
    account = Account.decode(row)
    seen.add_value("account sequence", account.sequence)
    seen.add_value("account left", account.amount(0))


def purchases(
    world: BuyersWorld,
    buyers: tuple[Buyer, Buyer],
    turns: int,
    before: Callable[[Buyer], dict[str, int]] = lambda buyer: {},
) -> list[Seen]:
    """Each member's purchases, in a drawn order; ``before`` gives of the wish."""
    offer = world.offered(uses=USES).offer
    return [purchase(world, each, offer, **before(each)) for each in drawn(buyers, turns)]


def drawn(buyers: tuple[Buyer, Buyer], turns: int) -> Iterator[Buyer]:
    """Each member so often, in pairs whose order is drawn.

    Never one member first each time: what grows with time would tell.
    """
    chance = random.Random("pairs")
    for turn in range(turns):
        yield from (buyers if turn == 0 or (turn > 1 and chance.random() < 0.5) else buyers[::-1])


def bought_whole(world: BuyersWorld, buyer: Buyer, offered: Offered, seller: SwapCounter) -> Seen:
    """One atomic purchase, and all that was to be seen of it."""
    seen, member = Seen(buyer.name, world.height()), buyer.file.credential()
    use = world.choose(member, offered.contract, USES)
    bought = world.granted(member, offered, use=use)
    need = need_of(bought.grant, FEE)[0]
    world.funding.fund(bought.grant.grant, bought.wallet.account, 0, need)
    purchase = SwapPurchase.create(world.root / world.name("whole"), bought.grant)
    end = BuyingEnd(
        purchase,
        bought.wallet,
        ProvenSwapChain(world.proven),
        replace(BUYING, least_complaint_blocks=2),
    )

    def wait(height: int) -> None:
        for state in seller.tend():
            if isinstance(state, ProposedSwap | LockedSwap | RevealedSwap) and (
                state.row.grant == bought.grant
            ):
                seen.add(f"sale at {type(state).__name__}", state.record)
        world.pass_blocks(height + 1 - world.height())

    assert isinstance(swap(end, Overheard(AtCounter(seller), seen), wait), BoughtSwap)
    # Until it is settled, so that nothing of it is seen beside the next one.
    world.pass_blocks(QUICK.complaint_blocks)
    seller.tend()
    assert isinstance(seller.swap(bought.grant.grant), EndedSwap)
    look(world, seen, bought.grant)
    purchase.close()
    return seen


def test_no_field_of_atomic_sales_tells_either(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer]
) -> None:
    sales = world.root / world.name("sales")
    sales.mkdir()
    chain = ProvenSellersChain(world.proven)
    desk = SwapDesk(world.sellers_wallet, world, chain, sales, QUICK)
    seller, offered = SwapCounter(desk, world.contents, world.counter), world.offered(uses=USES)
    seen = [bought_whole(world, each, offered, seller) for each in drawn(buyers, TURNS)]
    assert tell_apart(seen) == []
    names = {path.split(".")[0] for path in seen[0].octets | seen[0].numbers}
    for name in ("sale at ProposedSwap", "sale at RevealedSwap", "asked[1]", "asked[5]"):
        assert name in names
    assert any("lock_sale" in name for name in names)


def test_no_field_tells_which_member_made_which_purchase(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer]
) -> None:
    seen = purchases(world, buyers, TURNS)
    assert tell_apart(seen) == []
    # All of it was looked at: the request, the money, the channel, the seller's side.
    names = {path.split(".")[0] for path in seen[0].octets | seen[0].numbers}
    for name in (
        "0 request_grant",
        "1 pay_from_pool",
        "2 open_channel",
        "grant",
        "nullifier",
        "channel at STREAMING",
        "asked[0]",
        "asked[5]",
    ):
        assert name in names
    assert any("close_channel" in name for name in names)


def test_all_requests_are_of_one_size(world: BuyersWorld, buyers: tuple[Buyer, Buyer]) -> None:
    """Whoever asks, and however often the use has one digit or two."""
    offered = world.offered(uses=USES)
    for use in (0, 1, 40):
        sizes = set()
        for buyer in buyers:
            member = buyer.file.credential()
            sizes.add(len(world.request(member, offered, use=use)))
        assert len(sizes) == 1


# A detector that finds nothing proves nothing


def planted(
    world: BuyersWorld,
    buyers: tuple[Buyer, Buyer],
    before: Callable[[Buyer], dict[str, int]] = lambda buyer: {},
) -> set[str]:
    """The fields that tell, of a few purchases with a leak."""
    return {found.rpartition(":")[0] for found in tell_apart(purchases(world, buyers, 2, before))}


def test_a_level_that_is_shown_as_it_is_would_be_found(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer]
) -> None:
    def own_level(buyer: Buyer) -> dict[str, int]:
        return {"min_level": buyer.file.credential().attributes.level}

    assert "0 request_grant.request_grant.min_level" in planted(world, buyers, own_level)


def test_a_session_key_that_is_used_again_would_be_found(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: dict[str, bytes] = {}
    asks: list[Buyer] = []

    def own_key() -> bytes:
        return keys.setdefault(asks[-1].name, new_agreement_key())

    def before(buyer: Buyer) -> dict[str, int]:
        asks.append(buyer)
        return {}

    monkeypatch.setattr("ledger.exchange.purchase.new_agreement_key", own_key)
    assert "asked[0].open.session_key" in planted(world, buyers, before)


def test_an_amount_that_is_a_members_own_would_be_found(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asks: list[Buyer] = []

    def own_amount(amount: int) -> int:
        return amount + len(asks[-1].name)

    def before(buyer: Buyer) -> dict[str, int]:
        asks.append(buyer)
        return {}

    monkeypatch.setattr("ledger.market.funding.denomination", own_amount)
    assert "1 pay_from_pool.pay_from_pool.amount" in planted(world, buyers, before)


def test_a_presentation_whose_blindings_come_again_would_be_found(
    world: BuyersWorld, buyers: tuple[Buyer, Buyer], monkeypatch: pytest.MonkeyPatch
) -> None:
    chances = {"now": random.Random("offer")}

    def before(buyer: Buyer) -> dict[str, int]:
        chances["now"] = random.Random(buyer.name)
        return {}

    monkeypatch.setattr(
        type(group()),
        "random_scalar",
        lambda self: self.scalar(chances["now"].randrange(1, 1 << 250)),
    )
    told = planted(world, buyers, before)
    assert "0 request_grant.request_grant.presentation" in told
