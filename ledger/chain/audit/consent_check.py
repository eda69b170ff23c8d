"""Consents that were withdrawn, and the recordings under them whose erasure nobody has shown.

That is no damage of the chain, so it is a note each; who must act is the robot's owner.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.chain.audit.counters import ChainCounters
from ledger.errors import MalformedError
from ledger.fsck.findings import AuditTrail
from ledger.schema.canonical import parse_message
from ledger.schema.chain_consent_pb2 import CONSENT_STATUS_WITHDRAWN, ConsentRecord

_IDS_NAMED = 4


def check_consents(
    items: Iterable[tuple[bytes, bytes]], trail: AuditTrail, counters: ChainCounters
) -> None:
    """List what is still to be erased, or to be shown as erased."""
    for key, value in items:
        if key[:1] != b"\x40":
            continue
        try:
            consent = parse_message(ConsentRecord, value, "consent")
        except MalformedError:
            continue  # named as a key of the state
        counters.consents += 1
        counters.consents_withdrawn += consent.withdrawn_height > 0
        missing = [name for name in consent.record_id if name not in set(consent.erased)]
        if consent.status != CONSENT_STATUS_WITHDRAWN or not missing:
            continue
        counters.erasures_missing += len(missing)
        named = ", ".join(name.hex() for name in missing[:_IDS_NAMED])
        more = f" and {len(missing) - _IDS_NAMED} more" if len(missing) > _IDS_NAMED else ""
        trail.note(
            f"consent {key[1:].hex()} was withdrawn in block {consent.withdrawn_height}; "
            f"{consent.origin} has not shown that it erased {named}{more}"
        )
