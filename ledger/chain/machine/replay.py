"""A chain lived again: every block of a log carried out by a machine of its own.

The leaves alone decide: the genesis, then for each block its transactions and the header
that ends it. A machine that is given the same transactions and times must come to the same
header, byte for byte; the first that is another is named, and nothing of its block is kept.

While one block is carried out, the next is read and its signatures are checked, elsewhere
if the machine's `SignatureChecker` has other cores.

**Attachments** are no part of the leaves and may have been pruned. For a transaction that
was carried out, the recorded result then stands for them: it is carried out as if they
were there, and they are counted. A record that lies gives another header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.chain.codes import ResultCode
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine.admission import Looking
from ledger.chain.machine.block_rows import read_block
from ledger.chain.machine.machine import StateMachine
from ledger.chain.machine.proposal import Finalized, Info, Proposal
from ledger.chain.result import Result, results_root
from ledger.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from ledger.log_reader import LogReader
from ledger.storage import Storage, Table


class ReplayError(VerificationError):
    """The chain is not what its transactions make of it, first at ``height``, leaf ``index``."""

    def __init__(self, height: int, index: int, message: str) -> None:
        super().__init__(f"block {height}, leaf {index}: {message}")
        self.height = height
        self.index = index


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay has done."""

    blocks: int
    transactions: int
    pruned_attachments: int
    """How many attachments of carried out transactions were not there to be looked at."""
    info: Info
    """Where the machine stands now."""


@dataclass(frozen=True, slots=True)
class _Block:
    header: Header
    encoded: bytes = field(repr=False)
    transactions: list[bytes] = field(repr=False)


def replay(
    storage: Storage, log: LogReader, machine: StateMachine, stop: int | None = None
) -> Replayed:
    """Have ``machine`` carry out what it lacks of the chain in ``log``, up to height ``stop``.

    ``storage`` is where the log is, with its attachments and recorded results; nothing of
    it is believed. The machine may be a fresh one (`start_chain`) or one that stands at
    any height, as after a snapshot.

    Raises ReplayError at the first thing that differs, with all blocks before it kept;
    RefusedError for a machine of another chain; StorageError and its kin.
    """
    _check_start(log, machine)
    blocks = transactions = pruned = 0
    ahead: tuple[_Block, Looking] | None = None
    wrong: ReplayError | None = None
    coming = _blocks(log, machine.info(), stop)
    while True:
        try:
            block = next(coming, None)
        except ReplayError as error:
            block, wrong = None, error
        looking = machine.look_ahead(block.transactions) if block else None
        if ahead is not None:
            pruned += _carry_out(storage, machine, *ahead)
        if block is None or looking is None:
            break
        ahead = block, looking
        blocks, transactions = blocks + 1, transactions + len(block.transactions)
    if wrong is not None:
        raise wrong
    return Replayed(blocks, transactions, pruned, machine.info())


def _check_start(log: LogReader, machine: StateMachine) -> None:
    """Check that the machine stands on the log's own history."""
    info, size = machine.info(), log.size
    if info.origin != log.origin:
        raise RefusedError(f"the log is {log.origin}'s, the machine's chain is {info.origin}'s")
    if info.log_size > size:
        raise RefusedError(f"the machine is at leaf {info.log_size}, the log has {size}")
    # The genesis before the first block, else the header.
    kind, message = _decode(log.entry(info.log_size - 1), info.height, info.log_size - 1)
    expected = LeafKind.HEADER if info.height else LeafKind.GENESIS
    same = kind is expected and (
        Header.parse(message).app_hash == info.app_hash
        if info.height
        else message == machine.genesis.encoded
    )
    if not same:
        raise RefusedError(
            f"leaf {info.log_size - 1} of the log is not the one that the machine stands on",
            hint="replay into a machine of the same genesis and history",
        )


def _blocks(log: LogReader, start: Info, stop: int | None) -> Iterator[_Block]:
    """The blocks after ``start``."""
    height, transactions = start.height + 1, list[bytes]()
    for index, leaf in enumerate(log.entries(start.log_size), start.log_size):
        if stop is not None and height > stop:
            return
        kind, message = _decode(leaf, height, index)
        if kind is LeafKind.TRANSACTION:
            transactions.append(message)
            continue
        if kind is LeafKind.GENESIS:
            raise ReplayError(height, index, "a second genesis")
        try:
            header = Header.parse(message)
        except MalformedError as error:
            raise ReplayError(height, index, error.message) from error
        if header.log_size != index or header.height != height:
            raise ReplayError(
                height, index, f"a header of height {header.height} at leaf {header.log_size}"
            )
        yield _Block(header, message, transactions)
        height, transactions = height + 1, []
    if transactions:
        raise ReplayError(height, log.size, "transactions at the end that no header follows")


def _decode(leaf: bytes, height: int, index: int) -> tuple[LeafKind, bytes]:
    try:
        return decode_leaf(leaf)
    except MalformedError as error:
        raise ReplayError(height, index, error.message) from error


def _carry_out(storage: Storage, machine: StateMachine, block: _Block, looking: Looking) -> int:
    """Carry out a block and keep it; the number of attachments that were pruned."""
    header = block.header
    if header.time_ns <= machine.info().time_ns:
        raise ReplayError(header.height, header.log_size, "its time is not after the one before")
    attachments, pruned = _attachments(storage, header, looking)
    proposal = Proposal(
        header.height, header.time_ns, block.transactions, attachments, frozenset(pruned)
    )
    finalized = machine.finalize(proposal, looking)
    if finalized.header.encode() != block.encoded:
        raise _difference(storage, header, finalized)
    machine.commit()
    return len(pruned)


def _attachments(
    storage: Storage, header: Header, looking: Looking
) -> tuple[Mapping[bytes, bytes], set[bytes]]:
    """The attachments that are there, and the names of those that are not and once were."""
    named = [
        (place, name)
        for place, each in enumerate(looking.parsed())
        if each.transaction is not None and each.transaction.attachments
        for name, _ in each.transaction.attachments
    ]
    if not named:
        return {}, set()
    with storage.read() as transaction:
        found = {name: transaction.get(Table.ATTACHMENTS, name) for _, name in named}
    attachments = {name: data for name, data in found.items() if data is not None}
    gone = {name for _, name in named} - attachments.keys()
    if gone:
        results = _recorded(storage, header)
        codes = [Result.parse(each).code for each in results]
        carried_out = {name for place, name in named if codes and codes[place] == ResultCode.OK}
        gone &= carried_out
    return attachments, gone


def _recorded(storage: Storage, header: Header) -> Sequence[bytes]:
    """The recorded results of a block; none where there is no record of it."""
    try:
        with storage.read() as transaction:
            return read_block(transaction, header.height).results
    except NotFoundError:
        return ()


def _difference(storage: Storage, stored: Header, finalized: Finalized) -> ReplayError:
    """Say where a header that is not the right one goes wrong."""
    header = finalized.header
    index = stored.log_size
    if header.results_root != stored.results_root:
        recorded = _recorded(storage, stored)
        if results_root(recorded) == stored.results_root:
            for place, (ours, theirs) in enumerate(zip(finalized.results, recorded, strict=True)):
                if ours != theirs:
                    codes = [Result.parse(each).code for each in (ours, theirs)]
                    index = stored.first_transaction + place
                    message = f"its result is code {codes[0]}, recorded is {codes[1]}"
                    if codes[0] == codes[1]:
                        message = "its result has other events than are recorded"
                    return ReplayError(stored.height, index, message)
        return ReplayError(stored.height, index, "the results are others than its header's")
    fields = ("chain", "previous", "log_root", "transactions", "state_root")
    wrong = [name for name in fields if getattr(header, name) != getattr(stored, name)]
    return ReplayError(
        stored.height, index, f"the header has another {' and '.join(wrong).replace('_', ' ')}"
    )
