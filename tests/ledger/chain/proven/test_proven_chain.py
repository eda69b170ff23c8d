"""A chain read through one light client: nothing unproven, nothing older, nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.body import body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.proposal import Admission
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.proven.kept import carry_out_once, follow, require_carried_out, signing
from ledger.chain.state_keys import PARAMETERS_KEY, account_key
from ledger.errors import (
    CorruptStoreError,
    LedgerError,
    MalformedError,
    NotFoundError,
    VerificationError,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import Parameters
from ledger.wallet.wallet import Wallet
from tests.fleet.sharing_chain import FEE, NEVER, RICH, SharingChain

TARGET = b"\x51" * 32


class Town(SharingChain):
    """A chain with one rich wallet."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        self.wallet = Wallet.create(root / "rich")
        self.poor = Wallet.create(root / "poor")
        super().__init__(root, held, rich=(self.wallet.account,))
        self.proven = ProvenChain(self.engine, self.trust)

    def pay(self, amount: int = 1) -> Transfer:
        return Transfer(recipient=self.poor.account, amount=amount)

    @property
    def paid(self) -> int:
        return self.proven.balance(self.poor.account, 0)


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    with ExitStack() as held:
        yield Town(tmp_path, held)


class Between:
    """An engine with something else in the place of one of its methods."""

    def __init__(self, town: Town, **methods: Any) -> None:
        self._engine = town.engine
        for name, method in methods.items():
            setattr(self, name, method)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def through(town: Town, **methods: Any) -> ProvenChain:
    return ProvenChain(Between(town, **methods), town.trust)  # type: ignore[arg-type]


def test_what_is_read_is_of_the_newest_block(town: Town) -> None:
    proven = town.proven
    assert proven.parameters.min_fee == FEE
    before = proven.height()
    done = proven.carry_out(town.wallet, town.pay(5))
    assert done.ok
    assert done.receipt is not None
    assert done.receipt.header.height == proven.height() == before + 1
    assert proven.time_ns() == done.receipt.header.time_ns
    assert proven.balance(town.wallet.account, 0) == RICH - 5 - FEE
    assert proven.sequence(town.wallet.account) == 1
    assert proven.sequence(TARGET) == proven.balance(TARGET, 0) == 0
    assert proven.read(Parameters, account_key(TARGET)) is None
    heights = [block.height for block in proven.blocks(1)]
    assert heights == list(range(1, proven.height() + 1))
    assert list(proven.blocks(proven.height() + 1)) == []


def test_an_answer_of_an_older_block_is_refused(town: Town) -> None:
    kept: list[bytes] = []

    def answer(key: bytes, height: int | None = None) -> bytes:
        kept.append(town.engine.answer(key, height))
        return kept[0]

    proven = through(town, answer=answer)
    assert proven.read(Parameters, PARAMETERS_KEY) is not None
    town.proven.carry_out(town.wallet, town.pay())
    assert proven.read(Parameters, PARAMETERS_KEY) is not None  # no newer one is known to it
    fresh = through(town)
    held = fresh.height()
    assert held
    fresh.port = Between(town, answer=lambda key: kept[0])
    with pytest.raises(VerificationError, match="old"):
        fresh.read(Parameters, PARAMETERS_KEY)


def test_every_byte_of_an_answer_counts(town: Town) -> None:
    real = town.engine.answer(PARAMETERS_KEY)
    for at in range(0, len(real), 7):
        changed = real[:at] + bytes([real[at] ^ 1]) + real[at + 1 :]
        proven = through(town, answer=lambda key, changed=changed: changed)
        with pytest.raises(LedgerError):
            proven.read(Parameters, PARAMETERS_KEY)
    other = town.engine.answer(account_key(town.wallet.account))
    with pytest.raises((VerificationError, MalformedError)):
        through(town, answer=lambda key: other).read(Parameters, PARAMETERS_KEY)


def test_refusals_have_the_chains_code(town: Town) -> None:
    proven = town.proven
    with pytest.raises(RefusalError) as refusal:
        proven.carry_out(town.wallet, town.pay(RICH))
    assert refusal.value.code == ResultCode.INSUFFICIENT_FUNDS
    body = body_asking(town.pay(), sequence=7, expiry_height=NEVER, fee=FEE)
    ahead = proven.submit(town.wallet.sign(town.chain, body))
    assert (ahead.ok, ahead.code, ahead.receipt) == (False, ResultCode.SEQUENCE_AHEAD, None)
    assert proven.submit(b"nothing").code == ResultCode.MALFORMED
    assert town.paid == 0


def test_an_engine_that_claims_a_block_has_it_must_show_it(town: Town) -> None:
    def receipt(transaction: bytes) -> bytes:
        raise NotFoundError("no such transaction")

    with pytest.raises(VerificationError, match="does not"):
        through(town, receipt=receipt).carry_out(town.wallet, town.pay())
    first = town.proven.carry_out(town.wallet, town.pay())
    others = town.engine.receipt(first.transaction)
    with pytest.raises(VerificationError, match="another"):
        through(town, receipt=lambda name: others).carry_out(town.wallet, town.pay())


def test_an_engine_that_lost_what_it_admitted_says_so(town: Town) -> None:
    def wait(transaction: bytes, timeout_s: float) -> None:
        raise NotFoundError("it does not wait")

    def lose(transactions: list[bytes], attachments: object) -> list[Admission]:
        return [
            Admission(leaf_id(LeafKind.TRANSACTION, each), ResultCode.OK) for each in transactions
        ]

    encoded = signing(town.proven, town.wallet, town.pay(5))()
    with pytest.raises(NotIncludedError, match="lost"):
        through(town, submit=lose, wait=wait).submit(encoded)
    assert town.paid == 0
    assert town.proven.submit(encoded).ok
    assert through(town, submit=lose, wait=wait).submit(encoded).ok
    assert town.paid == 5


def test_any_thread_may_ask(town: Town) -> None:
    failed: list[BaseException] = []
    ended = threading.Event()

    def ask() -> None:
        try:
            while not ended.is_set():
                assert town.proven.height() <= town.engine.info().height
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        town.proven.carry_out(town.wallet, town.pay())
    ended.set()
    for thread in threads:
        thread.join()
    assert failed == []


def test_what_was_known_outlives_the_process(town: Town, tmp_path: Path) -> None:
    folder, old = tmp_path / "known", town.engine.answer(PARAMETERS_KEY)
    folder.mkdir()
    chain = ProvenChain(town.engine, town.trust, folder)
    chain.keep()
    assert list(folder.iterdir()) == []  # nothing is known yet
    town.proven.carry_out(town.wallet, town.pay())
    height = chain.height()
    chain.keep()
    chain.keep()
    (path,) = folder.iterdir()
    assert path.name == f"{town.chain.hex()}.head"

    service = Between(town, answer=lambda key: old)
    again = ProvenChain(service, town.trust, folder)  # type: ignore[arg-type]
    with pytest.raises(VerificationError, match="old"):
        again.height()
    assert ProvenChain(service, town.trust).height() < height  # type: ignore[arg-type]
    assert ProvenChain(town.engine, town.trust, folder).height() == height

    def lost(old_size: int, new_size: int) -> tuple[bytes, ...]:
        raise NotFoundError(f"a tree of {new_size} leaves is not in a log of {old_size}")

    copy = Between(town, answer=lambda key: old, consistency=lost)
    with pytest.raises(VerificationError, match="of one history") as refused:
        ProvenChain(copy, town.trust, folder).height()  # type: ignore[arg-type]
    assert "older copy" in str(refused.value.hint)
    data = path.read_bytes()
    for at in range(0, len(data), 11):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(CorruptStoreError):
            ProvenChain(town.engine, town.trust, folder)


# Transactions that are kept before they leave


def test_a_kept_transaction_is_carried_out_once(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "pay.tx"
    first = carry_out_once(town.proven, path, signing(town.proven, town.wallet, town.pay(5)))
    for _ in range(3):
        again = carry_out_once(town.proven, path, signing(town.proven, town.wallet, town.pay(5)))
        assert again.transaction == first.transaction
    assert town.paid == 5
    assert path.stat().st_mode & 0o077 == 0


def test_one_that_never_left_leaves_later(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "pay.tx"

    class DiedError(Exception):
        pass

    def die(*arguments: object) -> Any:
        raise DiedError

    with pytest.raises(DiedError):
        chain = through(town, submit=die)
        carry_out_once(chain, path, signing(chain, town.wallet, town.pay(5)))
    kept = path.read_bytes()
    done = require_carried_out(town.proven, path, town.wallet, town.pay(5))
    assert path.read_bytes() == kept
    assert done.receipt is not None
    assert done.receipt.transaction.encoded == kept
    assert town.paid == 5


def test_one_whose_sequence_others_took_is_signed_again(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "pay.tx"
    path.write_bytes(signing(town.proven, town.wallet, town.pay(5))())
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    refused = follow(town.proven, bytes(damaged))
    assert refused is not None
    assert refused.code == ResultCode.WRONG_SIGNATURE
    town.proven.carry_out(town.wallet, town.pay(1))
    assert follow(town.proven, path.read_bytes()) is None
    require_carried_out(town.proven, path, town.wallet, town.pay(5))
    require_carried_out(town.proven, path, town.wallet, town.pay(5))
    assert town.paid == 6


def test_one_that_expired_is_signed_again(town: Town, tmp_path: Path) -> None:
    path, height = tmp_path / "pay.tx", town.proven.height()
    body = body_asking(town.pay(5), sequence=0, expiry_height=height, fee=FEE)
    path.write_bytes(town.wallet.sign(town.chain, body))
    require_carried_out(town.proven, path, town.wallet, town.pay(5))
    assert town.paid == 5


def test_who_is_outrun_each_time_gives_up_for_now(town: Town, tmp_path: Path) -> None:
    def sign() -> bytes:
        encoded = signing(town.proven, town.wallet, town.pay(5))()
        town.proven.carry_out(town.wallet, town.pay(1))
        return encoded

    with pytest.raises(NotIncludedError):
        carry_out_once(town.proven, tmp_path / "pay.tx", sign)
    assert town.paid == 8


def test_a_refusal_is_raised_and_may_be_tried_again(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "pay.tx"
    spender = town.poor
    town.proven.carry_out(town.wallet, town.pay(5))
    message = Transfer(recipient=town.wallet.account, amount=10)
    with pytest.raises(RefusalError) as refusal:
        require_carried_out(town.proven, path, spender, message)
    assert refusal.value.code == ResultCode.INSUFFICIENT_FUNDS
    kept = path.read_bytes()
    town.proven.carry_out(town.wallet, town.pay(6))
    require_carried_out(town.proven, path, spender, message)
    assert path.read_bytes() == kept
    assert town.paid == 0
