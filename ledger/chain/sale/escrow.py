"""What a sale holds for its two sides, as its record says."""

from __future__ import annotations

from ledger.schema.chain_exchange_pb2 import SaleRecord


def held_in_escrow(record: SaleRecord) -> int:
    """Units of the sale's asset that have left accounts and are in none: for audits."""
    return record.deposit + (record.price if record.reveal_height else 0)
