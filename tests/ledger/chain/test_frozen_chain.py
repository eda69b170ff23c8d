"""A chain written down once is read for ever, and every replica makes the same of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header, check_succession
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.machine.execution import carry_out, check_form
from ledger.chain.result import Result, results_root
from ledger.chain.rules.registry import ACTIONS
from ledger.chain.transaction import parse_transaction
from ledger.chain.working_state import WorkingState
from ledger.ed25519 import is_signed
from ledger.merkle.hashing import leaf_hashes, tree_root
from ledger.schema.chain_pb2 import EventKind
from tests.ledger.chain.frozen import generate
from tests.ledger.chain.frozen.attachments import attachments
from tests.ledger.chain.frozen.eventful_chain import build
from tests.ledger.chain.state.naive_state import root_of

ROOT: Final = Path(__file__).resolve().parents[3]
FROZEN: Final = json.loads(generate.FROZEN.read_text())
ATTACHMENTS: Final = attachments()


def test_every_action_and_event_is_in_it() -> None:
    """Whoever adds one lets it happen in further blocks: those that are there stay."""
    chain, done, told, codes = bytes.fromhex(FROZEN["chain"]), set(), set(), []
    for block in FROZEN["blocks"]:
        for each in block["transactions"]:
            read = parse_transaction(chain, bytes.fromhex(each["transaction"]))
            result = Result.parse(bytes.fromhex(each["result"]))
            codes.append(result.code)
            if result.code == ResultCode.OK:
                done.add(read.action)
            told |= {event.kind for event in result.events}
    assert done == set(ACTIONS)
    assert told == set(EventKind.values()) - {0}
    assert [code for code in codes if code] == [ResultCode.INSUFFICIENT_FUNDS]


def test_replaying_it_gives_the_same_at_every_height() -> None:
    genesis = Genesis.parse(bytes.fromhex(FROZEN["genesis"]))
    assert genesis.chain.hex() == FROZEN["chain"]
    rows = {key: row for key, row in genesis.state().items() if row is not None}
    leaves, before = [genesis.leaf], None
    for block in FROZEN["blocks"]:
        header = Header.parse(bytes.fromhex(block["header"]))
        assert header.app_hash.hex() == block["app_hash"]
        if before is None:
            assert (header.height, header.previous) == (1, genesis.chain)
        else:
            check_succession(before, header)
        before = header
        state = WorkingState(rows.get)
        context = Context(genesis.chain, genesis.parameters, header.height, header.time_ns, state)
        results = []
        for each in block["transactions"]:
            encoded = bytes.fromhex(each["transaction"])
            read = parse_transaction(genesis.chain, encoded)
            assert read.id.hex() == each["id"]
            check_form(read)
            result = carry_out(context, read, is_signed(*read.claim), ATTACHMENTS)
            assert result.encode().hex() == each["result"]
            leaves.append(encode_leaf(LeafKind.TRANSACTION, encoded))
            results.append(result.encode())
        merged = {**rows, **state.changes}
        rows = {key: row for key, row in merged.items() if row is not None}
        assert header.log_size == len(leaves)
        assert header.log_root == tree_root(leaf_hashes(leaves))
        assert header.results_root == results_root(results)
        assert header.state_root == root_of(rows)
        leaves.append(header.leaf)
    assert {key.hex(): row.hex() for key, row in rows.items()} == FROZEN["state"]


def test_we_still_write_the_same_bytes() -> None:
    assert generate.frozen(build()) == FROZEN


def test_so_does_a_process_that_hashes_speaks_and_dates_otherwise() -> None:
    program = (
        "import json, sys; from tests.ledger.chain.frozen import generate as g;"
        "sys.exit(g.frozen(g.build()) != json.loads(g.FROZEN.read_text()))"
    )
    for seed, zone, language in (("1", "Asia/Kathmandu", "C"), ("77", "UTC", "tr_TR.UTF-8")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": language,
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
