"""A byte flipped, a row gone, a row too many, in every table: the audit names it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ledger
from ledger.chain.machine.block_rows import GENESIS
from ledger.chain.state.leaf import decode_leaf
from ledger.chain.state.store import _STATE_KEY
from ledger.fsck.findings import Finding, FindingKind
from ledger.log_reader import ACTIVE_VKEYS, FIRST_VKEY, KNOWN_VKEYS, ORIGIN, SIZE, U64
from ledger.storage import Table
from tests.ledger.chain.audit.audited_chain import AuditedChain

ROWS_A_TABLE = 8
FLIPS = 40
K = FindingKind

Named = Callable[[bytes, bytes, Finding], bool]
"""Whether a finding names the row with this key and sound value."""

# What a flipped byte of a row's value is called, and how the finding names the row.
FLIPPED: dict[Table, tuple[set[FindingKind], Named]] = {
    Table.ENTRIES: ({K.ENTRY_CHANGED}, lambda key, _, found: found.entry == U64.unpack(key)[0]),
    Table.TILES: ({K.TILE_CHANGED}, lambda key, _, found: found.tile == (0, 0)),
    Table.CHECKPOINTS: (
        {K.CHECKPOINT_MALFORMED, K.CHECKPOINT_SIGNATURE, K.CHECKPOINT_ROOT},
        lambda key, _, found: str(U64.unpack(key)[0]) in found.subject,
    ),
    Table.STATE_LEAVES: (
        {K.STATE_KEY},
        lambda _, row, found: found.key == decode_leaf(row)[0],
    ),
    Table.STATE_TILES: ({K.STATE_TILE}, lambda key, _, found: key.hex() in found.subject),
    Table.STATE_HISTORY: (
        {K.STATE_HISTORY},
        lambda key, _, found: key.hex() in found.subject and found.height == U64.unpack(key[:8])[0],
    ),
    Table.BLOCKS: (
        {K.BLOCK_ROW, K.RESULT_WRONG},
        lambda key, _, found: found.height == U64.unpack(key)[0],
    ),
    Table.TRANSACTIONS: (
        {K.TRANSACTION_ROW},
        lambda key, row, found: found.entry == U64.unpack(row)[0] and key.hex() in found.subject,
    ),
    Table.ATTACHMENTS: ({K.ATTACHMENT_ROW}, lambda key, _, found: key.hex() in found.subject),
}
UNUSED = (
    Table.RECORDS,
    Table.CONTENT,
    Table.CHUNKS,
    Table.COPIES,
    Table.PROGRESS,
    Table.PROVENANCE,
)
META_ROWS = (ORIGIN, FIRST_VKEY, ACTIVE_VKEYS, KNOWN_VKEYS, SIZE, GENESIS, _STATE_KEY)


def flipped(value: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(value))
    return value[:at] + bytes([value[at] ^ 1 << draw.randrange(8)]) + value[at + 1 :]


def test_the_cases_cover_every_table(chain: AuditedChain) -> None:
    assert {*FLIPPED, *UNUSED, Table.META} == set(Table)
    assert all(chain.rows(table) for table in FLIPPED)
    known = {*META_ROWS, b"format"}
    assert {key for key, _ in chain.rows(Table.META)} == known


@pytest.mark.parametrize("table", FLIPPED, ids=lambda table: table.name)
def test_a_flipped_byte_of_any_table_is_named(chain: AuditedChain, table: Table) -> None:
    kinds, names = FLIPPED[table]
    draw = random.Random(table.name)
    rows = chain.rows(table)
    for key, value in draw.sample(rows, min(ROWS_A_TABLE, len(rows))):
        chain.put((table, key, flipped(value, draw)))
        findings = chain.findings()
        assert any(f.kind in kinds and names(key, value, f) for f in findings), (key, findings)
        chain.put((table, key, value))
    assert chain.audit().ok


@pytest.mark.parametrize("table", FLIPPED, ids=lambda table: table.name)
def test_a_missing_row_is_named(chain: AuditedChain, table: Table) -> None:
    draw = random.Random(table.name)
    for key, value in draw.sample(chain.rows(table), min(3, len(chain.rows(table)))):
        chain.put((table, key, None))
        report = chain.audit()
        if table is Table.ATTACHMENTS:  # pruned, which is allowed
            assert report.ok
            assert report.counters.to_json()["attachments_gone"] == 1
        elif table is not Table.CHECKPOINTS or report.findings:  # nobody must keep an old one
            assert report.findings, key
        chain.put((table, key, value))


@pytest.mark.parametrize("table", [*FLIPPED, *UNUSED], ids=lambda table: table.name)
def test_a_row_too_many_is_named(chain: AuditedChain, table: Table) -> None:
    chain.put((table, b"\xfe" * 16, b"\x00" * 40))
    findings = chain.findings()
    assert any(("fe" * 16) in finding.subject for finding in findings), findings


@pytest.mark.parametrize("name", META_ROWS)
def test_a_flipped_byte_of_meta_is_named(chain: AuditedChain, name: bytes) -> None:
    draw = random.Random(name)
    (value,) = [value for key, value in chain.rows(Table.META) if key == name]
    for _ in range(4):
        chain.put((Table.META, name, flipped(value, draw)))
        findings = chain.findings()
        # That it keeps other heights than it says may be the fault of either.
        if name == _STATE_KEY and {f.kind for f in findings} == {K.STATE_HISTORY}:
            continue
        assert any(f.kind is K.META_WRONG and name.decode() in f.subject for f in findings), name
    chain.put((Table.META, name, None))
    assert chain.findings()


def test_no_flipped_byte_of_the_store_goes_unnoticed(chain: AuditedChain) -> None:
    """Bytes in use and headers of pages, wherever they are; some kill the reader."""
    data = (chain.home / "log" / "data.mdb").read_bytes()
    draw = random.Random(7)
    in_use = [at for at, byte in enumerate(data) if byte]
    headers = [page + at for page in range(0, len(data), 4096) for at in range(40)]
    places = [
        f"{draw.choice(draw.choice([in_use, headers]))}:{1 << draw.randrange(8)}"
        for _ in range(FLIPS)
    ]
    run = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("flip_chain.py")),
            str(chain.home),
            str(chain.published),
            *places,
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(ledger.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(run.stdout)
    assert not {at: what for at, what in results.items() if what in ("SILENT", "RAISED")}
    assert "found" in results.values()
