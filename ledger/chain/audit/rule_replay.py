"""Every transaction carried out again, by the rules of this version, from the genesis on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.chain.audit.replayed_state import ReplayedState
from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.genesis import Genesis
from ledger.chain.machine.admission import Admissions
from ledger.chain.machine.execution import carry_out
from ledger.chain.machine.presentations import PresentationVerdicts
from ledger.chain.machine.signatures import InlineChecker
from ledger.chain.policy import require_engine
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
    """How many attachments of transactions that were carried out are not kept."""


class RuleReplay:
    """A chain at work again, in memory."""

    def __init__(
        self,
        genesis: Genesis,
        height: int = 0,
        rows: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Begin with the genesis, or with the rows of the state after block ``height``.

        Raises MalformedError for a genesis or rows that no state can have, RefusedError
        where the chain's policies cannot be decided here.
        """
        require_engine(genesis.parameters.policy_engine)
        self.genesis = genesis
        self.state = ReplayedState()
        self.height = height
        # Every signature is checked, whatever was said of it when the block was made.
        self._admissions = Admissions(genesis.chain, genesis.parameters, InlineChecker())
        self._presented = PresentationVerdicts(genesis.chain)
        self.state.apply(genesis.state() if rows is None else dict(rows))

    def block(
        self,
        time_ns: int,
        encoded: Sequence[bytes],
        attachment: Callable[[bytes], bytes | None],
        codes: Sequence[int] = (),
    ) -> ReplayedBlock:
        """Carry out the next block, whose time is ``time_ns``.

        ``attachment`` gives an attachment by its SHA-256, None for one that is not kept.
        Those of a transaction whose recorded code, in ``codes``, is `OK` were there once.
        Raises CorruptStoreError for a state that the rules themselves do not understand.
        """
        self.height += 1
        genesis, working = self.genesis, WorkingState(self.state.get)
        block = self._admissions.look_at(encoded)
        context = Context(
            genesis.chain,
            genesis.parameters,
            self.height,
            time_ns,
            working,
            verdicts=self._presented.of(
                working,
                [each.transaction for each in block if each.transaction and each.signed],
            ),
        )
        attachments: dict[bytes, bytes] = {}
        pruned: set[bytes] = set()
        for place, known in enumerate(block):
            for name, _ in known.transaction.attachments if known.transaction else ():
                data = attachment(name)
                if data is not None:
                    attachments[name] = data
                elif place < len(codes) and codes[place] == ResultCode.OK:
                    pruned.add(name)
        done = []
        for known in block:
            if known.transaction is None:
                code = known.refusal.code if known.refusal else ResultCode.MALFORMED
                result = Result(known.id, code)
            else:
                result = carry_out(context, known.transaction, known.signed, attachments, pruned)
            done.append(ReplayedTransaction(known.id, result, known.signed))
        before = self.state.root
        return ReplayedBlock(done, self.state.apply(working.changes), before, len(pruned))
