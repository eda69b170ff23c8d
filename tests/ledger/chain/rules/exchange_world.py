"""A chain on which a grant was given, and what is under it can be sold at once.

The seller sells five units of which it may spoil some. The grant is written behind the rules'
back: how one is got is for the tests of that rule.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from ledger.chain.codes import ResultCode
from ledger.chain.ids import grant_id
from ledger.chain.result import Result
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.state_keys import grant_key, sale_key
from ledger.ed25519 import PrivateKey
from ledger.exchange.fairswap import Complaint
from ledger.experience.kinds import File
from ledger.merkle.hashing import tree_root
from ledger.schema.chain_exchange_pb2 import (
    ComplainSale,
    LockSale,
    ProposeSale,
    RefundSale,
    RevealKey,
    SaleRecord,
    SettleSale,
)
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import Royalty, Terms
from tests.ledger.chain.rules.chain_world import account_of, known_key
from tests.ledger.chain.rules.sharing_world import SharingWorld, terms
from tests.ledger.exchange.fairswap_world import KEY, Swap

UNITS: Final = 5
CHUNK_PRICE: Final = 100
RECORD_PRICE: Final = 33
PRICE: Final = UNITS * CHUNK_PRICE + RECORD_PRICE
DEPOSIT: Final = 60
MONEY: Final = 1_000
"""What seller and buyer have at first."""
LOCK, REVEAL, COMPLAINT, LIFETIME = 4, 3, 6, 20
ANYBODY: Final = known_key("carol")
ROYALTIES: Final = sorted(
    [(account_of(known_key("author")), 1_000), (account_of(known_key("owner")), 333)]
)


def sale_terms(**fields: Any) -> Terms:
    values: dict[str, Any] = {
        "chunk_price": CHUNK_PRICE,
        "record_price": RECORD_PRICE,
        "deposit": DEPOSIT,
        "royalties": [Royalty(account=account, parts=parts) for account, parts in ROYALTIES],
        **fields,
    }
    return terms(**values)


class ExchangeWorld(SharingWorld):
    """A grant to the key `one time`, and what the seller makes of its content."""

    def __init__(
        self, edit: Callable[[list[bytes]], None] = lambda masked: None, **terms_of: Any
    ) -> None:
        super().__init__()
        honest = Swap(UNITS)
        root, size = tree_root(honest.leaves), honest.sold.content_size
        contract = self.deployed(terms=sale_terms(**terms_of))
        index = self.record(content_root=root, content_size=size, files=(File("a.mcap", size),))
        offer = self.offered(contract, index)
        self.buyer: Final = self.key("one time")
        self.fund(self.buyer, MONEY)
        self.fund(ANYBODY, 1)
        self.grant: Final = grant_id(self.chain, account_of(self.buyer))
        self.granted: Final = GrantRecord(
            offer=offer,
            contract=contract,
            version=1,
            terms=sale_terms(**terms_of),
            key=account_of(self.buyer),
            fleet=self.buyers,
            purpose="rescue",
            expiry_height=self.height + LIFETIME,
            nullifier=bytes(48),
            seller=account_of(self.seller),
            content_root=root,
            content_size=size,
        )
        self.write_grant()
        self.edit: Final = edit
        self.sale = self.next_sale()
        self.swap = Swap(UNITS, edit, self.sale)

    def write_grant(self, **fields: Any) -> None:
        """Have the chain's grant say something else."""
        for name, value in fields.items():
            setattr(self.granted, name, value)
        self.state.write(grant_key(self.grant), self.granted)
        self.state.keep()

    def next_sale(self) -> bytes:
        """The id of the sale that the seller would propose next."""
        account = self.account(self.seller)
        return sale_id(self.chain, self.grant, account.sequence if account else 0)

    # What both sides ask for

    def proposal(self, **fields: Any) -> ProposeSale:
        values = {
            "grant": self.grant,
            "unit_root": self.swap.tree.root,
            "key_hash": key_hash(KEY),
            "lock_height": self.height + LOCK,
            "reveal_blocks": REVEAL,
            "complaint_blocks": COMPLAINT,
            **fields,
        }
        return ProposeSale(**values)

    def propose(self, who: PrivateKey | None = None, **fields: Any) -> ResultCode:
        return self.code(who or self.seller, self.proposal(**fields))

    def lock(self, who: PrivateKey | None = None) -> ResultCode:
        return self.code(who or self.buyer, LockSale(sale=self.sale))

    def reveal(self, key: bytes = KEY, who: PrivateKey | None = None) -> ResultCode:
        return self.code(who or self.seller, RevealKey(sale=self.sale, key=key))

    def complaint(self, index: int, /, **fields: Any) -> Complaint:
        """The complaint about unit ``index``, right or not, with fields of it changed."""
        masked = fields.pop("masked", self.swap.masked[index])
        values = {
            "sale": self.sale,
            "index": index,
            "unit": sha256(masked).digest(),
            "unit_path": self.swap.tree.path(index),
            "leaf": self.swap.leaves[index],
            "leaf_path": self.swap.content_tree.path(index),
            **fields,
        }
        return Complaint(ComplainSale(**values), masked)

    def complain(self, index: int, /, who: PrivateKey = ANYBODY, **fields: Any) -> ResultCode:
        complaint = self.complaint(index, **fields)
        return self.code(who, complaint.message, given=[complaint.attachment])

    def refund(self) -> ResultCode:
        return self.code(ANYBODY, RefundSale(sale=self.sale))

    def settle(self) -> ResultCode:
        return self.code(ANYBODY, SettleSale(sale=self.sale))

    def code(self, key: PrivateKey, message: Any, **fields: Any) -> ResultCode:
        self.last: Result = self.do(key, message, **fields)
        return ResultCode(self.last.code)

    # Looking

    def locked(self) -> None:
        """Up to the lock."""
        assert (self.propose(), self.lock()) == (ResultCode.OK, ResultCode.OK)

    def revealed(self) -> None:
        """Up to the key."""
        self.locked()
        assert self.reveal() == ResultCode.OK

    def found(self) -> SaleRecord | None:
        return self.state.read(SaleRecord, sale_key(self.sale))

    def earned(self) -> tuple[int, int]:
        """What the sale has brought the seller and the buyer."""
        return self.balance(self.seller) - MONEY, self.balance(self.buyer) - MONEY

    def shares(self) -> list[int]:
        """What the royalties' accounts have."""
        return [self.balance(account) for account, _ in ROYALTIES]
