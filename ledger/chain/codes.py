"""What can come of a transaction, as numbers that every replica agrees on.

0 is success. The hundreds digit says which part of the chain refused: 0 the chain itself,
1 payment, 2 identity, 3 anchor, 4 channel, 5 consent, 6 sharing, 7 grant, 8 exchange,
9 learning. A number keeps its meaning for ever: results are hashed into headers.
"""

from __future__ import annotations

from enum import IntEnum

from ledger.errors import LedgerError


class ResultCode(IntEnum):
    """The code of a `Result`."""

    OK = 0

    MALFORMED = 1
    """The bytes are no transaction, or not in their one encoding."""
    TOO_LARGE = 2
    UNKNOWN_VERSION = 3
    UNKNOWN_ACTION = 4
    FIELD_REFUSED = 5
    """A field that no transaction may hold: a wrong length, a zero amount, a bad name."""
    UNKNOWN_ACCOUNT = 6
    WRONG_SIGNATURE = 7
    """Also: signed for another chain."""
    SEQUENCE_PAST = 8
    """The account has had a transaction of this sequence: a replay, or a second thought."""
    SEQUENCE_AHEAD = 9
    EXPIRED = 10
    FEE_TOO_LOW = 11
    ATTACHMENT_MISSING = 12
    NOT_ALLOWED = 13
    """The signer is not who may do this."""
    WEAK_KEY = 14
    """A public key that is not canonical, no point, or of small order."""
    BLOCK_FULL = 15
    MEMPOOL_FULL = 16
    """Too much waits already. Said at admission, never in a result."""

    INSUFFICIENT_FUNDS = 100
    AMOUNT_OVERFLOW = 101
    UNKNOWN_ASSET = 102
    ASSET_EXISTS = 103
    TOO_MANY_ASSETS = 104
    OVER_CAP = 105
    MINT_NUMBER = 106
    """Another mint of this asset came before."""
    NOT_APPROVED = 107
    """Fewer governors than it takes, or a signature that is not a governor's."""
    POOL_ACCOUNT = 108
    """A pool cannot sign."""

    UNKNOWN_FLEET = 200
    FLEET_EXISTS = 201
    UNKNOWN_ROBOT = 202
    """No such origin, or a key that is no robot's now."""
    ROBOT_EXISTS = 203
    KEY_IN_USE = 204
    """The key is, or was, some robot's."""
    NOT_PROVEN = 205
    """A new key's signature is missing or wrong: whoever brings it does not hold it."""
    LAST_KEY = 206
    ROBOT_RETIRED = 207
    ROBOT_FROZEN = 208
    RECOVERY_STATE = 209
    """No recovery is under way, one is already, or its delay is not over."""
    EPOCH_PAST = 210
    BAD_ISSUER_KEY = 211
    NOT_SPONSORED = 212
    BAD_POLICY = 213
    TOO_MANY_KEYS = 214

    BAD_CHECKPOINT = 300
    """No checkpoint, not of a registered log, or not signed by a valid key of it."""
    NOT_NEWER = 301
    INCONSISTENT = 302
    """The proof does not lead from the anchored checkpoint to this one. That proves nothing
    against anybody."""
    QUORUM_NOT_MET = 303
    NO_EVIDENCE = 304
    EVIDENCE_NOT_DATED = 305
    """A retired key signed, and no quorum of witnesses says that it did so while valid."""

    UNKNOWN_CHANNEL = 400
    CHANNEL_TERMS = 401
    CHANNEL_STATE = 402
    """Not open, not closing, or not yet to be settled."""
    BAD_CLAIM = 403
    """A voucher or link that is not this channel's, or beyond what it can pay."""
    CLAIM_NOT_HIGHER = 404
    CHALLENGE_OVER = 405

    UNKNOWN_CONSENT = 500
    CONSENT_STATE = 501
    NOT_AN_ERASURE = 502
    """The entry is no Erasure of the robot, or not of what the consent is about."""
    NOT_ANCHORED = 503
    """The path does not lead to the anchored checkpoint of the robot's log."""
    CONSENT_WITHDRAWN = 504
    """Of the recording that is offered, asked for or sold."""

    UNKNOWN_CONTRACT = 600
    CONTRACT_OVER = 601
    """It was withdrawn, or has expired."""
    POLICY_REFUSED = 602
    """The text is no policy that a contract may have."""
    BAD_TERMS = 603
    UNKNOWN_OFFER = 604
    OFFER_STATE = 605
    """It is posted already, or was withdrawn."""
    NOT_AN_EXPERIENCE = 606
    """The entry is no Experience of the robot with content, or was recorded under another
    contract."""
    QUALITY_NOT_PROVEN = 607
    """A range proof does not hold, or is about what the entry has no commitment to."""
    STALE = 608
    """The recording ended longer ago than the contract's terms allow."""
    POLICY_DENIES = 609

    ISSUER_EPOCH = 700
    """The fleet has no issuer's key of this epoch, or its time is over."""
    REVOCATION_EPOCH = 701
    """Not the fleet's newest; or, of a new one, not later than that."""
    TIME_REFUSED = 702
    """The expiry is compared with a time before the block's, or long after it."""
    OVER_USES = 703
    """The contract does not give a member so many uses."""
    ALREADY_USED = 704
    """Some member has had this use."""
    CREDENTIAL_NOT_PROVEN = 705
    KEY_NOT_FRESH = 706
    """The key that is to be of one time has signed before."""
    UNKNOWN_GRANT = 707
    GRANT_STATE = 708
    """Not to be pruned yet, or confirmed already."""

    UNKNOWN_SALE = 800
    SALE_TERMS = 801
    SALE_STATE = 802
    """Not locked, not revealed, or the other side still has time."""
    SALE_TIME_OVER = 803
    """Too late to lock, to reveal the key, or to complain."""
    WRONG_KEY = 804
    BAD_COMPLAINT = 805
    """Not a unit of this sale, or paths that lead elsewhere."""
    UNIT_IS_RIGHT = 806
    """The unit that is complained of opens to what was granted."""

    UNKNOWN_MODEL = 900
    MODEL_EXISTS = 901
    MODEL_STATE = 902
    """It was withdrawn before."""
    OTHER_FLEETS_GRANT = 903


class RefusalError(LedgerError):
    """A transaction that is not carried out. Its code is agreed on; its words are for people."""

    def __init__(self, code: ResultCode, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code
