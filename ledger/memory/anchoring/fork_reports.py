"""Evidence that the home's witness has found, taken to the chain, which freezes the robot.

Anybody may report a fork, and the first report is enough: what others have brought is not
brought again.
"""

from __future__ import annotations

import logging
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.proven.state import ProvenState
from ledger.chain.state_keys import robot_key
from ledger.home import HomeReader
from ledger.memory.anchoring.robot_on_chain import RobotOnChain
from ledger.memory.anchoring.submission import Submission
from ledger.note import NoteSigner
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_ACTIVE, RobotRecord
from ledger.witnessing.evidence import ForkClaim
from ledger.witnessing.fork_records import ForkRecords

_LOG: Final = logging.getLogger(__name__)


class ForkReports:
    """What of the home's evidence the chain has been told."""

    def __init__(self) -> None:
        self._settled: set[str] = set()

    def missing(self, home: HomeReader) -> list[tuple[str, ForkClaim]]:
        """The logs that the chain may not have been told of, with the evidence."""
        found = ForkRecords(home.storage).all()
        return [(origin, claim) for origin, claim in found if origin not in self._settled]

    def report(
        self,
        chain: ProvenState,
        robot: RobotOnChain,
        signer: NoteSigner,
        submission: Submission,
        missing: list[tuple[str, ForkClaim]],
    ) -> None:
        """Report what the chain does not know yet. Raises as `Submission.carry_out`."""
        for origin, claim in missing:
            accused = chain.read(RobotRecord, robot_key(origin))
            if accused is not None and accused.status == ROBOT_STATUS_ACTIVE:
                self._bring(chain, robot, signer, submission, origin, claim)
            self._settled.add(origin)

    def _bring(
        self,
        chain: ProvenState,
        robot: RobotOnChain,
        signer: NoteSigner,
        submission: Submission,
        origin: str,
        claim: ForkClaim,
    ) -> None:
        message = ReportFork(evidence=claim.encode())
        try:
            while not submission.carry_out(chain, robot, signer, message):
                pass
        except RefusalError as refusal:
            if refusal.code == ResultCode.ROBOT_FROZEN:  # another witness was first
                return
            if refusal.code not in (ResultCode.NO_EVIDENCE, ResultCode.EVIDENCE_NOT_DATED):
                raise
            _LOG.warning("the chain does not freeze %s: %s", origin, refusal.message)
        else:
            _LOG.error("%s is frozen on the chain: its log forked, and we proved it", origin)
