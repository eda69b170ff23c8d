"""The buying end of an atomic sale while it asks the seller: for the sale, for all units.

::

    OpeningSwap --opened--> FetchingLeaves --all pages--> FetchingMasked --all z_i--> (swap_payment)

Each makes its request, as often as it takes, and receives a reply; a reply that is not what
was asked for leaves everything as it was. What comes is checked at once and kept in the
purchase's folder, so `ledger.exchange.swap_driver.where` finds the way after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from ledger.chain.codes import ResultCode
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.messages import Refused, Reply
from ledger.exchange.session import (
    EXCHANGE_TAG,
    Session,
    agree,
    open_sale_statement,
    public_agreement_key,
    sale_opened_statement,
)
from ledger.exchange.swap_chain import BuyingTerms, SwapChain, is_in_time, named_attachments
from ledger.exchange.swap_cipher import Part, SwapCipher
from ledger.exchange.swap_messages import (
    PAGE_UNITS,
    SealedPart,
    SwapOpened,
    SwapOpening,
    encode_part_fetch,
    encode_swap_opening,
    parse_swap_reply,
)
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, SwapPurchase
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet


@dataclass(slots=True)
class BuyingEnd:
    """A purchase, the wallet of its one-time key, and the chain.

    Raises RefusedError where these do not belong together.
    """

    purchase: SwapPurchase
    wallet: Wallet
    chain: SwapChain
    terms: BuyingTerms
    granted: int = 1
    """The height of the grant: nothing of a sale is in a block before it."""
    session: Session | None = field(default=None, repr=False)
    """With the seller, once it agreed; forgotten with the process."""
    lost: int = 0
    """How often units that had come were not on disk any more."""

    def __post_init__(self) -> None:
        grant = self.purchase.grant
        if (self.wallet.account, self.chain.chain) != (grant.buyer, grant.chain):
            raise RefusedError("the grant is another key's, or on another chain")

    def submit(self, body: TransactionBody, *attachments: bytes) -> ResultCode:
        """Have a transaction of the one-time key carried out."""
        body.attachments.extend(named_attachments(attachments))
        return self.chain.submit(self.wallet.sign(self.chain.chain, body), attachments)

    def body(self, expiry_height: int) -> TransactionBody:
        """A transaction of the one-time key that asks for nothing yet."""
        return TransactionBody(
            sequence=self.chain.sequence(self.wallet.account),
            expiry_height=expiry_height,
            fee=self.terms.fee,
        )


@dataclass(frozen=True, slots=True)
class OpeningSwap:
    """There is no session, and perhaps no sale."""

    _end: BuyingEnd
    height: int
    """Of the chain, when this was so."""

    def request(self) -> bytes:
        """The opening; the same bytes every time."""
        return self._opening()[0]

    def receive(self, reply: Reply) -> None:
        """The seller's agreement, and the sale that the chain has.

        Raises SellerRefusedError, MalformedError; VerificationError where it is not the
        seller's, or its sale not the one that this grant says, or not on the chain;
        RefusedError for deadlines that the buyer does not agree to; StorageError, and what
        the chain raises.
        """
        answer = _answer(reply)
        if not isinstance(answer, SwapOpened):
            raise MalformedError("the reply is not to what was asked for")
        end, (_, opening) = self._end, self._opening()
        purchase = end.purchase
        PublicKey(purchase.grant.seller).verify(
            answer.signature,
            EXCHANGE_TAG + sale_opened_statement(opening, answer.session_key, answer.sale),
        )
        known = purchase.sale
        if known is None or known.sale != answer.sale:
            self._choose(answer.sale, known)
        end.session = agree(opening, purchase.agreement, answer.session_key, answer.session_key)

    def _choose(self, sale: bytes, known: ChosenSale | None) -> None:
        """Take a sale in the place of one that can be locked no more."""
        end = self._end
        if known is not None and known.stage > BuyingStage.LOCKING:
            raise VerificationError("the seller speaks of another sale than was locked")
        # Before the records: what was too late then is too late for the record.
        height = end.chain.height()
        if known is not None and known.stage is BuyingStage.LOCKING:
            before = end.chain.sale(known.sale)
            if before is None or before.reveal_height or is_in_time(height, known.lock_height):
                raise VerificationError("the seller speaks of another sale than may be locked")
        record = end.chain.sale(sale)
        if record is None:
            raise VerificationError("the seller names a sale that the chain does not have")
        _require_granted(end, record, height)
        end.purchase.choose(
            ChosenSale(
                BuyingStage.RECEIVING, sale, record.unit_root, record.key_hash, record.lock_height
            )
        )

    def _opening(self) -> tuple[bytes, bytes]:
        purchase = self._end.purchase
        grant, public = purchase.grant, public_agreement_key(purchase.agreement)
        statement = open_sale_statement(grant.chain, grant.grant, public)
        signature = self._end.wallet.sign_exchange(statement)
        return encode_swap_opening(SwapOpening(grant.grant, public, signature))


@dataclass(frozen=True, slots=True)
class FetchingLeaves:
    """What all units hash to is to be fetched, page by page."""

    _end: BuyingEnd
    _session: Session = field(repr=False)
    _pages: tuple[bytes, ...] = field(repr=False)

    def request(self) -> bytes:
        """For the next page."""
        return encode_part_fetch(self._session, Part.LEAVES, len(self._pages))

    def receive(self, reply: Reply) -> FetchingLeaves | None:
        """A page; with the last one, all of them are checked against both roots and kept.

        Raises BadUnitError for leaves that are not the sale's; SellerRefusedError,
        MalformedError, StorageError.
        """
        purchase = self._end.purchase
        page = _part(self._end, self._session, reply, Part.LEAVES, len(self._pages))
        pages = (*self._pages, page)
        if len(pages) * PAGE_UNITS < purchase.grant.count:
            return replace(self, _pages=pages)
        try:
            purchase.keep_leaves(b"".join(pages))
        except VerificationError as error:
            raise BadUnitError(f"the leaves are not the sale's: {error.message}") from error
        return None


@dataclass(frozen=True, slots=True)
class FetchingMasked:
    """The next masked unit is to be fetched; all before it are here."""

    _end: BuyingEnd
    _session: Session = field(repr=False)

    def request(self) -> bytes:
        """For the unit."""
        return encode_part_fetch(self._session, Part.UNIT, self._end.purchase.held)

    def receive(self, reply: Reply) -> FetchingMasked | None:
        """Check and keep it.

        Raises BadUnitError where it is not the sale's; SellerRefusedError, MalformedError,
        StorageError.
        """
        purchase = self._end.purchase
        index = purchase.held
        masked = _part(self._end, self._session, reply, Part.UNIT, index)
        if not purchase.is_masked_unit(index, masked):
            raise BadUnitError(
                f"unit {index} is not one of the sale", hint="nothing was paid; buy elsewhere"
            )
        purchase.keep_masked(masked)
        return self if purchase.held < purchase.grant.count else None


Asking: TypeAlias = OpeningSwap | FetchingLeaves | FetchingMasked
"""States that wait for a reply; after their last one, the folder says where the purchase is."""


def _answer(reply: Reply) -> SwapOpened | SealedPart:
    answer = parse_swap_reply(reply)
    if isinstance(answer, Refused):
        raise SellerRefusedError(answer.reason)
    return answer


def _part(end: BuyingEnd, session: Session, reply: Reply, part: Part, index: int) -> bytes:
    """What was sealed, if it is what was asked for."""
    answer, sale = _answer(reply), end.purchase.sale
    if not isinstance(answer, SealedPart) or (answer.part, answer.index) != (part, index):
        raise MalformedError("the reply is not to what was asked for")
    if sale is None:
        raise RefusedError("there is no sale that a part could be of")
    cipher = SwapCipher(session, sale.sale, end.purchase.grant.count)
    try:
        return cipher.open(part, index, answer.sealed)
    except VerificationError as error:
        raise BadUnitError(error.message) from error


def _require_granted(end: BuyingEnd, record: SaleRecord, height: int) -> None:
    """Refuse a sale that is not of this grant, or has deadlines that are too short or long."""
    grant, terms = end.purchase.grant, end.terms
    said = (record.grant, record.buyer, record.seller, record.asset, record.price)
    content = (record.content_root, record.content_size)
    if said != (grant.grant, grant.buyer, grant.seller, grant.asset, grant.price) or content != (
        grant.content_root,
        grant.content_size,
    ):
        raise VerificationError("the seller names a sale that is not of this grant")
    if record.reveal_height or not is_in_time(height, record.lock_height):
        raise RefusedError("the seller's sale cannot be locked any more")
    if record.reveal_blocks > terms.most_reveal_blocks:
        raise RefusedError(
            f"the seller wants {record.reveal_blocks} blocks for its key;"
            f" {terms.most_reveal_blocks} at most"
        )
    least = terms.least_complaint_blocks_of(grant.count)
    if record.complaint_blocks < least:
        raise RefusedError(
            f"the seller leaves {record.complaint_blocks} blocks for complaints;"
            f" {least} at least for {grant.count} chunks"
        )
