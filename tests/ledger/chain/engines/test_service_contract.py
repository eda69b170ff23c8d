"""What every `ChainService` does, in process and over a socket alike."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from ledger.chain.account import Account
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import ChainService, Dropped, Inclusion, NotIncludedError
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.trust import Trust
from ledger.chain.result import Result
from ledger.chain.state_keys import account_key
from ledger.checkpoint import Checkpoint
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.merkle.consistency import verify_consistency
from ledger.schema.chain_pb2 import Attachment
from tests.ledger.chain.engines.engine_world import MONEY, PATIENCE_S, EngineWorld, name_of


def id_of(encoded: bytes) -> bytes:
    return leaf_id(LeafKind.TRANSACTION, encoded)


def include(service: ChainService, transactions: list[bytes]) -> list[Inclusion]:
    admissions = service.submit(transactions)
    assert [each.code for each in admissions] == [ResultCode.OK] * len(transactions)
    outcomes = service.wait_all([each.id for each in admissions], PATIENCE_S)
    assert all(isinstance(each, Inclusion) and each.code == 0 for each in outcomes)
    return [each for each in outcomes if isinstance(each, Inclusion)]


def test_a_chain_has_a_first_block_at_once(service: ChainService, world: EngineWorld) -> None:
    info = service.info()
    assert (info.chain, info.height, info.log_size) == (world.chain, 1, 2)
    assert service.genesis() == world.genesis.encoded
    assert service.block(1).transactions == []


def test_transfers_come_into_blocks_in_their_order(
    service: ChainService, world: EngineWorld
) -> None:
    transactions = world.transfers(250)  # blocks take 100
    included = include(service, transactions)
    assert [each.transaction for each in included] == list(map(id_of, transactions))
    heights = [each.height for each in included]
    assert heights == sorted(heights)
    assert len(set(heights)) >= 3
    found: list[bytes] = []
    for height in range(2, service.info().height + 1):
        block = service.block(height)
        assert block.header.height == height
        assert [Result.parse(each).transaction for each in block.results] == list(
            map(id_of, block.transactions)
        )
        found += block.transactions
    assert found == transactions


def test_receipts_and_answers_convince_a_stranger(
    service: ChainService, world: EngineWorld
) -> None:
    trust = Trust(world.chain, [world.vkey])
    transactions = world.transfers(3)
    included = include(service, transactions)
    for encoded, each in zip(transactions, included, strict=True):
        receipt = verify_receipt(service.receipt(each.transaction), trust)
        assert receipt.transaction.encoded == encoded
        assert receipt.signed.header.height == each.height
    key = account_key(name_of(world.people[0]))
    now = verify_answer(service.answer(key), key, trust)
    before = verify_answer(service.answer(key, 1), key, trust)
    assert now.value is not None
    assert before.value is not None
    assert Account.decode(before.value) == Account(0, 0, ((0, MONEY),))
    assert Account.decode(now.value) == Account(0, 3, ((0, MONEY - 3 * 6),))
    nobody = account_key(bytes(32))
    assert verify_answer(service.answer(nobody), nobody, trust).value is None


def test_checkpoints_grow_consistently(service: ChainService, world: EngineWorld) -> None:
    old = Checkpoint.of_note(service.checkpoint())
    include(service, world.transfers(5))
    new = Checkpoint.of_note(service.checkpoint())
    assert (old.size, new.size) == (2, service.info().log_size)
    proof = service.consistency(old.size, new.size)
    verify_consistency(old.size, new.size, old.root, new.root, proof)


def test_each_refusal_at_the_door_has_its_code(service: ChainService, world: EngineWorld) -> None:
    spoiled = bytearray(world.transfer(2))
    spoiled[-1] ^= 1
    offered = {
        world.transfer(0): ResultCode.OK,
        b"garbage": ResultCode.MALFORMED,
        b"": ResultCode.UNKNOWN_VERSION,
        bytes(60_001): ResultCode.TOO_LARGE,
        bytes(spoiled): ResultCode.WRONG_SIGNATURE,
        world.transfer(3, amount=0): ResultCode.FIELD_REFUSED,
        world.transfer(0, sequence=0, amount=6): ResultCode.SEQUENCE_PAST,
        world.transfer(0, sequence=9): ResultCode.SEQUENCE_AHEAD,
        world.transfer(1, sequence=0, expiry_height=1): ResultCode.EXPIRED,
        world.transfer(1, sequence=0, fee=0): ResultCode.FEE_TOO_LOW,
        # Of another chain, by somebody who has an account here too.
        EngineWorld(min_fee=2).transfer(2): ResultCode.WRONG_SIGNATURE,
    }
    stranger = EngineWorld(9)
    stranger.chain = world.chain
    offered[stranger.transfer(8)] = ResultCode.UNKNOWN_ACCOUNT
    admissions = service.submit(list(offered))
    assert [each.code for each in admissions] == list(offered.values())
    assert all(each.words or each.ok for each in admissions)
    assert [each.id for each in admissions] == list(map(id_of, offered))


def test_what_cannot_be_carried_out_is_dropped_with_its_code(
    service: ChainService, world: EngineWorld
) -> None:
    poor, following = world.transfer(0, amount=MONEY), world.transfer(0)
    good = world.transfer(1)
    admissions = service.submit([poor, following, good])
    assert all(each.ok for each in admissions)
    first, second, third = service.wait_all([each.id for each in admissions], PATIENCE_S)
    assert isinstance(first, Dropped)
    assert first.code is ResultCode.INSUFFICIENT_FUNDS
    assert isinstance(second, Dropped)
    assert second.code is ResultCode.SEQUENCE_AHEAD
    assert isinstance(third, Inclusion)
    with pytest.raises(RefusalError) as raised:
        service.wait(admissions[0].id, PATIENCE_S)
    assert raised.value.code is ResultCode.INSUFFICIENT_FUNDS
    # The account is where it was: what it signs anew for the same sequence is carried out.
    again = world.transfer(0, sequence=0)
    include(service, [again])


def test_the_same_bytes_again_are_carried_out_once(
    service: ChainService, world: EngineWorld
) -> None:
    transfer = world.transfer()
    (included,) = include(service, [transfer])
    (again,) = service.submit([transfer])
    assert (again.id, again.code) == (included.transaction, ResultCode.SEQUENCE_PAST)
    assert service.wait(again.id, 0) == included


def test_waiting_for_what_is_not_there(service: ChainService, world: EngineWorld) -> None:
    with pytest.raises(NotFoundError):
        service.wait(bytes(32), 5)
    with pytest.raises(NotFoundError):
        service.receipt(bytes(32))
    with pytest.raises((NotFoundError, MalformedError)):
        service.wait(b"short", 5)
    for height in (0, 2, 1 << 62):
        with pytest.raises(NotFoundError):
            service.block(height)
    with pytest.raises(NotFoundError):
        service.answer(b"\x01" + bytes(32), 77)
    with pytest.raises(NotFoundError):
        service.events(0, 0)
    with pytest.raises(NotFoundError):
        service.consistency(3, 1000)
    with pytest.raises(RefusedError):
        service.consistency(0, 1)


def test_events_come_block_by_block_and_from_any_height(
    service: ChainService, world: EngineWorld
) -> None:
    assert service.events(2, 0) == []
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(service.events, 2, PATIENCE_S)
        (included,) = include(service, [world.transfer()])
        (event,) = coming.result(PATIENCE_S)
    assert event.height == included.height == 2
    assert [each.transaction for each in event.results] == [included.transaction]
    for _ in range(3):
        include(service, [world.transfer()])
    following = service.subscribe(1)
    assert [next(following).height for _ in range(5)] == [1, 2, 3, 4, 5]
    assert next(service.subscribe(4)).height == 4


def test_attachments_go_with_the_transactions_that_name_them(
    service: ChainService, world: EngineWorld
) -> None:
    data, other = b"a chunk" * 1000, b"of nobody"
    named = [Attachment(hash=sha256(data).digest(), size=len(data))]
    given = {sha256(each).digest(): each for each in (data, other)}
    first, second = world.transfer(attachments=named), world.transfer(1)
    missing = service.submit([first])[0]
    assert missing.code is ResultCode.ATTACHMENT_MISSING
    wrong = service.submit([first], {sha256(data).digest(): data[:-1] + b"!"})[0]
    assert wrong.code is ResultCode.ATTACHMENT_MISSING
    admissions = service.submit([first, second], given)
    assert all(each.ok for each in admissions)
    outcomes = service.wait_all([each.id for each in admissions], PATIENCE_S)
    assert all(isinstance(each, Inclusion) for each in outcomes)


def test_many_threads_at_once(service: ChainService) -> None:
    world = EngineWorld()  # the same people, other sequences
    everybody = range(len(world.people))
    series = {payer: [world.transfer(payer) for _ in range(40)] for payer in everybody}
    began = threading.Barrier(len(series))

    def pay(payer: int) -> list[Inclusion]:
        began.wait()
        done = []
        for at in range(0, 40, 8):
            done += include(service, series[payer][at : at + 8])
        return done

    with ThreadPoolExecutor(len(series)) as pool:
        paid = list(pool.map(pay, everybody))
    assert [len(each) for each in paid] == [40] * len(series)


def test_time_is_over_and_the_transaction_still_waits(
    service: ChainService, world: EngineWorld
) -> None:
    (admission,) = service.submit([world.transfer()])
    try:
        service.wait(admission.id, 0)
    except NotIncludedError as error:
        assert error.hint
    assert service.wait(admission.id, PATIENCE_S).height == 2
