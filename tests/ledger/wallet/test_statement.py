"""Statements add up: whatever happens on a chain, their last balances are the state's."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.fleets import fleet_id
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import decode_leaf
from ledger.chain.machine.block_rows import read_block
from ledger.chain.result import Result
from ledger.chain.rules.payment import approve
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import account_key
from ledger.log_reader import U64
from ledger.schema import chain_channel_pb2 as channels
from ledger.schema.chain_identity_pb2 import CreateFleet, PayFromPool
from ledger.schema.chain_payment_pb2 import Mint, Output, Transfer
from ledger.storage import Table
from ledger.wallet.statement import Line, Movement, Statement
from tests.ledger.chain.frozen.eventful_chain import THIRD
from tests.ledger.chain.frozen.generate import FROZEN
from tests.ledger.chain.machine.small_chain import SmallChain
from tests.ledger.chain.rules.chain_world import account_of, known_key

NAMES = ("alice", "bob", "authority", "bank", "carol", "dave")
M = Movement


def name_of(name: str) -> bytes:
    return account_of(known_key(name))


def statement_of(chain: SmallChain, account: bytes) -> tuple[Statement, list[Line]]:
    statement = Statement(chain.genesis, account)
    lines = statement.opening()
    with chain.storage.read() as txn:
        for height in range(1, chain.machine.info().height + 1):
            block = read_block(txn, height)
            header = block.header
            keys = map(U64.pack, range(header.first_transaction, header.log_size))
            leaves = [txn.get(Table.ENTRIES, key) or b"" for key in keys]
            encoded = [decode_leaf(leaf)[1] for leaf in leaves]
            lines += statement.block(header, encoded, block.results)
    return statement, lines


def require_complete(chain: SmallChain, account: bytes) -> list[Line]:
    """The lines of a statement, which must lead to what the state has."""
    statement, lines = statement_of(chain, account)
    row = chain.rows().get(account_key(account))
    held = dict(Account.decode(row).holdings) if row else {}
    assert {asset: amount for asset, amount in statement.balances.items() if amount} == held
    balances: dict[int, int] = {}
    for line in lines:
        assert line.amount
        balances[line.asset] = balances.get(line.asset, 0) + line.amount
        assert line.balance == balances[line.asset] >= 0
    return lines


@pytest.fixture
def chain(tmp_path: Path) -> SmallChain:
    made = SmallChain(tmp_path, min_fee=2)
    made.block([made.sign("authority", CreateFleet(name="yard"))])
    return made


def mint(chain: SmallChain, number: int, name: str, amount: int) -> Mint:
    message = Mint(asset=1, number=number, outputs=[Output(account=name_of(name), amount=amount)])
    given = [approve(chain.chain, known_key(f"governor {each}"), message) for each in (0, 1)]
    message.approvals.extend(sorted(given, key=lambda approval: approval.key))
    return message


@pytest.mark.parametrize("seed", range(4))
def test_every_statement_adds_up(chain: SmallChain, seed: int) -> None:
    draw = random.Random(seed)
    pool = pool_account(fleet_id(chain.chain, "yard"))
    opened: list[tuple[str, str, bytes]] = []
    mints = 0
    for _ in range(12):
        block: list[bytes] = []
        for _ in range(6):
            payer = draw.choice(NAMES)
            message: Message
            match draw.randrange(8):
                case 0:
                    message = mint(chain, mints, draw.choice(NAMES), draw.randrange(1, 50))
                    mints += 1
                    payer = "bank"
                case 1:
                    payee = draw.choice(NAMES)
                    sequence = chain.sequences.get(name_of(payer), 0)
                    name = channel_id(chain.chain, name_of(payer), sequence)
                    message = channels.OpenChannel(
                        payee=name_of(payee),
                        deposit=draw.randrange(1, 99),
                        expiry_height=500,
                        challenge=5,
                        voucher=channels.VoucherMode(),
                    )
                    opened.append((payer, payee, name))
                case 2 if opened:
                    payer, _, name = draw.choice(opened)
                    message = channels.TopUpChannel(channel=name, amount=draw.randrange(1, 9))
                case 3 if opened:
                    first, payer, name = draw.choice(opened)
                    voucher = sign_voucher(
                        chain.chain, name, known_key(first), draw.randrange(1, 120)
                    )
                    message = channels.CloseChannel(
                        channel=name, voucher=channels.Voucher(**voucher._asdict())
                    )
                case 4:
                    message = Transfer(recipient=pool, amount=draw.randrange(1, 40))
                case 5:
                    payer = "authority"
                    fleet = fleet_id(chain.chain, "yard")
                    recipient, amount = name_of(draw.choice(NAMES)), draw.randrange(1, 30)
                    message = PayFromPool(fleet=fleet, recipient=recipient, amount=amount)
                case _:
                    message = Transfer(
                        asset=draw.choice([0, 0, 1, 9]),
                        recipient=name_of(draw.choice(NAMES)),
                        amount=draw.choice([1, 7, 10**6, 10**7]),
                    )
            before = chain.sequences.get(name_of(payer), 0)
            encoded = chain.sign(payer, message)
            finalized = chain.machine.finalize(chain.propose([*block, encoded]))
            if Result.parse(finalized.results[-1]).code:
                chain.sequences[name_of(payer)] = before  # refused: it may stand there all the same
                if draw.random() < 0.5:
                    continue
            block.append(encoded)
        chain.block(block)
    accounts = [*map(name_of, NAMES), pool, chain.genesis.parameters.treasury]
    seen = {line.movement for each in accounts for line in require_complete(chain, each)}
    assert seen >= {M.ALLOCATED, M.SENT, M.RECEIVED, M.FEE, M.FEE_EARNED, M.DEPOSITED}


def test_what_a_line_says(chain: SmallChain) -> None:
    payment = Transfer(recipient=name_of("dave"), amount=5, memo=b"for two")
    chain.block([chain.sign("alice", payment)])
    first, fee, sent = require_complete(chain, name_of("alice"))
    assert (first.movement, first.height, first.transaction) == (M.ALLOCATED, 0, b"")
    assert (fee.movement, fee.amount) == (M.FEE, -2)
    assert fee.counterparty == chain.genesis.parameters.treasury
    assert (sent.movement, sent.amount, sent.counterparty) == (M.SENT, -5, name_of("dave"))
    assert (sent.memo, sent.height, len(sent.transaction)) == (b"for two", 2, 32)
    (received,) = require_complete(chain, name_of("dave"))
    assert (received.movement, received.amount, received.balance) == (M.RECEIVED, 5, 5)
    assert received.transaction == sent.transaction


def test_money_that_comes_out_of_a_channel(chain: SmallChain) -> None:
    name = channel_id(chain.chain, name_of("alice"), 0)
    opening = channels.OpenChannel(
        payee=name_of("bob"),
        deposit=100,
        expiry_height=500,
        challenge=5,
        voucher=channels.VoucherMode(),
    )
    voucher = sign_voucher(chain.chain, name, known_key("alice"), 130)
    chain.block([chain.sign("alice", opening)])
    chain.block([chain.sign("alice", channels.TopUpChannel(channel=name, amount=50))])
    closing = channels.CloseChannel(channel=name, voucher=channels.Voucher(**voucher._asdict()))
    chain.block([chain.sign("bob", closing)])
    moved = [(line.movement, line.amount) for line in require_complete(chain, name_of("alice"))]
    assert [each for each in moved if each[0] not in (M.FEE, M.ALLOCATED)] == [
        (M.DEPOSITED, -100),
        (M.DEPOSITED, -50),
        (M.RETURNED, 20),
    ]
    assert (M.EARNED, 130) in [
        (line.movement, line.amount) for line in require_complete(chain, name_of("bob"))
    ]


@pytest.fixture(scope="module")
def frozen() -> dict[bytes, list[Line]]:
    """Every account of the frozen chain, on which everything happens; its statement adds up."""
    whole = json.loads(FROZEN.read_text())
    genesis = Genesis.parse(bytes.fromhex(whole["genesis"]))
    state = {bytes.fromhex(key): bytes.fromhex(row) for key, row in whole["state"].items()}
    told = {}
    for key, row in state.items():
        if key[:1] != b"\x01":
            continue
        statement = Statement(genesis, key[1:])
        lines = statement.opening()
        for block in whole["blocks"]:
            given = [
                (bytes.fromhex(each["transaction"]), bytes.fromhex(each["result"]))
                for each in block["transactions"]
            ]
            header = Header.parse(bytes.fromhex(block["header"]))
            lines += statement.block(header, [each for each, _ in given], [r for _, r in given])
        held = dict(Account.decode(row).holdings)
        assert {asset: amount for asset, amount in statement.balances.items() if amount} == held
        told[key[1:]] = lines
    return told


def test_statements_add_up_whatever_happens_on_a_chain(frozen: dict[bytes, list[Line]]) -> None:
    seen = {line.movement for lines in frozen.values() for line in lines}
    assert seen == set(Movement)


def test_royalties_and_sales_are_told_to_each_side(frozen: dict[bytes, list[Line]]) -> None:
    def moved(name: str, *movements: Movement) -> list[tuple[Movement, int]]:
        lines = frozen[name_of(name)]
        return [(each.movement, each.amount) for each in lines if each.movement in movements]

    # Sold for 2 * 10 + 3, a quarter of it a royalty; then streamed for 23 more.
    assert moved("carol", M.ROYALTY) == [(M.ROYALTY, 5), (M.ROYALTY, 5)]
    (seller,) = {
        line.counterparty for line in frozen[name_of("carol")] if line.movement is M.ROYALTY
    }
    assert seller == name_of(THIRD)
    assert moved(THIRD, M.EARNED) == [(M.EARNED, 18), (M.EARNED, 18)]
    # Three deposits of 7; of the sale that was complained of the buyer has it.
    assert moved(THIRD, M.SET_ASIDE) == [(M.SET_ASIDE, -7)] * 3
    assert moved(THIRD, M.RETURNED) == [(M.RETURNED, 7)] * 2
    buyer = moved("second time", M.SET_ASIDE, M.RETURNED, M.COMPENSATED, M.DEPOSITED)
    assert buyer == [
        (M.SET_ASIDE, -23),
        (M.SET_ASIDE, -23),
        (M.RETURNED, 23),
        (M.COMPENSATED, 7),
        (M.DEPOSITED, -50),
        (M.RETURNED, 27),
    ]


def test_what_was_refused_moves_nothing(chain: SmallChain) -> None:
    chain.block([chain.pay("alice", "bob", 10**9), b"no transaction"])
    (line,) = require_complete(chain, name_of("alice"))
    assert line.movement is M.ALLOCATED
