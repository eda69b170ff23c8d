"""What a seller submits together on a real engine, and accounts that do not wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.chain.proven.chain import ProvenChain
from ledger.errors import NotFoundError
from ledger.market.in_turn import submit_in_turn
from ledger.market.sellers_chain import ProvenSellersChain
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.whole_sales import WholeSales
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet
from tests.fleet.sharing_chain import FEE, NEVER
from tests.ledger.market.sellers_world import NOBODY, SellersWorld

WAIT_S: Final = 60.0
"""For what another thread does at once, on however slow a machine."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


def transfers(*amounts: int) -> list[TransactionBody]:
    return [
        TransactionBody(
            expiry_height=NEVER, fee=FEE, transfer=Transfer(recipient=NOBODY, amount=amount)
        )
        for amount in amounts
    ]


def test_many_wait_for_one_block(world: SellersWorld) -> None:
    chain = ProvenSellersChain(world.proven)
    before, height = world.balance(NOBODY), world.height()
    assert chain.submit_all(world.sellers_wallet, transfers(*range(1, 41))) == [ResultCode.OK] * 40
    assert world.balance(NOBODY) == before + sum(range(1, 41))
    assert world.height() - height <= 3
    assert chain.submit_all(world.sellers_wallet, []) == []


def test_what_is_behind_a_refusal_comes_too_early(world: SellersWorld) -> None:
    chain = ProvenSellersChain(world.proven)
    codes = chain.submit_all(world.sellers_wallet, transfers(1, 1 << 60, 1))
    assert codes == [ResultCode.OK, ResultCode.INSUFFICIENT_FUNDS, ResultCode.SEQUENCE_AHEAD]
    assert chain.submit_all(world.sellers_wallet, transfers(1)) == [ResultCode.OK]


def test_they_go_behind_what_waits_already(
    world: SellersWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = world.sequence(world.seller_account)
    world.must(world.seller, Transfer(recipient=NOBODY, amount=1))
    monkeypatch.setattr(type(world.proven), "sequence", lambda self, account: sequence)
    before = world.balance(NOBODY)
    chain = ProvenSellersChain(world.proven)
    assert chain.submit_all(world.sellers_wallet, transfers(1, 2, 3)) == [ResultCode.OK] * 3
    assert world.balance(NOBODY) == before + 6


def test_what_the_chain_has_lost_is_submitted_again(world: SellersWorld) -> None:
    class Lost:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.engine, name)

        def wait_all(self, transactions: Sequence[bytes], timeout_s: float) -> list[Any]:
            world.engine.wait_all(transactions, timeout_s)
            raise NotFoundError("no such transaction waits")

    chain = ProvenSellersChain(ProvenChain(Lost(), world.trust))
    with pytest.raises(NotIncludedError):
        chain.submit_all(world.sellers_wallet, transfers(1))


def test_who_never_gets_a_turn_leaves_off() -> None:
    asked: list[int] = []

    def submit(wanted: Any, sequence: int) -> Any:
        asked.append(sequence)
        return dict.fromkeys(wanted, ResultCode.SEQUENCE_PAST)

    submit_in_turn({"a": 1, "b": 2}, 10, submit)
    assert asked == [10, 12, 14, 16]
    submit_in_turn({}, 10, submit)
    assert len(asked) == 4


def test_no_account_waits_for_anothers_sales(
    world: SellersWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is at its sales at the same time; and trouble of one is told once all are done."""
    wallets = [world.sellers_wallet, Wallet.create(tmp_path / "other")]
    together, done = threading.Barrier(2), []

    def advance(whole: WholeSales) -> None:
        place = together.wait(WAIT_S)
        if place == 0:
            raise NotIncludedError("no block")
        done.append(place)

    with Storefront(tmp_path / "shop", world.proven, wallets, SellingHomes((), ())) as shop:
        monkeypatch.setattr(WholeSales, "advance", advance)
        with pytest.raises(NotIncludedError):
            shop.advance()
        assert done == [1]
        monkeypatch.undo()
        shop.advance()
        # What was sold before is taken up, which is nothing: there is nothing to wait for.
        assert all(till.whole.is_idle for till in shop._tills.values())
        monkeypatch.setattr(WholeSales, "advance", advance)
        shop.advance()
    assert done == [1]
