"""What a chain handed out once verifies for ever, here and by the stand-alone program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.chain.light.answer import verify_answer
from ledger.chain.light.client import LightClient
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.snapshot import verify_chunk, verify_manifest
from ledger.chain.light.trust import Trust
from ledger.note import VerifierKey
from tests.independent import verify_receipt as independent
from tests.ledger.chain.light.frozen import generate

FROZEN = json.loads(generate.FROZEN.read_text())
CHAIN = bytes.fromhex(FROZEN["chain"])
TRUST = Trust(CHAIN, [VerifierKey.parse(FROZEN["vkey"])])


def test_a_light_client_follows_what_was_said() -> None:
    client = LightClient(TRUST)
    carried_out = 0
    for height, block in enumerate(FROZEN["blocks"], 1):
        proof = [bytes.fromhex(step) for step in block["consistency"]]
        signed = client.advance(bytes.fromhex(block["signed_header"]), proof)
        assert signed.header.height == height
        for data in map(bytes.fromhex, block["receipts"]):
            receipt = client.receipt(data)
            carried_out += receipt.carried_out
            said = independent.receipt(CHAIN, FROZEN["vkey"], data)
            assert said == (
                f"verified: {receipt.transaction.id.hex()} is in block {height},"
                f" with code {receipt.result.code}"
            )
        for key, value, data in zip(
            map(bytes.fromhex, FROZEN["asked"]),
            block["values"],
            map(bytes.fromhex, block["answers"]),
            strict=True,
        ):
            found = client.answer(data, key).value
            assert (found and found.hex()) == value
            what = f"{value} is there" if value else "absent"
            assert independent.answer(CHAIN, FROZEN["vkey"], data, key) == (
                f"verified: {what} after block {height}"
            )
    assert carried_out == 4 + 2 + 3 + 4


def test_an_answer_about_the_past_verifies() -> None:
    key, data = bytes.fromhex(FROZEN["asked"][0]), bytes.fromhex(FROZEN["old_answer"])
    assert verify_answer(data, key, TRUST).header.height == 2
    assert "after block 2" in independent.answer(CHAIN, FROZEN["vkey"], data, key)


def test_the_snapshot_verifies() -> None:
    manifest = verify_manifest(bytes.fromhex(FROZEN["manifest"]), TRUST)
    assert manifest.header.height == 4
    for number, chunk in enumerate(FROZEN["chunks"]):
        assert verify_chunk(manifest, number, bytes.fromhex(chunk))


def test_a_receipt_of_then_is_one_of_now() -> None:
    receipt = bytes.fromhex(FROZEN["blocks"][0]["receipts"][0])
    assert verify_receipt(receipt, TRUST).carried_out
    with pytest.raises(ValueError, match=r"."):
        independent.receipt(bytes(32), FROZEN["vkey"], receipt)


def test_we_still_hand_out_the_same_bytes(tmp_path: Path) -> None:
    assert generate.build(tmp_path) == FROZEN
