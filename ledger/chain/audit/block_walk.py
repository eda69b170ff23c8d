"""The leaves of a chain as blocks: each in its place, and the rows kept of it.

What a header says of the leaves before it needs no rule to be checked; what it says of
results and state needs them all. The rules are replayed up to the first block that they
cannot explain, so that one wrong thing is named once; all else is checked to the end.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.history_check import HistoryCheck
from ledger.chain.audit.rule_replay import ReplayedTransaction, RuleReplay
from ledger.chain.chronicle.beginning import open_with_state
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import Moment
from ledger.chain.codes import ResultCode
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, decode_leaf, leaf_id
from ledger.chain.machine.block_rows import GENESIS, ID_PREFIX
from ledger.chain.result import Result, results_root, split_results
from ledger.chain.state.store import open_state
from ledger.errors import CorruptStoreError, LedgerError, MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.log_reader import ORIGIN, U64
from ledger.storage import ReadTransaction, Table

RootAt = Callable[[int], bytes]


class BlockWalk:
    """Takes every leaf in order. ``replay`` is None once the rules explain no more."""

    def __init__(
        self,
        txn: ReadTransaction,
        trail: AuditTrail,
        counters: ChainCounters,
        history: HistoryCheck,
    ) -> None:
        self._txn = txn
        self._trail = trail
        self._counters = counters
        self._history = history
        self.genesis: Genesis | None = None
        self.replay: RuleReplay | None = None
        self.newest: Header | None = None
        """The newest header that could be read."""
        self.chronicle: Chronicle | None = None
        """What the transactions did; None where there is nothing to begin with."""
        self.replayed_height = 0
        """The last block that the rules explain."""
        self.named_attachments: set[bytes] = set()
        self._previous = b""  # leaf hash of the leaf that the next header must name
        self._first = 1  # leaf index of the first transaction of the block at work
        self._block: list[bytes] = []
        self._whole = True  # whether every leaf since the last header could be read
        self._stopped = False
        self._oldest = 1  # height of the first block that the store has
        self._snapshot: int | None = None  # leaf of the header that the store begins with
        self._repeated = 0  # transactions that stand in the log again further on
        self._lost: set[int] = set()  # leaves that could not be read

    def begin_at(self, index: int) -> None:
        """Begin with the header at a leaf: the chain was restored from a snapshot there."""
        self._first = self._snapshot = index
        try:
            self.genesis = Genesis.parse(self._txn.get(Table.META, GENESIS) or b"")
        except MalformedError as error:
            self._find(FindingKind.META_WRONG, "META chain_genesis", error.message)

    def take(self, index: int, leaf: bytes | None, root_at: RootAt) -> None:
        """Take the next leaf, None for one that is missing or damaged and named already.

        ``root_at`` gives the root of the first ``index`` leaves.
        """
        if leaf is None:
            self._lose(index)
            return
        try:
            kind, message = decode_leaf(leaf)
        except MalformedError as error:
            self._wrong_leaf(index, error.message)
            return
        if (kind is LeafKind.GENESIS) is not (index == 0):
            self._wrong_leaf(index, f"a {kind.name.lower()} may not stand there")
        elif kind is LeafKind.GENESIS:
            self._begin(message)
        elif kind is LeafKind.TRANSACTION:
            self._block.append(message)
        elif index == self._snapshot:
            self._begin_with(index, message, root_at)
        else:
            self._end_block(index, message, root_at)

    def finish(self, size: int) -> None:
        """Name leaves after the last header, and rows of blocks that are none."""
        if self._block:
            self._wrong_leaf(self._first, "no header follows it")
        newest = self.newest.height if self.newest else 0
        self._check_genesis_rows()
        if self._txn.count(Table.BLOCKS) != newest - self._oldest + 1:
            for key, _ in self._txn.scan(Table.BLOCKS):
                height = U64.unpack(key)[0] if len(key) == U64.size else 0
                if not self._oldest <= height <= newest:
                    self._find(FindingKind.BLOCK_ROW, f"row {key.hex()} of BLOCKS", "no such block")
        if self._txn.count(Table.TRANSACTIONS) != self._counters.transactions - self._repeated:
            self._check_transaction_rows(size)

    # The genesis

    def _begin(self, message: bytes) -> None:
        try:
            self.genesis = Genesis.parse(message)
            self.replay = RuleReplay(self.genesis)
        except MalformedError as error:
            self._wrong_leaf(0, error.message)
            return
        self.chronicle = Chronicle(self.genesis)
        self.chronicle.open_with_genesis()
        self._previous = self.genesis.chain

    def _begin_with(self, index: int, message: bytes, root_at: RootAt) -> None:
        """Take the header of a snapshot: it vouches for the edge of the tree, and for the
        state that everything after it follows from, if that is still kept."""
        try:
            header = Header.parse(message)
        except MalformedError as error:
            self._wrong_leaf(index, error.message)
            return
        self.newest, self._previous, self._oldest = header, header.app_hash, header.height
        self._first = index + 1
        if self.genesis is not None and header.chain != self.genesis.chain:
            self._wrong_header(header, index, "chain")
        if header.log_size != index or header.log_root != root_at(index):
            self._wrong_header(header, index, "log root: the leaves before it have another")
        if self._txn.get(Table.BLOCKS, U64.pack(header.height)) != U64.pack(index):
            problem = "its row is not that of a snapshot's block"
            self._find(FindingKind.BLOCK_ROW, f"block {header.height}", problem, header.height)
        self._trail.note(
            f"the chain was restored from a snapshot: blocks before {header.height} are not here"
        )
        try:
            state = open_state(self._txn, header.height)
            rows = dict(state.items())
            if self.genesis is not None:
                self.replay = RuleReplay(self.genesis, header.height, rows)
                self.chronicle = Chronicle(self.genesis)
                open_with_state(self.chronicle, Moment(header.height, header.time_ns), rows)
        except LedgerError as error:
            self._stop(header.height + 1, f"the snapshot's state is not kept: {error.message}")
            return
        if self.replay is not None and self.replay.state.root != header.state_root:
            self._stop(header.height + 1, "the snapshot's state is not the one that was signed")

    def _check_genesis_rows(self) -> None:
        if self.genesis is None:
            return
        if self._txn.get(Table.META, GENESIS) != self.genesis.encoded:
            self._find(FindingKind.META_WRONG, "META chain_genesis", "it is not leaf 0")
        if self._txn.get(Table.META, ORIGIN) != self.genesis.origin.encode("utf-8"):
            message = f"it is not that of the genesis, {self.genesis.origin}"
            self._find(FindingKind.META_WRONG, "META origin", message)

    # A block

    def _end_block(self, index: int, message: bytes, root_at: RootAt) -> None:
        try:
            header = Header.parse(message)
        except MalformedError as error:
            self._wrong_leaf(index, error.message)
            return
        self._counters.blocks += 1
        self._counters.transactions += len(self._block)
        wrong = self._differences(header, index, root_at) if self._whole else []
        for field in wrong:
            self._wrong_header(header, index, field)
        results = self._check_block_row(header, index)
        if self._whole:
            self._check_places(header)
            self._tell(header, self._replay(header, index, results))
        elif self.chronicle is not None:
            self.chronicle.miss()
        self.newest, self._previous = header, header.app_hash
        self._first, self._block, self._whole = index + 1, [], True

    def _differences(self, header: Header, index: int, root_at: RootAt) -> list[str]:
        """What a header says otherwise than the leaves before it."""
        before = self.newest
        height = before.height + 1 if before else 1
        known = self.genesis is not None
        earlier = before.time_ns if before else self.genesis.time_ns if self.genesis else 0
        held = {
            "chain": not known or header.chain == (self.genesis.chain if self.genesis else b""),
            f"height: it is block {height}": header.height == height,
            "time: it is not after the one before": header.time_ns > earlier,
            "previous: it is not the hash of the header before": header.previous == self._previous
            or not self._previous,
            f"log size: {index} leaves are before it": header.log_size == index,
            "log root: the leaves before it have another": header.log_root == root_at(index),
            f"transactions: it ends {len(self._block)}": header.transactions == len(self._block),
        }
        return [field for field, holds in held.items() if not holds]

    def _check_block_row(self, header: Header, index: int) -> list[bytes] | None:
        """The recorded results of a block, if they are those that its header names."""
        subject = f"block {header.height}"
        row = self._txn.get(Table.BLOCKS, U64.pack(header.height))
        if row is None or len(row) < U64.size:
            self._find(FindingKind.BLOCK_ROW, subject, "its row is not there", header.height)
            return None
        if row[: U64.size] != U64.pack(index):
            message = f"its row says that its header is another leaf than {index}"
            self._find(FindingKind.BLOCK_ROW, subject, message, header.height)
        try:
            results = split_results(row[U64.size :])
        except CorruptStoreError as error:
            self._find(FindingKind.BLOCK_ROW, subject, error.message, header.height)
            return None
        return results

    def _check_places(self, header: Header) -> None:
        """TRANSACTIONS must lead to every transaction of the block."""
        for place, encoded in enumerate(self._block):
            name, index = leaf_id(LeafKind.TRANSACTION, encoded), self._first + place
            row = self._txn.get(Table.TRANSACTIONS, name[:ID_PREFIX])
            if row == U64.pack(index):
                continue
            if self._is_at(row, encoded):
                # The same bytes stand in the log again, refused: the last place counts.
                self._repeated += 1
            else:
                self._trail.find(
                    FindingKind.TRANSACTION_ROW,
                    f"transaction {name.hex()}",
                    "its row is not there" if row is None else "its row leads elsewhere",
                    entry=index,
                    height=header.height,
                )

    def _is_at(self, row: bytes | None, encoded: bytes) -> bool:
        leaf = self._txn.get(Table.ENTRIES, row) if row is not None and len(row) == 8 else None
        return leaf is not None and leaf[1:] == encoded

    def _check_transaction_rows(self, size: int) -> None:
        """Name every row that leads to no transaction of its name."""
        for prefix, row in self._txn.scan(Table.TRANSACTIONS):
            leaf = self._txn.get(Table.ENTRIES, row) if len(row) == U64.size else None
            index = U64.unpack(row)[0] if leaf is not None else size
            if index in self._lost:
                continue
            # A transaction's name is its leaf hash, SHA256(0x00 || leaf).
            if index >= size or sha256(b"\x00" + (leaf or b"")).digest()[:ID_PREFIX] != prefix:
                self._find(
                    FindingKind.TRANSACTION_ROW,
                    f"row {prefix.hex()} of TRANSACTIONS",
                    "no transaction of the log has this name",
                )

    # The rules

    def _replay(self, header: Header, index: int, stored: list[bytes] | None) -> list[bytes] | None:
        """The results of a block: by the rules, or else those that its header names, if kept."""
        replay = self.replay
        if replay is None or replay.height + 1 != header.height:
            return self._check_results_root(header, stored)
        try:
            block = replay.block(header.time_ns, self._block, self._attachment, _codes(stored))
        except LedgerError as error:
            self._stop(header.height, f"it cannot be carried out: {error.message}")
            return self._check_results_root(header, stored)
        self._counters.attachments_gone += block.attachments_gone
        encoded = [each.result.encode() for each in block.transactions]
        self._counters.refused += sum(bool(each.result.code) for each in block.transactions)
        self._compare_results(header, block.transactions, encoded, stored)
        explained = True
        if results_root(encoded) != header.results_root:
            self._wrong_header(header, index, "results root: the rules give another")
            explained = False
        if block.update.root != header.state_root:
            self._wrong_header(header, index, "state root: the rules give another")
            explained = False
        if not explained:
            self._stop(header.height, "the rules do not give what its header says")
            # What its operator says was done is what has to be told of it.
            named = stored is not None and results_root(stored) == header.results_root
            return stored if stored is not None and named and _are_results(stored) else None
        self._counters.blocks_replayed += 1
        self.replayed_height = header.height
        self._history.block(header.height, block.root_before, block.update)
        return encoded

    def _tell(self, header: Header, results: list[bytes] | None) -> None:
        """Have the chronicle take a block whose leaves are all there."""
        if self.chronicle is None:
            return
        if results is None:
            self.chronicle.miss()
            return
        parsed = [Result.parse(each) for each in results]
        self.chronicle.block(
            Moment(header.height, header.time_ns),
            self._block,
            [each.code for each in parsed],
            [each.events for each in parsed],
        )

    def _compare_results(
        self,
        header: Header,
        replayed: list[ReplayedTransaction],
        encoded: list[bytes],
        stored: list[bytes] | None,
    ) -> None:
        if stored is None or stored == encoded:
            return
        if len(stored) != len(encoded):
            message = f"{len(stored)} results are recorded of {len(encoded)} transactions"
            self._find(FindingKind.BLOCK_ROW, f"block {header.height}", message, header.height)
        for place, (ours, theirs) in enumerate(zip(encoded, stored, strict=False)):
            if ours != theirs:
                self._wrong_result(header.height, self._first + place, replayed[place], theirs)

    def _wrong_result(
        self, height: int, index: int, replayed: ReplayedTransaction, stored: bytes
    ) -> None:
        kind, code = FindingKind.RESULT_WRONG, _code_name(replayed.result.code)
        try:
            recorded = _code_name(Result.parse(stored).code)
        except MalformedError:
            recorded = "no result at all"
        message = f"recorded is {recorded}, by the rules it is {code}"
        if recorded == code:
            message = f"recorded is {code} too, but of another transaction or with other events"
        elif recorded == ResultCode.OK.name and not replayed.signed:
            kind, message = FindingKind.TRANSACTION_SIGNATURE, "carried out, and its signer did not"
            message += " sign it"
        subject = f"transaction {replayed.id.hex()}"
        self._trail.find(kind, subject, message, entry=index, height=height)

    def _check_results_root(self, header: Header, stored: list[bytes] | None) -> list[bytes] | None:
        """The recorded results, if they are results, and those that the header names."""
        if stored is not None and results_root(stored) != header.results_root:
            message = "the recorded results are not those that its header names"
            self._find(FindingKind.BLOCK_ROW, f"block {header.height}", message, header.height)
            return None
        return stored if stored is not None and _are_results(stored) else None

    def _attachment(self, name: bytes) -> bytes | None:
        self.named_attachments.add(name)
        return self._txn.get(Table.ATTACHMENTS, name)

    # Findings

    def _stop(self, height: int, why: str) -> None:
        if not self._stopped:
            self._stopped = True
            self._trail.note(f"the rules were replayed up to block {height - 1}: {why}")
        self.replay = None

    def _lose(self, index: int) -> None:
        """Go on without the block at work, of which a leaf cannot be read."""
        self._whole = False
        self._lost.add(index)
        if self.replay is not None:
            self._stop(self.replay.height + 1, f"leaf {index} is not what was committed")

    def _wrong_leaf(self, index: int, message: str) -> None:
        self._trail.find(FindingKind.LEAF_WRONG, f"leaf {index}", message, entry=index)
        self._lose(index)

    def _wrong_header(self, header: Header, index: int, message: str) -> None:
        self._trail.find(
            FindingKind.HEADER_WRONG,
            f"header of block {header.height}",
            message,
            entry=index,
            height=header.height,
        )

    def _find(
        self, kind: FindingKind, subject: str, message: str, height: int | None = None
    ) -> None:
        self._trail.find(kind, subject, message, height=height)


def _codes(stored: list[bytes] | None) -> list[int]:
    """The recorded codes of a block; none where they cannot be read."""
    try:
        return [Result.parse(each).code for each in stored or ()]
    except MalformedError:
        return []


def _are_results(stored: list[bytes]) -> bool:
    try:
        for each in stored:
            Result.parse(each)
    except MalformedError:
        return False
    return True


def _code_name(code: int) -> str:
    try:
        return ResultCode(code).name
    except ValueError:
        return f"code {code}"
