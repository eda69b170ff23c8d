"""A chain lived twice: by the rules on a dict (`RobotWorld`), and by a whole machine in a store.

Everything that is done goes into the block being made. When that ends, the machine is given
the block, and must come to what the rules came to by the plainest way there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.chain.header import Header
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.proposal import Proposal, Verdict
from ledger.chain.result import Result
from ledger.chain.state.store import open_state
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.machine.small_chain import published_in
from tests.ledger.chain.rules.chain_world import known_key
from tests.ledger.chain.rules.robot_world import RobotWorld
from tests.ledger.chain.state.naive_state import root_of


class MachineWorld(RobotWorld):
    """``headers`` are those of the machine, one a block."""

    def __init__(self, folder: Path, **parameters: Any) -> None:
        self.block: list[tuple[bytes, Result]] = []
        self.attachments: dict[bytes, bytes] = {}
        self.headers: list[Header] = []
        super().__init__(**parameters)
        self.storage = MemoryStorage()
        operator = NoteSigner(self.genesis.origin, known_key("operator"))
        published = published_in(folder, self.genesis)
        log = Log.create(self.storage, self.genesis.origin, operator.verifier_key, published)
        start_chain(self.storage, log, self.genesis.encoded)
        self.machine = StateMachine(self.storage, log)

    def submit(self, encoded: bytes, attachments: Sequence[bytes] = ()) -> Result:
        """Let the rules act, and put the transaction into the block."""
        result = super().submit(encoded, attachments)
        self.block.append((encoded, result))
        self.attachments |= {sha256(each).digest(): each for each in attachments}
        return result

    def advance(self, blocks: int = 1) -> None:
        """End the block, and others without transactions."""
        for _ in range(blocks):
            self._end_block()
            super().advance()
            self.block, self.attachments = [], {}

    def _end_block(self) -> None:
        before = self.machine.info()
        proposal = self._proposal([encoded for encoded, _ in self.block])
        refused = any(result.code for _, result in self.block)
        expected = Verdict.REJECT if refused else Verdict.ACCEPT
        assert self.machine.process(proposal) is expected, "a verdict on a block"
        finalized = self.machine.finalize(proposal)
        assert [*finalized.results] == [result.encode() for _, result in self.block]
        state = self.rows()
        assert finalized.header.state_root == root_of(state)
        assert self.machine.info() == before, "finalize has stored something"
        if refused:
            # The block without what was refused leaves the same state.
            good = [encoded for encoded, result in self.block if not result.code]
            clean = self._proposal(good)
            assert self.machine.process(clean) is Verdict.ACCEPT
            assert self.machine.finalize(clean).header.state_root == finalized.header.state_root
            prepared = self.machine.prepare(
                proposal.transactions, proposal.time_ns, proposal.attachments
            )
            assert list(prepared.proposal.transactions) == good
            assert [each for each, _ in prepared.refused] == [
                encoded for encoded, result in self.block if result.code
            ]
            # An engine that will have it has it.
            assert self.machine.finalize(proposal) == finalized
        info = self.machine.commit()
        assert (info.height, info.app_hash) == (self.height, finalized.app_hash)
        with self.storage.read() as transaction:
            assert dict(open_state(transaction).items()) == state
        self.headers.append(finalized.header)

    def _proposal(self, transactions: Sequence[bytes]) -> Proposal:
        return Proposal(self.height, self.time_ns, transactions, self.attachments)
