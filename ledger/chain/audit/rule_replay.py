"""Every transaction carried out again, by the rules of this version, from the genesis on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.chain.audit.replayed_state import ReplayedState
from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.genesis import Genesis
from ledger.chain.machine.admission import Admissions
from ledger.chain.machine.execution import carry_out
from ledger.chain.machine.signatures import InlineChecker
from ledger.chain.result import Result
from ledger.chain.state.trie import TrieUpdate
from ledger.chain.working_state import WorkingState


@dataclass(frozen=True, slots=True)
class ReplayedTransaction:
    """What the rules make of one transaction."""

    id: bytes
    result: Result
    signed: bool
    """Whether the signer signed it; False for bytes that are no transaction."""


@dataclass(frozen=True, slots=True)
class ReplayedBlock:
    """What the rules make of a block: to be compared, and then kept or not."""

    transactions: list[ReplayedTransaction] = field(repr=False)
    update: TrieUpdate = field(repr=False)
    root_before: bytes
    """Of the state."""
    attachments_gone: int
    """How many attachments, named by transactions, are not there: what these did is not known."""


class RuleReplay:
    """A chain at work again, in memory."""

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.state = ReplayedState()
        self.height = 0
        # Every signature is checked, whatever was said of it when the block was made.
        self._admissions = Admissions(genesis.chain, genesis.parameters, InlineChecker())
        self.state.apply(genesis.state())

    def block(
        self, time_ns: int, encoded: Sequence[bytes], attachment: Callable[[bytes], bytes | None]
    ) -> ReplayedBlock:
        """Carry out the next block, whose time is ``time_ns``.

        ``attachment`` gives an attachment by its SHA-256, None for one that is not kept.
        Raises CorruptStoreError for a state that the rules themselves do not understand.
        """
        self.height += 1
        genesis, working = self.genesis, WorkingState(self.state.get)
        context = Context(genesis.chain, genesis.parameters, self.height, time_ns, working)
        block = self._admissions.look_at(encoded)
        names = {
            name for each in block if each.transaction for name, _ in each.transaction.attachments
        }
        found = {name: attachment(name) for name in sorted(names)}
        attachments = {name: data for name, data in found.items() if data is not None}
        done = []
        for known in block:
            if known.transaction is None:
                code = known.refusal.code if known.refusal else ResultCode.MALFORMED
                result = Result(known.id, code)
            else:
                result = carry_out(context, known.transaction, known.signed, attachments)
            done.append(ReplayedTransaction(known.id, result, known.signed))
        before, gone = self.state.root, len(found) - len(attachments)
        return ReplayedBlock(done, self.state.apply(working.changes), before, gone)
