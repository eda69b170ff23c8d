"""Attachments can go once their disputes are over; nothing that was agreed on goes with them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from ledger.chain.machine.pruning import prune_attachments
from ledger.chain.machine.replay import replay
from ledger.errors import NotFoundError
from ledger.storage import Table
from tests.ledger.chain.machine.small_chain import SmallChain
from tests.ledger.chain.rules.chain_world import name_attachments

ONCE, TWICE, LATE = b"named in block 1", b"named in 1 and 3", b"named in block 3"


def hashed(*data: bytes) -> dict[bytes, bytes]:
    return {sha256(each).digest(): each for each in data}


@pytest.fixture
def chain(tmp_path: Path) -> SmallChain:
    made = SmallChain(tmp_path)
    named = name_attachments([ONCE, TWICE])
    made.block([made.pay("alice", "bob", 1, attachments=named)], hashed(ONCE, TWICE))
    made.block([made.pay("alice", "bob", 2)])
    named = name_attachments([TWICE, LATE])
    made.block([made.pay("alice", "bob", 3, attachments=named)], hashed(TWICE, LATE))
    return made


def kept(chain: SmallChain) -> dict[bytes, bytes]:
    with chain.storage.read() as transaction:
        return dict(transaction.scan(Table.ATTACHMENTS))


@pytest.mark.parametrize("height", [2, 3])
def test_what_only_older_blocks_name_is_forgotten(chain: SmallChain, height: int) -> None:
    assert prune_attachments(chain.storage, height) == 1
    assert kept(chain) == hashed(TWICE, LATE)
    assert prune_attachments(chain.storage, height) == 0


def test_nothing_goes_that_a_block_from_there_on_names(chain: SmallChain) -> None:
    assert prune_attachments(chain.storage, 1) == 0
    assert kept(chain) == hashed(ONCE, TWICE, LATE)
    chain.block()
    assert prune_attachments(chain.storage, 4) == 3
    assert kept(chain) == {}


@pytest.mark.parametrize("height", [0, 4, -1])
def test_a_block_that_is_not_there(chain: SmallChain, height: int) -> None:
    with pytest.raises(NotFoundError):
        prune_attachments(chain.storage, height)
    assert kept(chain) == hashed(ONCE, TWICE, LATE)


def test_the_chain_is_lived_again_and_goes_on_without_them(
    chain: SmallChain, tmp_path: Path
) -> None:
    prune_attachments(chain.storage, 3)
    again = SmallChain(tmp_path / "again")
    done = replay(chain.storage, chain.log, again.machine)
    assert done.pruned_attachments == 1
    assert again.machine.info() == chain.machine.info()
    assert chain.block([chain.pay("alice", "bob", 4)]).transactions == 1
