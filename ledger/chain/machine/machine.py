"""The state machine that engines drive, after ABCI 2.0.

::

    check      may this transaction wait for a block?             (CheckTx)
    prepare    a block of those that wait                         (PrepareProposal)
    process    is this proposed block good?                       (ProcessProposal)
    finalize   what the block comes to; nothing is stored         (FinalizeBlock)
    commit     one durable transaction with everything            (Commit)
    info       the last height that is durable                    (Info)

The engine orders, the machine decides: for the same genesis and the same blocks every
machine comes to the same ``app_hash``, the leaf hash of the block's header. A block is
its transactions and that header, as leaves of the chain's log.

A block that holds a transaction which cannot be carried out is not accepted by `process`;
should an engine finalize one all the same, that transaction has a result with its code
and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.machine.admission import AccountReader, Admissions, Admitted, Known, Looking
from ledger.chain.machine.block_rows import (
    newest_header,
    put_attachments,
    put_block,
    put_genesis,
    read_genesis,
)
from ledger.chain.machine.execution import carry_out
from ledger.chain.machine.kept_heights import KEPT_HEIGHTS
from ledger.chain.machine.presentations import MAX_ANONYMOUS, PresentationVerdicts
from ledger.chain.machine.proposal import (
    Admission,
    Finalized,
    Info,
    Prepared,
    Proposal,
    Verdict,
)
from ledger.chain.machine.signatures import InlineChecker, SignatureChecker
from ledger.chain.policy import require_engine
from ledger.chain.result import Result, results_root
from ledger.chain.state import store as state_store
from ledger.chain.state_keys import account_key
from ledger.chain.working_state import WorkingState
from ledger.errors import CorruptStoreError, RefusedError
from ledger.log import Log
from ledger.storage import ReadTransaction, Storage, WriteTransaction


def _nobody(_: Sequence[tuple[bytes, Admission]]) -> None:
    """Nobody wants to know what was admitted."""


@dataclass(frozen=True, slots=True)
class _Executed:
    """A block that was carried out in memory."""

    proposal: Proposal
    digest: bytes
    ids: list[bytes] = field(repr=False)
    results: list[Result] = field(repr=False)
    state: WorkingState = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A finalized block that waits for `commit`."""

    executed: _Executed
    finalized: Finalized
    update: state_store.StateUpdate = field(repr=False)


class StateMachine:
    """A chain in a store. Calls come one at a time, but for `check` and `info`."""

    def __init__(
        self,
        storage: Storage,
        log: Log,
        checker: SignatureChecker | None = None,
        kept_heights: int = KEPT_HEIGHTS,
    ) -> None:
        """Open the chain that `start_chain` began.

        Raises CorruptStoreError, and RefusedError for a chain whose policies an engine
        decides that is not here.
        """
        self._storage = storage
        self._log = log
        self._kept_heights = kept_heights
        with storage.read() as transaction:
            self.genesis: Final = read_genesis(transaction)
            require_engine(self.genesis.parameters.policy_engine)
            self._info = _read_info(transaction, self.genesis.chain, log)
        self._admissions = Admissions(
            self.genesis.chain, self.genesis.parameters, checker or InlineChecker()
        )
        self._presented = PresentationVerdicts(self.genesis.chain)
        self._executed: _Executed | None = None
        self._waiting: _Waiting | None = None

    def info(self) -> Info:
        """Where the chain stands."""
        return self._info

    def check(
        self,
        transactions: Sequence[bytes],
        attachments: Mapping[bytes, bytes] | None = None,
        admitted: Admitted = _nobody,
    ) -> list[Admission]:
        """Say of each transaction whether it may wait for a block, as `Admissions.admit`."""
        return self._admissions.admit(transactions, self._accounts, attachments or {}, admitted)

    @contextmanager
    def _accounts(self) -> Iterator[tuple[int, AccountReader]]:
        with self._storage.read() as transaction:
            state = state_store.open_state(transaction)

            def account(name: bytes) -> Account | None:
                row = state.get(account_key(name))
                return None if row is None else Account.decode(row)

            yield state.height, account

    def prepare(
        self,
        waiting: Sequence[bytes],
        time_ns: int,
        attachments: Mapping[bytes, bytes] | None = None,
        enough: Callable[[], bool] = lambda: False,
    ) -> Prepared:
        """Make a proposal of the waiting transactions, in their order, as many as fit.

        Those that cannot be carried out are left out and named. The time is moved on
        where it is not after that of the newest block. ``enough`` is asked after each
        transaction whether the rest shall wait: what is refused pays nothing, and may
        have been much work.
        """
        info, limits = self._info, self.genesis.parameters
        time_ns = max(time_ns, info.time_ns + 1)
        room, anonymous, considered = limits.max_block_bytes, MAX_ANONYMOUS, 0
        for encoded in waiting[: limits.max_block_transactions]:
            room -= len(encoded)
            anonymous -= self._admissions.is_anonymous(encoded)
            if room < 0 or anonymous < 0:
                break
            considered += 1
        proposal = Proposal(info.height + 1, time_ns, waiting[:considered], attachments or {})
        executed, known = self._execute(proposal, until=lambda _: enough())
        looked_at = list(zip(proposal.transactions, known, executed.results, strict=False))
        refused = [
            (encoded, Admission(each.id, ResultCode(result.code), _words(each, result)))
            for encoded, each, result in looked_at
            if result.code
        ]
        if refused or len(looked_at) < considered:
            # What was refused left no trace, so the rest does what it just did.
            kept = [place for place, result in enumerate(executed.results) if not result.code]
            named = {
                name
                for place in kept
                if (transaction := known[place].transaction) and transaction.attachments
                for name, _ in transaction.attachments
            }
            proposal = Proposal(
                proposal.height,
                time_ns,
                [proposal.transactions[place] for place in kept],
                {name: data for name, data in proposal.attachments.items() if name in named},
            )
            executed = _Executed(
                proposal,
                proposal.digest,
                [executed.ids[place] for place in kept],
                [executed.results[place] for place in kept],
                executed.state,
            )
            self._admissions.settle([encoded for encoded, _ in refused], refused=True)
        self._executed = executed
        return Prepared(proposal, refused, len(looked_at))

    def process(self, proposal: Proposal) -> Verdict:
        """Say whether a block that somebody proposed is good: of the next height, of a later
        time, within the limits, and every transaction of it can be carried out."""
        limits = self.genesis.parameters
        size = sum(map(len, proposal.transactions))
        if (
            proposal.height != self._info.height + 1
            or not self._info.time_ns < proposal.time_ns < 1 << 63
            or len(proposal.transactions) > limits.max_block_transactions
            or size > limits.max_block_bytes
            or sum(map(self._admissions.is_anonymous, proposal.transactions)) > MAX_ANONYMOUS
        ):
            return Verdict.REJECT
        executed = self._execution_of(proposal, until=lambda result: bool(result.code))
        refused = any(result.code for result in executed.results)
        return Verdict.REJECT if refused else Verdict.ACCEPT

    def look_ahead(self, transactions: Sequence[bytes]) -> Looking:
        """Begin to check the transactions of a block to come, for `finalize`."""
        return self._admissions.begin_look(transactions)

    def finalize(self, proposal: Proposal, looking: Looking | None = None) -> Finalized:
        """Compute what a block comes to. Nothing is stored; `commit` does that.

        ``looking`` is what `look_ahead` gave for the very same transactions. Raises
        RefusedError for a block that is not the next one.
        """
        info = self._info
        if proposal.height != info.height + 1:
            raise RefusedError(
                f"block {proposal.height} is not the next one", hint=f"{info.height + 1} is"
            )
        if not info.time_ns < proposal.time_ns < 1 << 63:
            raise RefusedError(f"block {proposal.height} is not later than the one before")
        executed = self._execution_of(proposal, looking)
        results = [result.encode() for result in executed.results]
        with self._storage.read() as transaction:
            update = state_store.finalize(transaction, proposal.height, executed.state.changes)
        log_size, log_root = self._log.root_with(executed.ids)
        header = Header(
            chain=self.genesis.chain,
            height=proposal.height,
            time_ns=proposal.time_ns,
            previous=info.app_hash,
            log_size=log_size,
            log_root=log_root,
            transactions=len(results),
            results_root=results_root(results),
            state_root=update.root,
        )
        finalized = Finalized(header, executed.ids, results)
        self._waiting = _Waiting(executed, finalized, update)
        return finalized

    def commit(self) -> Info:
        """Store the block that was finalized last; durable when this returns.

        Raises RefusedError if there is none, StorageError with nothing stored.
        """
        waiting = self._waiting
        if waiting is None:
            raise RefusedError("no block was finalized")
        finalized, proposal = waiting.finalized, waiting.executed.proposal
        header = finalized.header
        leaves = [encode_leaf(LeafKind.TRANSACTION, each) for each in proposal.transactions]

        def alongside(transaction: WriteTransaction) -> None:
            state_store.commit(transaction, waiting.update)
            put_block(transaction, header, finalized.ids, finalized.results)
            put_attachments(transaction, proposal.attachments)
            oldest = max(0, header.height - self._kept_heights)
            state_store.prune(transaction, oldest)

        self._log.append([*leaves, header.leaf], alongside=alongside)
        self._admissions.settle(proposal.transactions, refused=False)
        self._info = Info(
            self.genesis.chain,
            self.genesis.origin,
            header.height,
            header.time_ns,
            header.app_hash,
            header.log_size + 1,
        )
        self._executed = self._waiting = None
        return self._info

    def _execution_of(
        self,
        proposal: Proposal,
        looking: Looking | None = None,
        until: Callable[[Result], bool] = lambda _: False,
    ) -> _Executed:
        """The proposal carried out, if that was not just done."""
        executed = self._executed
        if executed is None or (
            executed.proposal is not proposal and executed.digest != proposal.digest
        ):
            executed, _ = self._execute(proposal, looking, until)
            if len(executed.results) == len(proposal.transactions):
                self._executed = executed
        return executed

    def _execute(
        self,
        proposal: Proposal,
        looking: Looking | None = None,
        until: Callable[[Result], bool] = lambda _: False,
    ) -> tuple[_Executed, list[Known]]:
        """Carry out a block's transactions, up to the first after whose result ``until`` says
        so: there are as many results as were carried out."""
        if looking is None or looking.transactions is not proposal.transactions:
            looking = self.look_ahead(proposal.transactions)
        known = looking.known()
        with self._storage.read() as transaction:
            working = WorkingState(state_store.open_state(transaction).get)
            context = Context(
                self.genesis.chain,
                self.genesis.parameters,
                proposal.height,
                proposal.time_ns,
                working,
                verdicts=self._presented.of(
                    working,
                    [each.transaction for each in known if each.transaction and each.signed],
                ),
            )
            results = []
            for each in known:
                results.append(self._result(context, each, proposal))
                if until(results[-1]):
                    break
        ids = [each.id for each in known]
        return _Executed(proposal, proposal.digest, ids, results, working), known

    def _result(self, context: Context, known: Known, proposal: Proposal) -> Result:
        if known.transaction is None:
            code = known.refusal.code if known.refusal else ResultCode.MALFORMED
            return Result(known.id, code)
        return carry_out(
            context, known.transaction, known.signed, proposal.attachments, proposal.pruned
        )


def start_chain(storage: Storage, log: Log, genesis: bytes) -> None:
    """Begin a chain in an empty log: the genesis as leaf 0, and the state at height 0.

    Raises MalformedError for a genesis that is none, RefusedError if the log has leaves
    or another name, or policies of the chain could not be decided here.
    """
    made = Genesis.parse(genesis)
    require_engine(made.parameters.policy_engine)
    if log.size or log.origin != made.origin:
        raise RefusedError("a chain begins in an empty log that has the name of its genesis")
    with storage.read() as transaction:
        update = state_store.finalize(transaction, 0, made.state())

    def alongside(transaction: WriteTransaction) -> None:
        state_store.commit(transaction, update)
        put_genesis(transaction, made)

    log.append([made.leaf], alongside=alongside)


def _read_info(transaction: ReadTransaction, chain: bytes, log: Log) -> Info:
    genesis = read_genesis(transaction)
    header = newest_header(transaction)
    kept = state_store.heights(transaction)
    height = header.height if header else 0
    if kept is None or kept.newest != height or (header and header.state_root != kept.root):
        raise CorruptStoreError("the chain's state is not that of its newest block")
    size = header.log_size + 1 if header else 1
    if log.size != size:
        raise CorruptStoreError(f"the chain's log has {log.size} leaves; its blocks end at {size}")
    return Info(
        chain,
        genesis.origin,
        height,
        header.time_ns if header else genesis.time_ns,
        header.app_hash if header else genesis.chain,
        size,
    )


def _words(known: Known, result: Result) -> str:
    return known.refusal.message if known.refusal else ResultCode(result.code).name
