"""No secret of a whole sale is in anything that is shown: logs, reprs, errors, chain, reports.

Every secret that a sale makes is collected while it is there, from the files and the sessions
of both sides, and looked for in all forms. That the search would find one is shown by leaks.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger import __version__
from ledger.chain.audit.request import ChainAuditRequest
from ledger.errors import LedgerError
from ledger.exchange import session as sessions
from ledger.exchange.grant import Grant
from ledger.exchange.messages import Reply
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_counter import SwapCounter
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_payment import BoughtSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import ProposedSwap, SwapDesk
from ledger.exchange.transport import InProcess, Transport
from ledger.fsck.findings import Depth
from ledger.market.acquisition_states import Kept, Stage
from ledger.market.buying import acquire
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.market.tools import Progress
from ledger.published import published_directory
from ledger.report.page import page
from ledger.report.telling import audit_chain_and_tell
from ledger.report.verdict import Audited
from ledger.wallet.wallet import Wallet
from tests.fleet.secret_search import all_reprs, everything_logged, found, harvest, shown
from tests.fleet.sharing_chain import FEE
from tests.fleet.test_sharing_whole import BUYING, SELLING
from tests.ledger.market.buyers_world import BuyersWorld, at_home
from zkproofs.group import group

USERS = (
    "ledger.exchange.buyer",
    "ledger.exchange.seller",
    "ledger.exchange.swap_buyer",
    "ledger.exchange.swap_opening",
)
"""Modules that agree on sessions."""


@dataclass
class Story:
    """Sales from end to end: the secrets there were, and all that was shown."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    places: dict[str, bytes] = field(default_factory=dict)

    def show(self, place: str, text: str | bytes) -> None:
        self.places[place] = text.encode() if isinstance(text, str) else text


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    root = tmp_path_factory.mktemp("secrets")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield BuyersWorld(root, held)


@pytest.fixture(scope="module")
def story(world: BuyersWorld) -> Story:
    made = Story()
    with everything_logged() as said, watched_sessions(made):
        errors = [
            *streamed(world, made),
            *sold_whole(world, made),
        ]
    made.show("logs", "\n".join(said))
    made.show("errors", "\n".join(map(shown, errors)))
    assert len(errors) >= 4
    at_large(world, made)
    look_at_the_chain(world, made)
    look_at_reports(world, made)
    return made


@contextmanager
def watched_sessions(story: Story) -> Iterator[None]:
    """Keep what both sides' sessions know."""
    agree = sessions.agree

    def watching(*arguments: Any) -> sessions.Session:
        session = agree(*arguments)
        number = len(story.secrets)
        story.secrets[f"session {number} mac key"] = session.mac_key
        story.secrets[f"session {number} unit key"] = session.unit_key
        return session

    with pytest.MonkeyPatch.context() as patch:
        for name in USERS:
            patch.setattr(f"{name}.agree", watching)
        yield


def streamed(world: BuyersWorld, story: Story) -> list[LedgerError]:
    """A recording bought by the chunk and kept at home; and once from a seller that cheats."""
    offered, member, errors = world.offered(), world.member_file(7), []
    story.secrets |= of_member(member.credential())
    home = world.home("buyers.example/kea")

    stages: set[Stage] = set()

    def told(progress: Progress) -> None:
        if progress.stage not in stages or progress.kept == 1:
            stages.add(progress.stage)
            story.secrets.update(harvest(world.root))
        if progress.kept == 1 and "reprs in mid-sale" not in story.places:
            story.show("reprs in mid-sale", all_reprs())

    with world.begin(offered.offer) as acquisition:
        tools = world.tools(member, home=at_home(home), way=lambda grant: InProcess(world.counter))
        assert isinstance(acquire(acquisition, tools, told), Kept)
        story.show("reprs of the acquisition", repr([acquisition, acquisition.state, tools]))

    class Garbling:
        """Seals a unit that opens to nothing."""

        def ask(self, request: bytes) -> Reply:
            reply = world.counter.answer(request)
            return Reply(reply.message, reply.sealed[:-1] + b"?" if reply.sealed else b"")

    def cheat(grant: Grant) -> Transport:
        return Garbling()

    def refused(use: Callable[[], object]) -> None:
        with pytest.raises(LedgerError) as caught:
            use()
        errors.append(caught.value)

    with world.begin(offered.offer) as acquisition:
        refused(lambda: acquire(acquisition, world.tools(member, way=cheat), told))
    low = world.member_file(8, level=1)
    story.secrets |= of_member(low.credential(), "low")
    with world.begin(offered.offer) as acquisition:
        refused(lambda: acquire(acquisition, world.tools(low), told))
    with world.begin(offered.offer, purpose="advertising") as acquisition:
        refused(lambda: acquire(acquisition, world.tools(member), told))
    damaged = world.root / "damaged"
    damaged.mkdir()
    (damaged / "key").write_bytes((world.root / "sellers" / "key").read_bytes()[:-20])

    (damaged / "key").chmod(0o600)
    refused(lambda: Wallet.open(damaged))
    (damaged / "key").unlink()
    story.secrets |= of_content(world)
    return errors


def of_member(credential: Any, name: str = "member") -> dict[str, bytes]:
    """What makes a robot the member that it is."""
    return {
        f"{name} credential": credential.to_bytes(),
        f"{name} signature": credential.signature.to_bytes()[:48],
        f"{name} exponent": credential.signature.to_bytes()[48:],
        f"{name} nym": group().encode_scalar(credential.nym),
    }


def of_content(world: BuyersWorld) -> dict[str, bytes]:
    """Salts, blindings, and pieces of the recording."""
    keys = world.husky.home.experiences.keys.get(world.husky.recorded.record_id)
    secrets = {"salt key": keys.salt_key}
    for number, opening in enumerate(keys.openings):
        secrets[f"blinding {number}"] = opening.blinding
    content = world.husky.content
    for at in range(5_000, len(content), 50_000):
        piece = content[at : at + 32]
        if len(set(piece)) > 16:
            secrets[f"content at {at}"] = piece
    assert len(secrets) > 8
    return secrets


@dataclass
class AtCounter:
    """The way to a seller of whole contents."""

    counter: SwapCounter

    def ask(self, request: bytes) -> Reply:
        return self.counter.answer(request)


def sold_whole(world: BuyersWorld, story: Story) -> list[LedgerError]:
    """A recording sold whole, and one that nobody locks: its key stays a secret."""
    chain = ProvenSellersChain(world.proven)
    sales = world.root / "whole-sales"
    sales.mkdir()
    desk = SwapDesk(world.sellers_wallet, world, chain, sales, SELLING)
    counter = SwapCounter(desk, world.contents, world.counter)
    offered = world.offered()
    for robot_id in (31, 32):
        bought = world.granted(world.member(robot_id=robot_id), offered)
        world.fund(bought, bought.grant.price + 10 * FEE)
        purchase = SwapPurchase.create(world.root / f"whole-{robot_id}", bought.grant)
        end, way = BuyingEnd(purchase, bought.wallet, chain, BUYING), AtCounter(counter)

        def wait(height: int, honest: bool = robot_id == 31) -> None:
            states = counter.tend()
            story.secrets.update(harvest(world.root))
            if not honest and any(isinstance(state, ProposedSwap) for state in states):
                raise LedgerError("the buyer thinks better of it")
            world.pass_blocks(height + 1 - world.height())

        if robot_id == 31:
            assert isinstance(swap(end, way, wait), BoughtSwap)
            # What the chain was shown is no secret any more.
            published = purchase.sale.key if purchase.sale is not None else b""
        else:
            with pytest.raises(LedgerError) as caught:
                swap(end, way, wait)
        purchase.close()
    assert published in story.secrets.values()
    for name in [name for name, secret in story.secrets.items() if secret == published]:
        del story.secrets[name]
    return [caught.value]


def at_large(world: BuyersWorld, story: Story) -> None:
    story.secrets.update(
        {name: secret for name, secret in harvest(world.root).items() if "whole-sales" not in name}
    )
    story.show("reprs at the end", all_reprs())


def look_at_the_chain(world: BuyersWorld, story: Story) -> None:
    """Blocks, results, receipts, state: as the engine gives them, and its files as they are."""
    seen = []
    for height in range(1, world.height() + 1):
        block = world.engine.block(height)
        seen += [bytes(each) for each in block.transactions]
        for each in block.results:
            seen += [bytes(each), world.engine.receipt(bytes(each)[2:34])]
        seen.append(world.engine.signed_header(height))
    story.show("blocks and receipts", b"\n".join(seen))
    files = [path for path in (world.root / "chain").rglob("*") if path.is_file()]
    assert len(files) > 2
    for path in files:
        if path.suffix not in (".pem",) and path.name not in ("key", "log.key"):
            story.show(f"chain file {path.name}", path.read_bytes())
    for path in (world.root / "published").rglob("*"):
        if path.is_file():
            story.show(f"published {path.name}", path.read_bytes())


def look_at_reports(world: BuyersWorld, story: Story) -> None:
    request = ChainAuditRequest(
        world.root / "chain", published_directory(), Depth.LOG, robots=world.homes
    )
    report, told = audit_chain_and_tell(request)
    assert report.findings == ()
    assert told is not None
    story.show("audit report", json.dumps(report.to_json()) + repr(report) + repr(told))
    story.show("HTML report", page(report, told, Audited(0, Depth.LOG, __version__)))


def test_no_secret_is_shown_anywhere(story: Story, capfd: pytest.CaptureFixture[str]) -> None:
    kinds = " ".join(story.secrets)
    for kind in ("nym", "salt key", "blinding", ".sale", ".swap", "mac key", "purchase", "content"):
        assert kind in kinds
    assert sum("one-time" in name or "acquisition" in name for name in story.secrets) > 3
    for place in ("logs", "errors", "reprs in mid-sale", "blocks and receipts", "HTML report"):
        assert len(story.places[place]) > 100, place
    assert found(story.secrets, story.places) == []
    assert found(story.secrets, {"printed": "".join(capfd.readouterr()).encode()}) == []


# A search that finds nothing proves nothing


def leak_hex(secret: bytes) -> str:
    return f"key={secret.hex()}"


def leak_base64(secret: bytes) -> str:
    return "reply " + base64.b64encode(b"{" + secret + b"}").decode()


def leak_url(secret: bytes) -> str:
    return base64.urlsafe_b64encode(b"ab" + secret).decode()


def leak_bytes(secret: bytes) -> str:
    return f"{secret!r}"


def leak_number(secret: bytes) -> str:
    return f"{int.from_bytes(secret, 'little')}"


@pytest.mark.parametrize("leak", [leak_hex, leak_base64, leak_url, leak_bytes, leak_number])
def test_a_secret_that_is_logged_would_be_found(story: Story, leak: Callable[[bytes], str]) -> None:
    for name, secret in story.secrets.items():
        with everything_logged() as said:
            logging.getLogger("ledger.exchange").debug("opened %s", leak(secret))
        assert found({name: secret}, {"logs": "\n".join(said).encode()}) == [f"{name} in logs"]


def test_a_secret_in_an_error_a_repr_or_a_receipt_would_be_found(story: Story) -> None:
    @dataclass
    class Telling:
        secret: bytes

    Telling.__module__ = "ledger.exchange.telling"
    for name, secret in list(story.secrets.items())[:20]:
        try:
            raise LedgerError("no") from ValueError(f"bad scalar {secret.hex()}")
        except LedgerError as error:
            assert found({name: secret}, {"errors": shown(error).encode()})
        kept = Telling(secret)
        assert found({name: secret}, {"reprs": all_reprs(("ledger.exchange.telling",)).encode()})
        del kept
        receipt = story.places["blocks and receipts"] + secret
        assert found({name: secret}, {"receipts": receipt})
