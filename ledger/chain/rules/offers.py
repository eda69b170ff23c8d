"""Rule: offers. Recordings that a fleet offers under a contract, and what is proven of them.

What a buyer decides by is not what a seller says: it is read from the robot's own entry,
which the robot signed and whose log is anchored on the chain. Reward, success and length are
hidden there in commitments. An offer may prove bounds of them,

    low <= integer <= high,   value = (integer + offset) / scale

and the policy sees the bounds, in thousandths. A proof is tied to its chain, its seller, its
entry and its content, so nobody can post it again for another. The openings go to the buyer
with the data, and never here.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.ids import offer_id
from ledger.chain.quality_claim import QualityClaim
from ledger.chain.robots import read_robot, valid_keys
from ledger.chain.rules.action import Action, require_id, require_origin
from ledger.chain.rules.quality_proofs import check_proofs, quality_claim, verify_qualities
from ledger.chain.rules.sharing import current_version
from ledger.chain.state_keys import anchor_key, offer_key
from ledger.chain.withdrawn import require_consent
from ledger.chain.working_state import WorkingState
from ledger.checkpoint import log_id
from ledger.ed25519 import is_signed
from ledger.errors import LedgerError
from ledger.experience.entry import Entry, Experience, entry_message, parse_entry
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, RobotRecord
from ledger.schema.chain_pb2 import EVENT_KIND_OFFER_POSTED, EVENT_KIND_OFFER_WITHDRAWN
from ledger.schema.chain_sharing_pb2 import (
    OfferRecord,
    PostOffer,
    WithdrawOffer,
)

MAX_TAGS: Final = 64
MAX_TOPICS: Final = 256
MAX_PATH: Final = 63
MAX_TEXT: Final = 255
"""Bytes of a media type, a topic's name, or a tag as `key=value`."""


def check_post_offer(message: PostOffer) -> None:
    """Refuse an entry that is no Experience, and proofs of no possible form."""
    require_id(message.contract, "contract's id")
    require_origin(message.origin)
    require(
        len(message.path) <= MAX_PATH,
        ResultCode.FIELD_REFUSED,
        f"a path has at most {MAX_PATH} hashes",
    )
    for step in message.path:
        require_id(step, "hash of a path")
    _experience(_parse(message.entry))
    check_proofs(message.qualities)


def claim_of_offer(chain: bytes, seller: bytes, message: PostOffer) -> QualityClaim | None:
    """What the proofs of an offer claim; None where there are none, or none that could hold.

    Raises RefusalError for what is no Experience to sell.
    """
    if not message.qualities:
        return None
    experience, leaf = _experience(_parse(message.entry)), leaf_hash(message.entry)
    return quality_claim(chain, seller, experience, leaf, message.qualities)


def post_offer(context: Context, message: PostOffer) -> None:
    """Offer a recording. Proofs are verified last: they cost the most."""
    state, contract = context.state, message.contract
    record, _ = current_version(context, contract)
    robot = _offering_robot(context, message.origin)
    require(
        robot.status != ROBOT_STATUS_FROZEN,
        ResultCode.ROBOT_FROZEN,
        "a robot whose log forked offers nothing",
    )
    require(
        robot.fleet == record.fleet,
        ResultCode.NOT_ALLOWED,
        "the contract is another fleet's",
    )
    entry, leaf = _parse(message.entry), leaf_hash(message.entry)
    experience = _experience(entry)
    require(
        _is_entry_of(robot, message.origin, entry),
        ResultCode.NOT_AN_EXPERIENCE,
        "the entry is not the robot's",
    )
    require(
        experience.contract_id in (b"", contract),
        ResultCode.NOT_AN_EXPERIENCE,
        "it was recorded under another contract",
    )
    _require_anchored(state, message, entry, leaf)
    offer = offer_id(context.chain, contract, leaf)
    before = state.read(OfferRecord, offer_key(offer))
    require(
        before is None or bool(before.withdrawn_height),
        ResultCode.OFFER_STATE,
        "it is offered already",
    )
    posted = _offered(experience)
    posted.origin = message.origin
    require_consent(state, posted)
    posted.qualities.extend(verify_qualities(context, experience, leaf, message.qualities))
    posted.contract, posted.version = contract, record.version
    posted.seller, posted.height = context.signer, context.height
    posted.leaf, posted.index = leaf, message.index
    state.write(offer_key(offer), posted)
    context.emit(EVENT_KIND_OFFER_POSTED, offer, experience.content_size)


def check_withdraw_offer(message: WithdrawOffer) -> None:
    """Refuse what is no id."""
    require_id(message.offer, "offer's id")


def withdraw_offer(context: Context, message: WithdrawOffer) -> None:
    """End an offer. What was granted of it stays granted until it expires."""
    record = read_offer(context.state, message.offer)
    _offering_robot(context, record.origin)
    require(not record.withdrawn_height, ResultCode.OFFER_STATE, "the offer was withdrawn before")
    record.withdrawn_height = context.height
    context.state.write(offer_key(message.offer), record)
    context.emit(EVENT_KIND_OFFER_WITHDRAWN, message.offer)


def read_offer(state: WorkingState, offer: bytes) -> OfferRecord:
    """The offer of this id. Raises RefusalError `UNKNOWN_OFFER`."""
    record = state.read(OfferRecord, offer_key(offer))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_OFFER, "there is no such offer")
    return record


def require_sellable(state: WorkingState, offer: bytes) -> None:
    """Refuse to grant or sell what a frozen robot recorded, or what consent is withdrawn of.

    Raises RefusalError: `UNKNOWN_OFFER`, `ROBOT_FROZEN`, `CONSENT_WITHDRAWN`.
    """
    record = read_offer(state, offer)
    require(
        read_robot(state, record.origin).status != ROBOT_STATUS_FROZEN,
        ResultCode.ROBOT_FROZEN,
        "the robot's log forked: nothing of it is sold",
    )
    require_consent(state, record)


def _offering_robot(context: Context, origin: str) -> RobotRecord:
    """The robot, if its key or its fleet's authority signed."""
    robot = read_robot(context.state, origin)
    require(
        context.signer in valid_keys(robot, context.height)
        or context.signer == read_fleet(context.state, robot.fleet).authority,
        ResultCode.NOT_ALLOWED,
        "the robot offers its recordings itself, or its fleet does",
    )
    return robot


def _parse(encoded: bytes) -> Entry:
    try:
        return parse_entry(encoded)
    except LedgerError as error:
        raise RefusalError(ResultCode.NOT_AN_EXPERIENCE, error.message) from error


def _experience(entry: Entry) -> Experience:
    """The Experience of an entry, if there is anything in it to sell."""
    kind = entry.kind
    if not isinstance(kind, Experience) or not kind.content_size:
        raise RefusalError(
            ResultCode.NOT_AN_EXPERIENCE, "the entry is no Experience that has content"
        )
    require(
        len(kind.tags) <= MAX_TAGS and len(kind.topics) <= MAX_TOPICS,
        ResultCode.NOT_AN_EXPERIENCE,
        f"what is offered has at most {MAX_TAGS} tags and {MAX_TOPICS} topics",
    )
    # What a policy matches patterns against: the time that takes grows with both lengths.
    texts = [kind.media_type, *(topic.name for topic in kind.topics)]
    texts += [f"{tag.key}={tag.value}" for tag in kind.tags]
    require(
        all(len(text.encode("utf-8")) <= MAX_TEXT for text in texts),
        ResultCode.NOT_AN_EXPERIENCE,
        f"what is offered has a type, tags and topics of at most {MAX_TEXT} bytes each",
    )
    return kind


def _is_entry_of(robot: RobotRecord, origin: str, entry: Entry) -> bool:
    # Any key it ever had: that the entry is in the anchored log dates it. Keys of the record
    # were checked when they came into it.
    return any(period.key == entry.robot_key for period in robot.keys) and is_signed(
        entry.robot_key, entry.signature, entry_message(log_id(origin), entry.body)
    )


def _require_anchored(state: WorkingState, message: PostOffer, entry: Entry, leaf: bytes) -> None:
    anchor = state.read(AnchorRecord, anchor_key(message.origin))
    try:
        if anchor is not None and entry.sequence == message.index:
            path = tuple(message.path)
            verify_inclusion(leaf, message.index, anchor.size, path, anchor.root)
            return
    except LedgerError:
        pass
    raise RefusalError(
        ResultCode.NOT_ANCHORED,
        "the path does not lead from the entry to the anchored checkpoint of its log",
    )


def _offered(experience: Experience) -> OfferRecord:
    """What an offer shows of a recording."""
    kinds = [tag.value for tag in experience.tags if tag.key == "kind"]
    return OfferRecord(
        record_id=experience.record_id,
        content_root=experience.content_root,
        content_size=experience.content_size,
        kind=kinds[0] if len(kinds) == 1 else "recording",
        media_type=experience.media_type,
        tags=sorted({f"{tag.key}={tag.value}" for tag in experience.tags}),
        topics=sorted({topic.name for topic in experience.topics}),
        start_ns=experience.start_ns,
        end_ns=experience.end_ns,
    )


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("post_offer", PostOffer, check_post_offer, post_offer, proves=claim_of_offer),
    Action("withdraw_offer", WithdrawOffer, check_withdraw_offer, withdraw_offer),
)
