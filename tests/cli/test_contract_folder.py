"""A contract's files: the templates hold what they promise, and mistakes are told by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.cli.contract_folder import (
    EXAMPLES_FILE,
    POLICY_FILE,
    TEMPLATES,
    TERMS_FILE,
    Expectation,
    RoyaltyText,
    read_folder,
    write_template,
)
from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_template(tmp_path / "contract", "paid-dataset")
    return tmp_path / "contract"


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_comes_to_what_its_examples_say(tmp_path: Path, template: str) -> None:
    write_template(tmp_path, template)
    contract = read_folder(tmp_path)
    assert not contract.failing()
    assert {each.expect for each in contract.examples} == set(Expectation)


def test_an_example_that_is_wrong_is_found(folder: Path) -> None:
    path = folder / EXAMPLES_FILE
    path.write_text(path.read_text().replace("expect: allow", "expect: deny", 1))
    (wrong,) = read_folder(folder).failing()
    assert wrong.name == "an accredited buyer"


def test_files_are_never_written_over(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        write_template(folder, "fleet-only")
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError):
        write_template(tmp_path / "file", "fleet-only")


@pytest.mark.parametrize("name", [POLICY_FILE, TERMS_FILE, EXAMPLES_FILE])
def test_each_file_is_needed(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        read_folder(folder)


def test_all_that_terms_can_say(folder: Path) -> None:
    (folder / TERMS_FILE).write_text(
        "name: drives\nasset: 7\nchunk_price: '0.05'\nrecord_price: 3\nuses: 2\n"
        "grant_blocks: 10\nuntil_block: 99\nmax_age: 2 hours\ndeposit: '1.5'\n"
        "royalties:\n  - {account: pool:yard, percent: '2.5'}\n  - {account: x, percent: 10}\n"
    )
    terms = read_folder(folder).terms
    assert (terms.asset, terms.chunk_price, terms.record_price) == ("7", "0.05", "3")
    assert (terms.until_block, terms.max_age_s, terms.deposit) == (99, 7_200, "1.5")
    assert terms.royalties == (RoyaltyText("pool:yard", 250), RoyaltyText("x", 1_000))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("name: paid dataset", "", "has no name"),
        ("uses: 3", "uses: 0", "from 1 to 65536"),
        ("uses: 3", "uses: many", "whole number"),
        ("uses: 3", "usages: 3", "unknown key"),
        ('"0.01"', "0.01", "in quotes"),
        ('"0.01"', "'1,5'", "must be an amount"),
        ('"0.01"', "-1", "must be an amount"),
        ('"0.01"', "true", "must be an amount"),
        ("deposit: 5", "max_age: 3", "must be a time"),
        ("deposit: 5", "max_age: 3 weeks", "must be a time"),
        ("deposit: 5", "max_age: 0 days", "must be a time"),
        ("deposit: 5", "royalties: [{account: x}]", "account and a percent"),
        ("deposit: 5", "royalties: [{account: x, percent: 2.5}]", "percentage in quotes"),
        ("deposit: 5", "royalties: [{account: x, percent: '2.555'}]", "percentage in quotes"),
        ("deposit: 5", "royalties: 3", "must be a list"),
        ("asset: QPU", "asset: [", "is no YAML"),
    ],
)
def test_mistakes_in_terms_are_told_by_their_line(
    folder: Path, old: str, new: str, words: str
) -> None:
    _mistake(folder / TERMS_FILE, old, new, words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("expect: allow", "expect: perhaps", "must be one of allow, deny"),
        ("expect: allow", "", "has no expect"),
        ("level: 3", "level: high", "whole number"),
        ("level: 3", "rank: 3", "unknown key"),
        ("reward_task_min", "reward_min", "unknown key"),
        ("kind: episode", "kind: 3", "must be a word"),
        ("kind: episode", "age: long", "must be a time"),
        ("purpose: training", "price: -1", "must be from 0"),
    ],
)
def test_mistakes_in_examples_are_told_by_their_line(
    folder: Path, old: str, new: str, words: str
) -> None:
    _mistake(folder / EXAMPLES_FILE, old, new, words)


def test_a_policy_that_is_no_text_is_refused(folder: Path) -> None:
    (folder / POLICY_FILE).write_bytes(b"\xff")
    with pytest.raises(MalformedError, match="UTF-8"):
        read_folder(folder)


def _mistake(path: Path, old: str, new: str, words: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(LedgerError) as refused:
        read_folder(path.parent)
    assert words in refused.value.message
    assert f"{path}:" in refused.value.message
    assert refused.value.hint
