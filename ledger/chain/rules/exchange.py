"""Rule: exchange. A whole content against its price, at once or not at all (FairSwap).

==========  ===================================================================================
propose     the seller of a grant: roots, key hash and deadlines; its deposit is set aside
lock        the grant's one-time key, which has every unit, masked; the price is set aside
reveal      the seller shows the key: from now on the buyer can read, and complain
complain    anybody shows one unit that does not open to its leaf: price and deposit to the buyer
settle      anybody, once the time for complaints is over: the price to royalties and seller
refund      anybody: not locked in time, the deposit goes back; no key in time, all to the buyer
==========  ===================================================================================

A seller that lets a locked price lie loses its deposit like one that cheats: the buyer's
money was held up. The deposit is what the contract's terms say, so that no buyer has to judge
it. A price is locked only for units that the buyer has checked (`ledger.exchange.fairswap`);
the chain sees two roots, a key, and in a dispute a single unit.

The sale keeps what it needs of the grant: that may expire and be pruned meanwhile. A robot
whose log forked sells nothing more, and no recording is sold whose consent is withdrawn; but
what is locked ends as it would have.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.account import MAX_AMOUNT, release
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.leaf import ID_SIZE
from ledger.chain.rules.action import Action, require_id
from ledger.chain.rules.grant import read_grant
from ledger.chain.rules.offers import require_sellable
from ledger.chain.rules.royalties import pay_out
from ledger.chain.sale.complaint import SoldContent, check_complaint, is_right
from ledger.chain.sale.identity import SALE_KEY_SIZE, key_hash, sale_id
from ledger.chain.spending import debit
from ledger.chain.state_keys import sale_key
from ledger.errors import LedgerError
from ledger.experience.content_root import chunk_count
from ledger.experience.disclosure import MAX_PATH_LENGTH
from ledger.schema.chain_exchange_pb2 import (
    ComplainSale,
    LockSale,
    ProposeSale,
    RefundSale,
    RevealKey,
    SaleRecord,
    SettleSale,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_KEY_REVEALED,
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_LOCKED,
    EVENT_KIND_SALE_PROPOSED,
    EVENT_KIND_SALE_REFUNDED,
    EVENT_KIND_SALE_SETTLED,
)


def check_propose_sale(message: ProposeSale) -> None:
    """Refuse what no sale can be."""
    require_id(message.grant, "grant's id")
    require_id(message.unit_root, "root of units")
    require_id(message.key_hash, "key's hash")
    require(
        1 <= message.reveal_blocks <= MAX_BLOCKS and 1 <= message.complaint_blocks <= MAX_BLOCKS,
        ResultCode.SALE_TERMS,
        f"a key is revealed, and a unit complained of, within 1 to {MAX_BLOCKS} blocks",
    )


def propose_sale(context: Context, message: ProposeSale) -> None:
    """Set the deposit aside, and write down what is sold."""
    grant = read_grant(context.state, message.grant)
    require(
        context.signer == grant.seller, ResultCode.NOT_ALLOWED, "the grant is another's to sell"
    )
    require_sellable(context.state, grant.offer)
    require(
        context.height <= message.lock_height <= grant.expiry_height,
        ResultCode.SALE_TERMS,
        f"a sale can be locked from now on up to block {grant.expiry_height}, the grant's last",
    )
    least = context.parameters.min_challenge
    require(
        message.complaint_blocks >= least,
        ResultCode.SALE_TERMS,
        f"a buyer can complain for {least} blocks at least",
    )
    terms = grant.terms
    price = terms.record_price + terms.chunk_price * chunk_count(grant.content_size)
    require(
        price > 0 and grant.content_size > 0,
        ResultCode.SALE_TERMS,
        "what is free or empty is not sold",
    )
    # Price and deposit go to one account in the end.
    require(
        price + terms.deposit <= MAX_AMOUNT, ResultCode.AMOUNT_OVERFLOW, "a price of 2^64 or more"
    )
    if terms.deposit:
        debit(context, context.signer, terms.asset, terms.deposit)
    sale = sale_id(context.chain, message.grant, context.sequence)
    record = SaleRecord(
        grant=message.grant,
        seller=grant.seller,
        buyer=grant.key,
        asset=terms.asset,
        price=price,
        deposit=terms.deposit,
        royalties=terms.royalties,
        content_root=grant.content_root,
        content_size=grant.content_size,
        unit_root=message.unit_root,
        key_hash=message.key_hash,
        lock_height=message.lock_height,
        reveal_blocks=message.reveal_blocks,
        complaint_blocks=message.complaint_blocks,
    )
    context.state.write(sale_key(sale), record)
    context.emit(EVENT_KIND_SALE_PROPOSED, sale, terms.deposit)


def check_lock_sale(message: LockSale) -> None:
    """Refuse what names no sale."""
    require_id(message.sale, "sale's id")


def lock_sale(context: Context, message: LockSale) -> None:
    """Set the price aside, and let the time for the key begin."""
    record = _read(context, message.sale)
    require(context.signer == record.buyer, ResultCode.NOT_ALLOWED, "the grant's key locks")
    require(not record.reveal_height, ResultCode.SALE_STATE, "the price is locked already")
    _require_in_time(context, record.lock_height)
    # No sale can be locked after its grant's last block, so the grant is still there.
    require_sellable(context.state, read_grant(context.state, record.grant).offer)
    debit(context, record.buyer, record.asset, record.price)
    record.reveal_height = context.height + record.reveal_blocks
    context.state.write(sale_key(message.sale), record)
    context.emit(EVENT_KIND_SALE_LOCKED, message.sale, record.price)


def check_reveal_key(message: RevealKey) -> None:
    """Refuse a key of another size."""
    require_id(message.sale, "sale's id")
    require(
        len(message.key) == SALE_KEY_SIZE,
        ResultCode.FIELD_REFUSED,
        f"a sale's key is {SALE_KEY_SIZE} bytes",
    )


def reveal_key(context: Context, message: RevealKey) -> None:
    """Take the key, and let the time for complaints begin."""
    record = _read(context, message.sale)
    require(context.signer == record.seller, ResultCode.NOT_ALLOWED, "the seller reveals")
    require(
        record.reveal_height > 0 and not record.complaint_height,
        ResultCode.SALE_STATE,
        "the price is not locked, or the key is here already",
    )
    _require_in_time(context, record.reveal_height)
    # SHA256("key" || k)
    require(
        key_hash(message.key) == record.key_hash,
        ResultCode.WRONG_KEY,
        "the key is not the one whose hash was locked",
    )
    record.key = message.key
    record.complaint_height = context.height + record.complaint_blocks
    context.state.write(sale_key(message.sale), record)
    context.emit(EVENT_KIND_KEY_REVEALED, message.sale, record.complaint_height)


def check_complain_sale(message: ComplainSale) -> None:
    """Refuse hashes and paths of no possible size."""
    require_id(message.sale, "sale's id")
    require_id(message.unit, "unit's hash")
    require_id(message.leaf, "leaf")
    for path in (message.unit_path, message.leaf_path):
        require(
            len(path) <= MAX_PATH_LENGTH and all(len(step) == ID_SIZE for step in path),
            ResultCode.FIELD_REFUSED,
            f"a path is of hashes of {ID_SIZE} bytes, {MAX_PATH_LENGTH} at most",
        )


def complain_sale(context: Context, message: ComplainSale) -> None:
    """Give everything to the buyer, if the unit is what was sold and not what was granted."""
    record = _read(context, message.sale)
    require(record.complaint_height > 0, ResultCode.SALE_STATE, "no key was revealed yet")
    _require_in_time(context, record.complaint_height)
    masked = context.attachments.get(message.unit)
    if masked is None:
        # It was there, and judged, when the block was made; now the result alone is left.
        require(
            message.unit in context.pruned,
            ResultCode.BAD_COMPLAINT,
            "the unit comes along as an attachment of its hash",
        )
    else:
        _judge(record, message, masked)
    _give(context, record.buyer, record, record.price + record.deposit)
    context.state.delete(sale_key(message.sale))
    context.emit(EVENT_KIND_SALE_COMPLAINED, message.sale, record.price + record.deposit)


def check_refund_sale(message: RefundSale) -> None:
    """Refuse what names no sale."""
    require_id(message.sale, "sale's id")


def refund_sale(context: Context, message: RefundSale) -> None:
    """End a sale whose other side did not come in time."""
    record = _read(context, message.sale)
    require(not record.complaint_height, ResultCode.SALE_STATE, "the key is here: it is settled")
    if not record.reveal_height:
        _require_over(context, record.lock_height)
        account, amount = record.seller, record.deposit
    else:
        _require_over(context, record.reveal_height)
        account, amount = record.buyer, record.price + record.deposit
    _give(context, account, record, amount)
    context.state.delete(sale_key(message.sale))
    context.emit(EVENT_KIND_SALE_REFUNDED, message.sale, amount)


def check_settle_sale(message: SettleSale) -> None:
    """Refuse what names no sale."""
    require_id(message.sale, "sale's id")


def settle_sale(context: Context, message: SettleSale) -> None:
    """Pay royalties and seller, once nobody can complain any more."""
    record = _read(context, message.sale)
    require(record.complaint_height > 0, ResultCode.SALE_STATE, "no key was revealed yet")
    _require_over(context, record.complaint_height)
    pay_out(context, record.asset, record.price, record.royalties, record.seller)
    _give(context, record.seller, record, record.deposit)
    context.state.delete(sale_key(message.sale))
    context.emit(EVENT_KIND_SALE_SETTLED, message.sale, record.price)


def _read(context: Context, sale: bytes) -> SaleRecord:
    record = context.state.read(SaleRecord, sale_key(sale))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_SALE, "there is no such sale, or no longer")
    return record


def _judge(record: SaleRecord, message: ComplainSale, masked: bytes) -> None:
    sold = SoldContent(
        message.sale, record.content_root, record.content_size, record.unit_root, record.key_hash
    )
    try:
        check_complaint(
            sold, message.index, masked, message.unit_path, message.leaf, message.leaf_path
        )
    except LedgerError as error:
        raise RefusalError(ResultCode.BAD_COMPLAINT, error.message) from error
    require(
        not is_right(sold, record.key, message.index, masked, message.leaf),
        ResultCode.UNIT_IS_RIGHT,
        "the unit opens to what was granted",
    )


def _require_in_time(context: Context, last: int) -> None:
    require(context.height <= last, ResultCode.SALE_TIME_OVER, f"the time was over at block {last}")


def _require_over(context: Context, last: int) -> None:
    require(context.height > last, ResultCode.SALE_STATE, f"the other side has up to block {last}")


def _give(context: Context, account: bytes, record: SaleRecord, amount: int) -> None:
    if amount:
        release(context.state, account, record.asset, amount)


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("propose_sale", ProposeSale, check_propose_sale, propose_sale),
    Action("lock_sale", LockSale, check_lock_sale, lock_sale),
    Action("reveal_key", RevealKey, check_reveal_key, reveal_key),
    Action("complain_sale", ComplainSale, check_complain_sale, complain_sale),
    Action("refund_sale", RefundSale, check_refund_sale, refund_sale),
    Action("settle_sale", SettleSale, check_settle_sale, settle_sale),
)
