"""Rule: channel. Money set aside once, paid out by claims made off the chain.

======================  ======================================================================
open                    the payer's deposit leaves its account
top up                  the payer adds to it (vouchers only)
close by the payee      pays what its claim shows, at once and for good
close by the payer      says what was paid, and can be challenged for ``challenge`` blocks
challenge               anybody shows a higher claim, up to ``closing_height``, included
settle                  anybody: after ``closing_height``, or from ``expiry_height`` on if open
======================  ======================================================================

A claim is a voucher or a PayWord link (`ledger.chain.channel`). The highest within the
deposit wins. A payee that closes within ``challenge`` blocks is paid whatever it was given,
so it takes no payment once fewer than that are left before the expiry.

Whether an account is a frozen or retired robot's is never asked: it may always close.

A channel of a grant pays for a recording: it is opened by the grant's one-time key to the
seller. It keeps the royalties of the grant's terms, and whenever it pays the payee, it pays
them out of that as an atomic sale does (`royalties`). What becomes of the grant and of its
contract later changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message

from ledger.chain.account import IS_POOL, MAX_AMOUNT, ensure_account, release
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import LINK_SIZE, MAX_LINKS, hash_back
from ledger.chain.channel.voucher import voucher_message
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.rules.action import Action, require_id
from ledger.chain.rules.grant import read_grant
from ledger.chain.rules.offers import require_sellable
from ledger.chain.rules.royalties import pay_out
from ledger.chain.spending import debit
from ledger.chain.state_keys import channel_key
from ledger.ed25519 import SIGNATURE_SIZE, is_signed
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    ChannelRecord,
    CloseChannel,
    OpenChannel,
    PayWord,
    SettleChannel,
    TopUpChannel,
    Voucher,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CHANNEL_CLOSED,
    EVENT_KIND_CHANNEL_CLOSING,
    EVENT_KIND_CHANNEL_OPENED,
    EVENT_KIND_CHANNEL_TOPPED_UP,
)
from ledger.schema.chain_sharing_pb2 import Royalty


def check_open_channel(message: OpenChannel) -> None:
    """Refuse what no channel may be."""
    require_id(message.payee, "payee")
    if message.grant:
        require_id(message.grant, "grant's id")
    require(message.deposit > 0, ResultCode.FIELD_REFUSED, "a channel without a deposit")
    require(
        message.challenge <= MAX_BLOCKS,
        ResultCode.CHANNEL_TERMS,
        f"a close can be challenged for {MAX_BLOCKS} blocks at most",
    )
    mode = message.WhichOneof("mode")
    require(mode is not None, ResultCode.FIELD_REFUSED, "a channel is of vouchers or of links")
    if mode == "payword":
        terms = message.payword
        require(
            len(terms.w0) == LINK_SIZE and 1 <= terms.count <= MAX_LINKS and terms.unit > 0,
            ResultCode.FIELD_REFUSED,
            f"PayWord takes a w_0 of {LINK_SIZE} bytes, a price, and 1 to {MAX_LINKS} links",
        )
        require(
            terms.count * terms.unit <= message.deposit,
            ResultCode.CHANNEL_TERMS,
            "all links together are worth more than the deposit",
        )


def open_channel(context: Context, message: OpenChannel) -> None:
    """Set the deposit aside."""
    require(
        message.payee != context.signer, ResultCode.CHANNEL_TERMS, "a channel to the payer itself"
    )
    least = context.parameters.min_challenge
    require(
        message.challenge >= least,
        ResultCode.CHANNEL_TERMS,
        f"a close can be challenged for {least} blocks at least",
    )
    # Else there would be no height at which the payee could take a payment.
    require(
        message.expiry_height > context.height + message.challenge,
        ResultCode.CHANNEL_TERMS,
        "a channel expires later than its first close could be settled",
    )
    royalties = _royalties(context, message) if message.grant else []
    payee = ensure_account(context.state, message.payee)
    require(not payee.flags & IS_POOL, ResultCode.POOL_ACCOUNT, "a pool cannot close a channel")
    debit(context, context.signer, message.asset, message.deposit)
    channel = channel_id(context.chain, context.signer, context.sequence)
    record = ChannelRecord(
        payer=context.signer,
        payee=message.payee,
        asset=message.asset,
        deposit=message.deposit,
        expiry_height=message.expiry_height,
        challenge=message.challenge,
        grant=message.grant,
        royalties=royalties,
    )
    if message.HasField("payword"):
        record.payword.CopyFrom(message.payword)
        record.link = message.payword.w0
    else:
        record.voucher.SetInParent()
    context.state.write(channel_key(channel), record)
    context.emit(EVENT_KIND_CHANNEL_OPENED, channel, message.deposit)


def check_top_up_channel(message: TopUpChannel) -> None:
    """Refuse what adds nothing."""
    require_id(message.channel, "channel")
    require(message.amount > 0, ResultCode.FIELD_REFUSED, "a top-up of nothing")


def top_up_channel(context: Context, message: TopUpChannel) -> None:
    """Add to the deposit of an open channel."""
    record = _read(context, message.channel)
    require(context.signer == record.payer, ResultCode.NOT_ALLOWED, "the payer tops up")
    require(
        record.HasField("voucher"),
        ResultCode.CHANNEL_TERMS,
        "a hash chain has the links it has: open another channel",
    )
    require(
        not record.closing_height and context.height < record.expiry_height,
        ResultCode.CHANNEL_STATE,
        "the channel is closing, or has expired",
    )
    require(
        record.deposit + message.amount <= MAX_AMOUNT,
        ResultCode.AMOUNT_OVERFLOW,
        "a deposit is below 2^64 units",
    )
    debit(context, record.payer, record.asset, message.amount)
    record.deposit += message.amount
    context.state.write(channel_key(message.channel), record)
    context.emit(EVENT_KIND_CHANNEL_TOPPED_UP, message.channel, record.deposit)


def check_close_channel(message: CloseChannel) -> None:
    """Refuse a claim of no possible form; none at all is fine."""
    require_id(message.channel, "channel")
    _check_claim(message)


def close_channel(context: Context, message: CloseChannel) -> None:
    """End the channel (payee), or begin to (payer)."""
    record = _read(context, message.channel)
    has_claim = message.WhichOneof("claim") is not None
    if context.signer == record.payee:
        if has_claim:
            _require_not_over(context, record)
            _claim(context, message.channel, record, message)
        _pay_out(context, message.channel, record)
        return
    require(context.signer == record.payer, ResultCode.NOT_ALLOWED, "the payer or the payee closes")
    # A second close by the payer would begin the challenge anew.
    require(not record.closing_height, ResultCode.CHANNEL_STATE, "the channel is closing already")
    if has_claim:
        _claim(context, message.channel, record, message)
    record.closing_height = context.height + record.challenge
    context.state.write(channel_key(message.channel), record)
    context.emit(EVENT_KIND_CHANNEL_CLOSING, message.channel, record.claimed)


def check_challenge_close(message: ChallengeClose) -> None:
    """Refuse a challenge without a claim."""
    require_id(message.channel, "channel")
    require(
        message.WhichOneof("claim") is not None,
        ResultCode.FIELD_REFUSED,
        "a challenge shows a voucher or a link",
    )
    _check_claim(message)


def challenge_close(context: Context, message: ChallengeClose) -> None:
    """Show that more was paid than a close says."""
    record = _read(context, message.channel)
    require(record.closing_height > 0, ResultCode.CHANNEL_STATE, "the channel is not closing")
    _require_not_over(context, record)
    _claim(context, message.channel, record, message)
    context.state.write(channel_key(message.channel), record)
    context.emit(EVENT_KIND_CHANNEL_CLOSING, message.channel, record.claimed)


def check_settle_channel(message: SettleChannel) -> None:
    """Refuse what names no channel."""
    require_id(message.channel, "channel")


def settle_channel(context: Context, message: SettleChannel) -> None:
    """Pay out a channel whose time is over."""
    record = _read(context, message.channel)
    over = (
        context.height > record.closing_height
        if record.closing_height
        else context.height >= record.expiry_height
    )
    require(over, ResultCode.CHANNEL_STATE, "the channel's time is not over")
    _pay_out(context, message.channel, record)


def _royalties(context: Context, message: OpenChannel) -> Sequence[Royalty]:
    """Those of the grant that a channel pays for, if it is the one that it says."""
    grant = read_grant(context.state, message.grant)
    require(context.signer == grant.key, ResultCode.NOT_ALLOWED, "the grant's key opens")
    require(
        message.payee == grant.seller and message.asset == grant.terms.asset,
        ResultCode.CHANNEL_TERMS,
        "the channel of a grant pays its seller, in the asset of its terms",
    )
    require(
        context.height <= grant.expiry_height,
        ResultCode.CHANNEL_TERMS,
        f"the grant was good up to block {grant.expiry_height}",
    )
    require_sellable(context.state, grant.offer)
    return grant.terms.royalties


def _read(context: Context, channel: bytes) -> ChannelRecord:
    record = context.state.read(ChannelRecord, channel_key(channel))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_CHANNEL, "there is no such channel, or no longer")
    return record


def _require_not_over(context: Context, record: ChannelRecord) -> None:
    require(
        not record.closing_height or context.height <= record.closing_height,
        ResultCode.CHALLENGE_OVER,
        f"the close could be challenged up to block {record.closing_height}",
    )


def _check_claim(message: CloseChannel | ChallengeClose) -> None:
    claim = message.WhichOneof("claim")
    if claim == "voucher":
        require(
            message.voucher.cumulative > 0 and len(message.voucher.signature) == SIGNATURE_SIZE,
            ResultCode.FIELD_REFUSED,
            f"a voucher is at least 1 unit and a signature of {SIGNATURE_SIZE} bytes",
        )
    elif claim == "payword":
        require(
            1 <= message.payword.index <= MAX_LINKS and len(message.payword.link) == LINK_SIZE,
            ResultCode.FIELD_REFUSED,
            f"a link is {LINK_SIZE} bytes and has an index, 1 to {MAX_LINKS}",
        )


def _claim(
    context: Context,
    channel: bytes,
    record: ChannelRecord,
    message: CloseChannel | ChallengeClose,
) -> None:
    """Let the record know a higher claim, or refuse it: `BAD_CLAIM`, `CLAIM_NOT_HIGHER`."""
    claim = message.WhichOneof("claim")
    require(
        claim == record.WhichOneof("mode"),
        ResultCode.BAD_CLAIM,
        "a voucher for a channel of links, or a link for one of vouchers",
    )
    if claim == "voucher":
        _claim_voucher(context, channel, record, message.voucher)
    else:
        _claim_link(channel, record, message.payword)


def _claim_voucher(
    context: Context, channel: bytes, record: ChannelRecord, voucher: Voucher
) -> None:
    _require_within(record, voucher.cumulative)
    signed = voucher_message(context.chain, channel, voucher.cumulative)
    # The payer's key was checked when its account was made.
    require(
        is_signed(record.payer, voucher.signature, signed),
        ResultCode.BAD_CLAIM,
        "the voucher is not signed by this channel's payer for this channel",
    )
    record.claimed = voucher.cumulative


def _claim_link(channel: bytes, record: ChannelRecord, word: PayWord) -> None:
    terms = record.payword
    require(
        word.index <= terms.count,
        ResultCode.BAD_CLAIM,
        f"the channel has {terms.count} links",
    )
    _require_within(record, word.index * terms.unit)
    # w_known is in the record: as many hashes as there are units newly paid.
    known = record.claimed // terms.unit
    require(
        hash_back(channel, word.index, word.link, known) == record.link,
        ResultCode.BAD_CLAIM,
        "the link is not of this channel",
    )
    record.claimed, record.link = word.index * terms.unit, word.link


def _require_within(record: ChannelRecord, amount: int) -> None:
    require(
        amount > record.claimed,
        ResultCode.CLAIM_NOT_HIGHER,
        f"a claim to {record.claimed} is known",
    )
    require(
        amount <= record.deposit,
        ResultCode.BAD_CLAIM,
        f"the claim is beyond the deposit of {record.deposit}",
    )


def _pay_out(context: Context, channel: bytes, record: ChannelRecord) -> None:
    """Divide the deposit, and forget the channel: its id never comes back."""
    rest = record.deposit - record.claimed
    pay_out(context, record.asset, record.claimed, record.royalties, record.payee)
    if rest:
        release(context.state, record.payer, record.asset, rest)
    context.state.delete(channel_key(channel))
    context.emit(EVENT_KIND_CHANNEL_CLOSED, channel, record.claimed)


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("open_channel", OpenChannel, check_open_channel, open_channel),
    Action("top_up_channel", TopUpChannel, check_top_up_channel, top_up_channel),
    Action("close_channel", CloseChannel, check_close_channel, close_channel),
    Action("challenge_close", ChallengeClose, check_challenge_close, challenge_close),
    Action("settle_channel", SettleChannel, check_settle_channel, settle_channel),
)
