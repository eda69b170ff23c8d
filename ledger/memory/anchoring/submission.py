"""One transaction at a time, signed by the robot's key, and followed until it is in a block.

A transaction whose fate is unknown, as when the connection broke off, is submitted again
as it was: the same bytes are carried out at most once. Only when the chain has gone past
its sequence or its expiry is another one made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.chain.body import Message, body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.chain.proven.state import ProvenState
from ledger.chain.transaction import sign_transaction
from ledger.errors import NotFoundError
from ledger.memory.anchoring.robot_on_chain import RobotOnChain
from ledger.note import NoteSigner

EXPIRY_BLOCKS: Final = 1_000
"""For how many blocks a transaction may wait."""
WAIT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class _Pending:
    key: bytes
    sequence: int
    expiry_height: int
    encoded: bytes


class Submission:
    """The robot's transactions, one after another."""

    def __init__(self) -> None:
        self._pending: _Pending | None = None

    def carry_out(
        self, chain: ProvenState, robot: RobotOnChain, signer: NoteSigner, message: Message
    ) -> bool:
        """Submit, and wait; False if an earlier transaction was still under way and came first.

        Raises `RefusalError`, `NotIncludedError`, and as `ProvenState` does.
        """
        key = bytes(signer.private_key.public_key)
        account = chain.account(key)
        sequence = account.sequence if account else 0
        pending = self._pending
        if pending is not None and pending.key == key and pending.sequence < sequence:
            # It came into a block since the caller looked: what was to follow may be done.
            self._pending = None
            return False
        fresh = (
            pending is None
            or (pending.key, pending.sequence) != (key, sequence)
            or robot.height >= pending.expiry_height
        )
        if pending is None or fresh:
            body = body_asking(
                message,
                sequence=sequence,
                expiry_height=robot.height + EXPIRY_BLOCKS,
                fee=robot.min_fee,
                sponsor=robot.sponsor,
            )
            encoded = sign_transaction(chain.chain, signer.private_key, body)
            pending = _Pending(key, sequence, body.expiry_height, encoded)
        self._pending = pending
        try:
            self._follow(chain, pending)
        except RefusalError as refusal:
            # It was carried out between our asking and our sending it again.
            if fresh or refusal.code != ResultCode.SEQUENCE_PAST:
                raise
        return fresh

    def _follow(self, chain: ProvenState, pending: _Pending) -> None:
        try:
            (admission,) = chain.port.submit([pending.encoded])
            if not admission.ok:
                raise RefusalError(admission.code, admission.words)
            included = chain.port.wait(admission.id, WAIT_S)
        except RefusalError:
            self._pending = None
            raise
        except NotFoundError as error:  # an engine that was started again meanwhile
            raise NotIncludedError("the chain has lost the transaction", hint="again") from error
        self._pending = None
        if included.code:
            raise RefusalError(_code(included.code), "it is in a block, not carried out")


def _code(number: int) -> ResultCode:
    try:
        return ResultCode(number)
    except ValueError:  # a newer chain's
        return ResultCode.NOT_ALLOWED
