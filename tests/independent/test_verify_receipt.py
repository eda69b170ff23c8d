"""The stand-alone verifier of receipts and answers: its verdicts, and that they are ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.trust import Trust
from ledger.chain.result import Result
from ledger.errors import LedgerError
from ledger.note import VerifierKey
from ledger.schema import chain_pb2
from tests.independent import verify_receipt as independent
from tests.ledger.chain.light.frozen import generate
from tests.ledger.chain.light.lying_operator import LyingOperator
from tests.ledger.chain.machine.small_chain import SmallChain, transaction_id

FROZEN = json.loads(generate.FROZEN.read_text())
CHAIN, VKEY = bytes.fromhex(FROZEN["chain"]), FROZEN["vkey"]
TRUST = Trust(CHAIN, [VerifierKey.parse(VKEY)])
RECEIPT = bytes.fromhex(FROZEN["blocks"][2]["receipts"][1])
REFUSED = bytes.fromhex(FROZEN["blocks"][2]["receipts"][-1])
KEYS = [bytes.fromhex(key) for key in FROZEN["asked"]]
ANSWERS = [bytes.fromhex(answer) for answer in FROZEN["blocks"][2]["answers"]]
PRESENT, ABSENT = 0, 2
PROGRAM = Path(independent.__file__)


def accepted(check: Callable[[], object]) -> bool:
    try:
        check()
    except (ValueError, InvalidSignature):
        return False
    return True


def same_verdict(data: bytes, key: bytes | None = None, trust: Trust = TRUST) -> bool:
    """Both refuse, or both say the same; whether they accept."""
    vkey = trust.log_keys[0].encode()
    try:
        if key is None:
            ours = verify_receipt(data, trust)
            said = f"with code {ours.result.code}"
        else:
            found = verify_answer(data, key, trust).value
            said = f"{found.hex()} is there" if found is not None else "absent"
    except LedgerError:
        check = (
            (lambda: independent.receipt(trust.chain, vkey, data))
            if key is None
            else (lambda: independent.answer(trust.chain, vkey, data, key))
        )
        assert not accepted(check)
        return False
    if key is None:
        assert said in independent.receipt(trust.chain, vkey, data)
    else:
        assert said in independent.answer(trust.chain, vkey, data, key)
    return True


def test_it_says_what_it_found(tmp_path: Path) -> None:
    def run(data: bytes, *key: str, chain: str = FROZEN["chain"]) -> tuple[int, str]:
        (tmp_path / "file").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-I", PROGRAM, chain, VKEY, tmp_path / "file", *key],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, (done.stdout or done.stderr).strip()

    code, said = run(RECEIPT)
    assert code == 0
    assert said.endswith("is in block 3, with code 0")
    absent = KEYS[ABSENT].hex()
    assert run(ANSWERS[ABSENT], absent) == (0, "verified: absent after block 3")
    assert run(ANSWERS[PRESENT], absent)[0] == 1
    assert run(RECEIPT, chain="00" * 32) == (
        1,
        "refused: the header is of another version or chain",
    )
    assert run(RECEIPT[:-1] + b"!")[0] == 1


@pytest.mark.parametrize("data", [RECEIPT, REFUSED], ids=["carried-out", "refused"])
def test_both_accept_no_other_byte_of_a_receipt(data: bytes) -> None:
    assert same_verdict(data)
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert not same_verdict(bad)
    for size in range(0, len(data), 5):
        assert not same_verdict(data[:size])
    assert not same_verdict(data + b"\x00")


@pytest.mark.parametrize("place", [PRESENT, ABSENT], ids=["present", "absent"])
def test_both_accept_no_other_byte_of_an_answer(place: int) -> None:
    data, key = ANSWERS[place], KEYS[place]
    assert same_verdict(data, key)
    for at in range(len(data)):
        bad = data[:at] + bytes([data[at] ^ 0x80]) + data[at + 1 :]
        assert not same_verdict(bad, key)
    for size in range(0, len(data), 5):
        assert not same_verdict(data[:size], key)
    for other in KEYS:
        assert same_verdict(data, other) == (ANSWERS[KEYS.index(other)] == data)


def test_both_follow_receipts_through_trees_of_every_shape(tmp_path: Path) -> None:
    chain = SmallChain(tmp_path)
    trust = Trust(chain.chain, [chain.vkey])
    sent = []
    for count in (1, 2, 3, 5, 8, 13, 0, 1):
        payments = [chain.pay("bank", "bob", 1) for _ in range(count)]
        chain.block(payments)
        sent += payments
    for payment in sent:
        assert same_verdict(chain.receipts.receipt(transaction_id(payment)), trust=trust)


def test_both_refuse_what_an_operator_signs_and_ought_not() -> None:
    liar = LyingOperator()
    trust = Trust(liar.genesis.chain, [liar.signer.verifier_key])
    weak = LyingOperator.transaction_of(b"\x01" + bytes(31), b"\x01" + bytes(63))
    for code in (0, 7):
        result = Result(transaction_id(weak), code).encode()
        receipt = LyingOperator().receipt_of_block(weak, [result], 0)
        assert same_verdict(receipt, trust=trust) == (code == 7)
    garbage = Result(transaction_id(b"garbage"), 1).encode()
    assert not same_verdict(liar.receipt_of_block(b"garbage", [garbage], 0), trust=trust)


def test_the_page_knows_every_action() -> None:
    """Whoever adds one adds it to docs/format.md, and here."""
    fields = chain_pb2.TransactionBody.DESCRIPTOR.oneofs_by_name["action"].fields
    assert {field.number for field in fields} == set(independent.ACTIONS)


@given(data=st.binary(max_size=120))
@settings(max_examples=200)
def test_both_say_the_same_of_anything(data: bytes) -> None:
    for candidate in (data, RECEIPT[: len(data)] + data):
        assert not same_verdict(candidate)
        assert not same_verdict(candidate, KEYS[PRESENT])
