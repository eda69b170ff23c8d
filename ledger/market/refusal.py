"""Why somebody gets no grant, in one line, with the chain's own code.

A refusal costs nothing: no fee, no use of the contract, nothing of a budget.
"""

from __future__ import annotations

from typing import Final

from ledger.chain.codes import RefusalError, ResultCode

_WORDS: Final[dict[ResultCode, tuple[str, str | None]]] = {
    ResultCode.POLICY_DENIES: (
        "the contract does not let this member have this recording for this purpose",
        "`quipu market show OFFER` says whom it does, and what for",
    ),
    ResultCode.CREDENTIAL_NOT_PROVEN: (
        "the credential does not prove what was said of it",
        "ask for what it has, or renew it",
    ),
    ResultCode.OVER_USES: (
        "this member has had every use that the contract gives one",
        "nothing but another contract gives more",
    ),
    ResultCode.ALREADY_USED: (
        "this member has had this use of the contract",
        "ask with a use that is left",
    ),
    ResultCode.REVOCATION_EPOCH: (
        "the fleet has revoked members since its gaps were handed out, or this one",
        "get the newest revocation gaps from the fleet's authority",
    ),
    ResultCode.ISSUER_EPOCH: (
        "the fleet's key that signed the credential is no longer good",
        "renew the credential",
    ),
    ResultCode.TIME_REFUSED: (
        "the credential expires, or expired, or this machine's clock is wrong",
        "renew the credential, or set the clock",
    ),
    ResultCode.STALE: (
        "the recording is older than the contract allows to be used",
        "look for a newer one",
    ),
    ResultCode.CONTRACT_OVER: (
        "the contract was withdrawn, or has expired",
        "look for another offer",
    ),
    ResultCode.OFFER_STATE: ("the offer was withdrawn", "look for another"),
    ResultCode.UNKNOWN_OFFER: ("there is no such offer", "`quipu market` lists what there is"),
    ResultCode.CONSENT_WITHDRAWN: (
        "consent to the use of the recording was withdrawn",
        "look for another; nobody is to have this one any more",
    ),
    ResultCode.ROBOT_FROZEN: (
        "the log of the robot that recorded it has forked: nothing of it is sold",
        "look for another robot's",
    ),
    ResultCode.NOT_SPONSORED: (
        "the fleet's pool pays for no more anonymous requests now",
        "ask later, or have the authority raise the amount",
    ),
    ResultCode.INSUFFICIENT_FUNDS: ("the fleet's pool is empty", "have it paid into"),
    ResultCode.KEY_NOT_FRESH: ("the one-time key was used before", "begin another acquisition"),
}


LEVEL_TOO_LOW: Final = (
    "the contract asks for a higher level than this member has",
    "let a member of a higher level buy it, or look for another offer",
)
"""Why a policy denies, where that is known."""


GAPS_AHEAD: Final = (
    "the fleet's gaps are of a later epoch than the chain has, both of them",
    "have the authority put the newest on the chain: quipu chain fleet revocation",
)
"""Why no gap is of the chain's epoch, where newer ones are there."""


class GrantRefusedError(RefusalError):
    """No grant. ``code`` says why; `message` is one line for people.

    ``asked`` is False where it was clear beforehand, and nobody was asked.
    """

    def __init__(
        self,
        code: ResultCode,
        words: str = "",
        *,
        because: tuple[str, str] | None = None,
        asked: bool = True,
    ) -> None:
        unknown = (words or f"the chain refuses it ({code.name})", None)
        message, hint = because or _WORDS.get(code, unknown)
        super().__init__(code, f"no grant: {message}", hint=hint)
        self.asked = asked
