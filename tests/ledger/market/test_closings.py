"""Closes that meet other transactions of the same account, or were signed too long ago."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.body import body_asking
from ledger.errors import CorruptStoreError
from ledger.exchange.transport import NoSellerError
from ledger.market.closings import Closings
from ledger.market.sale_note import SaleNote, SaleStage, noted_sales, read_note, write_note
from ledger.market.sales_view import list_sales, seller_folder, view_of
from ledger.market.selling_stock import Recording
from ledger.schema.chain_channel_pb2 import CloseChannel
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.payee import PayeeOpen
from tests.fleet.sharing_chain import FEE, NEVER
from tests.ledger.exchange.test_purchase import CHANNEL, every_byte, grant
from tests.ledger.market.sellers_world import NOBODY, Asked, Customer, SellersWorld, view


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


def closable(world: SellersWorld, folder: Path) -> tuple[Customer, CloseChannel]:
    """A sale that was bought, and the message that closes it."""
    customer = world.customer()
    with world.storefront(folder) as shop:
        customer.buy(Asked(shop))
    payee = world.sellers_wallet.payee(customer.payer.channel)
    assert isinstance(payee, PayeeOpen)
    closing = payee.close()
    message = closing.message()
    closing.release()
    return customer, message


@pytest.fixture
def closings(world: SellersWorld, tmp_path: Path) -> Closings:
    (tmp_path / "closes").mkdir()
    return Closings(world.proven, world.sellers_wallet, tmp_path / "closes", b"")


def spend(world: SellersWorld) -> None:
    """Another program uses the account."""
    world.must(world.seller, Transfer(recipient=NOBODY, amount=1))


@pytest.mark.parametrize("fate", ["sequence", "expired", "damaged"])
def test_what_can_never_come_any_more_is_signed_anew(
    world: SellersWorld, closings: Closings, tmp_path: Path, fate: str
) -> None:
    customer, message = closable(world, tmp_path / "shop")
    path = tmp_path / "closes" / f"{customer.grant.hex()}.close"
    body = body_asking(
        message,
        sequence=world.sequence(world.seller_account),
        expiry_height=world.height() + 1 if fate == "expired" else NEVER,
        fee=FEE,
    )
    signed = world.sellers_wallet.sign(world.chain, body)
    path.write_bytes(signed[:-1] if fate == "damaged" else signed)
    if fate == "expired":
        world.pass_blocks(2)
    else:
        spend(world)
    before = world.paid_out
    closings.carry_out({customer.grant: message})
    assert world.channel(customer.payer.channel) is None
    assert world.paid_out == before + customer.price - FEE
    assert closings.was_carried_out(customer.grant)
    assert closings.has_claimed(customer.grant)
    closings.forget(customer.grant)
    assert not closings.has_claimed(customer.grant)


def test_what_came_into_a_block_is_not_signed_again(
    world: SellersWorld, closings: Closings, tmp_path: Path
) -> None:
    """Killed between the block and the look at it: the close is known by its bytes."""
    customer, message = closable(world, tmp_path / "shop")
    closings.carry_out({customer.grant: message})
    path = tmp_path / "closes" / f"{customer.grant.hex()}.close"
    signed, before = path.read_bytes(), world.paid_out
    closings.carry_out({customer.grant: message})
    assert path.read_bytes() == signed
    assert world.paid_out == before


def test_closes_go_behind_what_waits_already(
    world: SellersWorld, closings: Closings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's next sequence is taken by a transaction that no block has yet."""
    sold = [closable(world, tmp_path / f"shop-{number}") for number in range(2)]
    before = world.paid_out
    sequence = world.sequence(world.seller_account)
    monkeypatch.setattr(type(world.proven), "sequence", lambda self, account: sequence)
    spend(world)
    closings.carry_out({customer.grant: message for customer, message in sold})
    assert world.paid_out == before - 1 - FEE + sum(each.price - FEE for each, _ in sold)
    for customer, _ in sold:
        assert closings.has_claimed(customer.grant)


def test_a_close_without_a_claim_has_claimed_nothing(
    world: SellersWorld, closings: Closings, tmp_path: Path
) -> None:
    customer, message = closable(world, tmp_path / "shop")
    closings.carry_out({customer.grant: CloseChannel(channel=message.channel)})
    assert closings.was_carried_out(customer.grant)
    assert not closings.has_claimed(customer.grant)


def test_a_file_that_is_no_transaction_is_said_to_be(closings: Closings, tmp_path: Path) -> None:
    (tmp_path / "closes" / f"{bytes(32).hex()}.close").write_bytes(b"\xff")
    with pytest.raises(CorruptStoreError, match="no transaction"):
        closings.has_claimed(bytes(32))


def test_a_closed_storefront_says_nothing_to_anybody(world: SellersWorld, tmp_path: Path) -> None:
    """No refusal that a buyer would take for the last word, and no sale is opened again."""
    customer = world.customer()
    shop = world.storefront(tmp_path / "shop")
    customer.buy_some(Asked(shop), 1)
    (till,) = shop._tills.values()
    shop.close()
    with pytest.raises(NoSellerError):
        customer.buy(Asked(shop))
    with pytest.raises(NoSellerError):
        till.answer(b"")
    with pytest.raises(NoSellerError):
        shop.look()
    with world.storefront(tmp_path / "shop") as again:
        customer.buy(Asked(again))


# The book


ABOUT = Recording(b"o" * 32, "robot.example/ä", 7, b"l" * 32)
NOTE = SaleNote(
    grant(), CHANNEL, ABOUT, SaleStage.CLOSING, 3, 20, 25, 23, 4, ((b"a" * 32, 700), (b"b" * 32, 1))
)


def test_no_byte_of_a_note_can_change(tmp_path: Path) -> None:
    for note in (NOTE, replace(NOTE, recording=None), SaleNote(grant(), b"", ABOUT)):
        write_note(tmp_path, note)
        name = note.grant.grant
        path = tmp_path / f"{name.hex()}.note"
        every_byte(path, lambda name=name: read_note(tmp_path, name))  # type: ignore[misc]
        assert read_note(tmp_path, name) == note
        assert path.stat().st_mode & 0o777 == 0o600
    assert noted_sales(tmp_path) == (NOTE.grant.grant,)
    path.rename(tmp_path / f"{bytes(32).hex()}.note")
    with pytest.raises(CorruptStoreError, match="another grant"):
        read_note(tmp_path, bytes(32))
    assert read_note(tmp_path, NOTE.grant.grant) is None


def test_units_are_what_was_paid_for(tmp_path: Path) -> None:
    for earned, units in ((0, 0), (5, 0), (11, 0), (12, 1), (34, 2), (35, 3), (99, 3)):
        assert grant().units_for(earned) == units
    assert [grant(chunk_price=0).units_for(earned) for earned in range(6)] == [0, 0, 1, 1, 2, 3]
    free = SaleNote(grant(chunk_price=0, record_price=0), b"", ABOUT, units=3)
    seen = view_of(free)
    assert (seen.units, seen.is_whole, seen.earned) == (3, True, 0)
    # Without the wallet the note alone speaks.
    for seen in (view_of(NOTE), view_of(NOTE, tmp_path / "nowhere")):
        assert (seen.paid_by_buyer, seen.earned, seen.lost) == (25, 23, 4)


def test_what_never_sold_has_no_book(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no storefront"):
        list_sales(tmp_path / "nowhere")
    assert list_sales(tmp_path) == ()


def test_free_content_is_given_and_booked(world: SellersWorld, tmp_path: Path) -> None:
    customer = world.free_customer()
    with world.storefront(tmp_path / "shop") as shop:
        whole = customer.buy(Asked(shop))
        assert whole.deed is not None
        shop.look()
        seen = view(shop.folder, customer.grant)
        assert (seen.stage, seen.units, seen.earned) == (SaleStage.OPEN, seen.count, 0)
        world.pass_blocks(customer.bought.grant.expiry_height + 1 - world.height())
        shop.look()
        seen = view(shop.folder, customer.grant)
        assert (seen.stage, seen.units) == (SaleStage.SETTLED, seen.count)
        assert not list(seller_folder(shop.folder, world.seller_account).glob("*.sale"))
