"""A light client: the newest header that was verified, and never an older one again.

What it is handed stands under checkpoints of its own. Each must be of one growing log
with the newest that the client holds: of two that are not, the operator signed both, and
`ChainForkError` carries them as evidence (``docs/format.md``, "Policies and evidence").
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.chain.header import Header, check_succession
from ledger.chain.light.answer import VerifiedAnswer, verify_answer
from ledger.chain.light.receipt import VerifiedReceipt, verify_receipt
from ledger.chain.light.signed_header import VerifiedHeader, verify_signed_header
from ledger.chain.light.trust import Trust
from ledger.checkpoint import VerifiedCheckpoint
from ledger.errors import ForkError, LedgerError, VerificationError
from ledger.merkle.consistency import verify_consistency
from ledger.witnessing.evidence import ForkClaim, verify_evidence


class ChainForkError(ForkError):
    """The chain's operator has signed two histories; anybody can check ``evidence``."""

    def __init__(self, message: str, evidence: bytes) -> None:
        super().__init__(message, hint="keep the evidence, and trust this operator no more")
        self.evidence = evidence


class LightClient:
    """Follows one chain. Not for several threads at once.

    Every method changes all or nothing; what raises has changed nothing. A consistency
    proof leads from the smaller to the larger of the checkpoint held and the one handed
    in (RFC 6962 section 2.1.2), and is empty between equal ones and at the start.
    """

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self._newest: VerifiedHeader | None = None

    @property
    def newest(self) -> VerifiedHeader | None:
        """The newest header with its checkpoint; None before the first."""
        return self._newest

    @property
    def size(self) -> int:
        """Leaves of the checkpoint held: where a consistency proof starts. 0 before the first."""
        return self._newest.checkpoint.checkpoint.size if self._newest else 0

    def advance(self, signed_header: bytes, consistency: Sequence[bytes] = ()) -> VerifiedHeader:
        """Go on to a SignedHeader; the very same one again is no harm.

        Raises MalformedError; VerificationError, also for a header or a checkpoint that
        is older than the one held; ChainForkError.
        """
        offered = verify_signed_header(signed_header, self.trust)
        held = self._newest
        if held is not None:
            self._check_against(held, offered, consistency)
            if (
                offered.header.height < held.header.height
                or offered.checkpoint.checkpoint.size < held.checkpoint.checkpoint.size
            ):
                raise VerificationError(
                    f"block {offered.header.height} under {offered.checkpoint.checkpoint.size}"
                    f" leaves is old: block {held.header.height} under {self.size} is known"
                )
        self._newest = offered
        return offered

    def receipt(self, data: bytes, consistency: Sequence[bytes] = ()) -> VerifiedReceipt:
        """Check a receipt, of any age, and that it is of the chain that this client follows.

        Raises as `advance`, age apart.
        """
        verified = verify_receipt(data, self.trust)
        self._learn(verified.signed, consistency)
        return verified

    def answer(
        self,
        data: bytes,
        key: bytes,
        consistency: Sequence[bytes] = (),
        height: int | None = None,
    ) -> VerifiedAnswer:
        """Check an answer about ``key``: as of ``height``, or at least as new as what is held.

        Raises as `advance`.
        """
        verified = verify_answer(data, key, self.trust)
        found, newest = verified.header.height, self._newest
        if height is not None and found != height:
            raise VerificationError(f"an answer of block {found}; it was asked of {height}")
        if height is None and newest is not None and found < newest.header.height:
            raise VerificationError(
                f"an answer of block {found} is old: block {newest.header.height} is known"
            )
        self._learn(verified.signed, consistency)
        return verified

    def to_bytes(self) -> bytes:
        """What to keep; nothing before the first header. Not secret."""
        return self._newest.encode() if self._newest else b""

    @classmethod
    def from_bytes(cls, trust: Trust, kept: bytes) -> LightClient:
        """Go on from what `to_bytes` gave; it is verified again, as if it came from a stranger.

        Raises MalformedError, VerificationError.
        """
        client = cls(trust)
        if kept:
            client._newest = verify_signed_header(kept, trust)
        return client

    def _learn(self, offered: VerifiedHeader, consistency: Sequence[bytes]) -> None:
        """Check what came along with an answer, and keep it if it is newer in every way."""
        held = self._newest
        if held is not None:
            self._check_against(held, offered, consistency)
            if (
                offered.header.height < held.header.height
                or offered.checkpoint.checkpoint.size <= held.checkpoint.checkpoint.size
            ):
                return
        self._newest = offered

    def _check_against(
        self, held: VerifiedHeader, offered: VerifiedHeader, consistency: Sequence[bytes]
    ) -> None:
        older, newer = held.checkpoint, offered.checkpoint
        if older.checkpoint.size > newer.checkpoint.size:
            older, newer = newer, older
        self._check_growth(older, newer, tuple(consistency))
        first, second = held.header, offered.header
        if first.height > second.height:
            first, second = second, first
        check_order(first, second)

    def _check_growth(
        self, older: VerifiedCheckpoint, newer: VerifiedCheckpoint, proof: tuple[bytes, ...]
    ) -> None:
        before, after = older.checkpoint, newer.checkpoint
        try:
            verify_consistency(before.size, after.size, before.root, after.root, proof)
        except VerificationError:
            self._raise_fork(older, newer, proof)
            raise

    def _raise_fork(
        self, older: VerifiedCheckpoint, newer: VerifiedCheckpoint, proof: tuple[bytes, ...]
    ) -> None:
        """Raise ChainForkError if that is what the two checkpoints and the proof show."""
        path = proof if older.checkpoint.size < newer.checkpoint.size else ()
        try:
            claim = ForkClaim.of(older.note, newer.note, path)
            evidence = verify_evidence(claim, self.trust.log_keys)
        except LedgerError:
            return  # a proof that leads nowhere shows nothing of anybody
        raise ChainForkError(str(evidence), evidence.encode())


def check_order(first: Header, second: Header) -> None:
    """Check that two headers of one log, the second not lower, can be of one chain.

    Raises VerificationError.
    """
    blocks = second.height - first.height
    if blocks == 0:
        if first != second:
            raise VerificationError(f"the log has two headers of height {first.height}")
        return
    if blocks == 1:
        check_succession(first, second)
        return
    # Between them are a header of every height between, and any transactions.
    if (
        second.first_transaction < first.log_size + blocks
        or second.time_ns < first.time_ns + blocks
    ):
        raise VerificationError(f"header {second.height} cannot come after header {first.height}")
