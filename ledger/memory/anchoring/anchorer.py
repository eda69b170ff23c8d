"""One round of anchoring: see what is new, whether it is cosigned, and have it anchored.

1. The evidence of forks that the home's witness keeps goes to the chain first.
2. The chain is asked for the robot, its fleet, and the newest anchor, with proofs.
3. What the chain has is compared with the log before anything is signed
   (`ledger.chain.anchoring`); the newest checkpoint with cosignatures enough is taken.
4. The robot's key signs one transaction, whose fee the fleet's pool pays if it does.
5. Once it is in a block, the anchor is asked for again, and its proof kept in the home.

Only stored checkpoints are read, which are durable before they can be: nothing leaves
the robot that a power cut could take back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ledger.chain.anchoring import next_anchor
from ledger.chain.as_json import code_name
from ledger.chain.codes import RefusalError
from ledger.chain.engines.service import EngineError, NotIncludedError
from ledger.chain.light.client import ChainForkError, LightClient
from ledger.chain.light.trust import Trust
from ledger.chain.proven.port import ChainPort
from ledger.chain.proven.state import ProvenState
from ledger.chain.state_keys import anchor_key
from ledger.errors import (
    BehindError,
    ForkError,
    LedgerError,
    MalformedError,
    RefusedError,
    VerificationError,
)
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.anchoring import kept_anchor
from ledger.memory.anchoring.fork_reports import ForkReports
from ledger.memory.anchoring.robot_on_chain import RobotOnChain
from ledger.memory.anchoring.submission import Submission
from ledger.memory.owner import MemoryOwner
from ledger.note import NoteSigner
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    RobotRecord,
)
from ledger.signing_keys import SigningKeys

_LOG: Final = logging.getLogger(__name__)

_MORE: Final = 8
"""Rounds at most that follow at once on one that an earlier transaction took."""


class Anchorer:
    """Anchors one home's log. One thread at a time."""

    def __init__(self, owner: MemoryOwner, trust: Trust, *, report_forks: bool = True) -> None:
        self._owner = owner
        self._origin: Final = owner.status().origin
        self._client = LightClient(trust)
        self._anchored: AnchorRecord | None = None
        self._submission = Submission()
        self._forks = ForkReports() if report_forks else None
        self._take_up()

    @property
    def last(self) -> AnchorStatus:
        """What was proven last, before any round."""
        return self._status(AnchorState.WAITING)

    def round(self, port: ChainPort) -> AnchorStatus:
        """Do what there is to do. Whatever hinders is said in the status."""
        try:
            return self._round(ProvenState(port, self._client))
        except NotIncludedError as error:
            return self._status(AnchorState.WAITING, error.message)
        except EngineError as error:
            return self._status(AnchorState.UNREACHABLE, error.message)
        except RefusalError as refusal:
            words = f"{code_name(refusal.code)}: {refusal.message}"
            return self._status(AnchorState.REFUSED, words)
        except ChainForkError as error:
            path = kept_anchor.keep_evidence(self._owner.root, error.evidence)
            detail = f"{error.message}; the evidence is in {path}"
            return self._status(AnchorState.DISTRUSTED, detail)
        except (VerificationError, MalformedError) as error:
            return self._status(AnchorState.DISTRUSTED, error.message)
        except LedgerError as error:
            return self._status(AnchorState.FAILED, error.message)

    def _round(self, chain: ProvenState) -> AnchorStatus:
        for _ in range(_MORE):
            with self._owner.reader() as home:
                forks = self._forks.missing(home) if self._forks else []
                latest = home.log.latest_checkpoint()
                signers = SigningKeys(home.paths.signing_keys).signers(home.vkeys)
            robot = RobotOnChain.read(chain, self._origin)
            if robot is None:
                return self._status(AnchorState.UNKNOWN, "the chain does not know this log")
            self._learn(chain)
            signer = robot.signer(signers)
            if signer is not None and forks and self._forks:
                self._forks.report(chain, robot, signer, self._submission, forks)
            if (state := _standing(robot.record)) is not None:
                return self._status(*state)
            if signer is None:
                return self._status(AnchorState.UNKNOWN, "the chain knows none of this home's keys")
            if latest is None:
                return self._status(AnchorState.WAITING, "nothing is signed yet")
            found = self._next(robot)
            if isinstance(found, AnchorStatus):
                return found
            if self._send(chain, robot, signer, found):
                continue  # more may have come, or an earlier transaction was carried out
        return self._status(AnchorState.WAITING)

    def _next(self, robot: RobotOnChain) -> AnchorCheckpoint | AnchorStatus:
        """What to anchor, or why there is nothing."""
        with self._owner.reader() as home:
            try:
                message = next_anchor(home.log, self._anchored, robot.is_cosigned)
            except (BehindError, ForkError) as error:
                return self._status(AnchorState.CONTRADICTED, error.message)
            except RefusedError as error:
                return self._status(AnchorState.UNWITNESSED, error.message)
        if message is not None:
            return message
        if self._anchored is None:  # a new home's checkpoint is of no leaves
            return self._status(AnchorState.WAITING, "nothing is recorded yet")
        return self._status(AnchorState.ANCHORED)

    def _send(
        self,
        chain: ProvenState,
        robot: RobotOnChain,
        signer: NoteSigner,
        message: AnchorCheckpoint,
    ) -> bool:
        before = self._anchored.size if self._anchored else 0
        ours = self._submission.carry_out(chain, robot, signer, message)
        self._learn(chain)
        after = self._anchored.size if self._anchored else 0
        if ours and after <= before:
            raise VerificationError("the chain says that it anchored, and its state has nothing")
        return True

    def _learn(self, chain: ProvenState) -> None:
        """Take over the newest anchor, with its proof; durable if it is news."""
        proven = chain.prove(AnchorRecord, anchor_key(self._origin))
        if proven.record != self._anchored:
            kept_anchor.keep_anchor(self._owner.root, proven.answer)
            self._anchored = proven.record

    def _take_up(self) -> None:
        """Go on from what was kept, if it is of the chain that is trusted now."""
        kept = kept_anchor.kept_anchor(self._owner.root)
        if not kept:
            return
        try:
            value = self._client.answer(kept, anchor_key(self._origin)).value
            if value is not None:
                self._anchored = parse_message(AnchorRecord, value, "anchor")
        except LedgerError as error:
            _LOG.warning("what was kept of the last anchor is of no use: %s", error.message)

    def _status(self, state: AnchorState, detail: str = "") -> AnchorStatus:
        return kept_anchor.status_of(self._anchored, state, detail)


def _standing(record: RobotRecord) -> tuple[AnchorState, str] | None:
    if record.status == ROBOT_STATUS_FROZEN:
        return AnchorState.FROZEN, "the chain has proof that this log forked"
    if record.status == ROBOT_STATUS_RETIRED:
        return AnchorState.RETIRED, "the robot was retired from the chain"
    return None


Connect = Callable[[], ChainPort]
"""Leads to the chain; may raise `EngineError`."""
