"""A dispute over a sale of one GiB: what a complaint takes to the chain, and how long it takes.

The unit that is shown is real; the 4,095 others are leaves alone, for nobody reads them.
``dispute_ms`` is the rule's whole work on a signed transaction: its signature, the unit's hash
as an attachment, both paths, unmasking and hashing the unit.
"""

from __future__ import annotations

import os
from hashlib import sha256

from benchmarks.measure import mid, seconds_of
from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.context import Context
from ledger.chain.machine.execution import carry_out
from ledger.chain.sale.complaint import SoldContent
from ledger.chain.sale.identity import key_hash, sale_id
from ledger.chain.sale.masking import UnitMask
from ledger.chain.state_keys import account_key, sale_key
from ledger.chain.transaction import parse_transaction, sign_transaction
from ledger.chain.working_state import WorkingState
from ledger.ed25519 import PrivateKey, is_signed
from ledger.exchange.unit_source import UnitTree
from ledger.experience.content_root import CHUNK_SIZE
from ledger.merkle.hashing import leaf_hash
from ledger.schema.canonical import serialize_message
from ledger.schema.chain_exchange_pb2 import ComplainSale, SaleRecord
from ledger.schema.chain_pb2 import Attachment, Parameters, TransactionBody

SIZE = 1 << 30
UNITS = SIZE // CHUNK_SIZE
CHAIN = bytes(range(32))
_INDEX = 2_741


def measure_dispute(rounds: int) -> dict[str, float]:
    """``dispute_bytes``, attachment and all, and ``dispute_ms``."""
    buyer, seller = PrivateKey.generate(), bytes(PrivateKey.generate().public_key)
    key, sale = os.urandom(32), sale_id(CHAIN, bytes(32), 0)
    unit = os.urandom(32 + CHUNK_SIZE)
    masked = bytearray(UnitMask(sale, key).apply(_INDEX, unit))
    masked[100] ^= 1
    spoilt = bytes(masked)
    content, units = _tree(leaf_hash(unit)), _tree(leaf_hash(spoilt))
    sold = SoldContent(sale, content.root, SIZE, units.root, key_hash(key))
    rows = {
        account_key(bytes(buyer.public_key)): Account().encode(),
        account_key(seller): Account().encode(),
        sale_key(sale): serialize_message(_record(sold, buyer, seller, key), "sale"),
    }
    name = sha256(spoilt).digest()
    message = ComplainSale(
        sale=sale,
        index=_INDEX,
        unit=name,
        unit_path=units.path(_INDEX),
        leaf=leaf_hash(unit),
        leaf_path=content.path(_INDEX),
    )
    attachment = Attachment(hash=name, size=len(spoilt))
    body = TransactionBody(expiry_height=1_000, attachments=[attachment], complain_sale=message)
    encoded = sign_transaction(CHAIN, buyer, body)
    taken = [seconds_of(lambda: _dispute(rows, encoded, {name: spoilt})) for _ in range(rounds)]
    return {"dispute_bytes": len(encoded) + len(spoilt), "dispute_ms": mid(taken) * 1e3}


def _dispute(rows: dict[bytes, bytes], encoded: bytes, attachments: dict[bytes, bytes]) -> None:
    context = Context(CHAIN, Parameters(treasury=bytes(32)), 10, 0, WorkingState(rows.get))
    transaction = parse_transaction(CHAIN, encoded)
    result = carry_out(context, transaction, is_signed(*transaction.claim), attachments)
    if result.code != ResultCode.OK:
        raise RuntimeError(f"the complaint was refused: {result.code}")


def _tree(leaf: bytes) -> UnitTree:
    leaves = [os.urandom(32) for _ in range(UNITS)]
    leaves[_INDEX] = leaf
    return UnitTree(leaves)


def _record(sold: SoldContent, buyer: PrivateKey, seller: bytes, key: bytes) -> SaleRecord:
    return SaleRecord(
        grant=bytes(32),
        seller=seller,
        buyer=bytes(buyer.public_key),
        price=1_000,
        deposit=100,
        content_root=sold.content_root,
        content_size=sold.content_size,
        unit_root=sold.unit_root,
        key_hash=sold.key_hash,
        reveal_height=5,
        complaint_height=20,
        key=key,
    )
