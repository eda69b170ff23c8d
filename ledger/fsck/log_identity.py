"""Whose log this is: META's names and keys, held against the keys that the entries bring in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.checkpoint import Checkpoint, log_id
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.log_reader import ACTIVE_VKEYS, FIRST_VKEY, KNOWN_VKEYS, ORIGIN
from ledger.note import KeyKind, VerifierKey
from ledger.storage import ReadTransaction, Table


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """The log's name, the key it began with, and what META says of its keys since."""

    origin: str
    first_key: VerifierKey
    active: frozenset[bytes]
    known: frozenset[bytes]

    @property
    def log_id(self) -> bytes:
        """What the log's signatures cover."""
        return log_id(self.origin)

    def vkey(self, public_key: bytes) -> VerifierKey:
        """The verifier key of one of the log's public keys. Raises `MalformedError`."""
        return VerifierKey(self.origin, KeyKind.ED25519, PublicKey(public_key))


def read_identity(
    txn: ReadTransaction, trail: AuditTrail, pinned: Sequence[VerifierKey]
) -> LogIdentity | None:
    """Read META's names and keys; None, after a finding, where no log can be made out.

    Where META is damaged a pinned key says what the log is.
    """
    first = _read_vkeys(txn, trail, FIRST_VKEY)
    key = first[0] if len(first) == 1 else None
    origin = _read_origin(txn, trail)
    trusted = next((vkey for vkey in pinned if origin in (None, vkey.name)), None)
    if key is None or (origin is not None and key.name != origin):
        if key is not None:
            trail.find(
                FindingKind.META_WRONG, "META first_vkey", f"it is not a key of the log {origin}"
            )
        key = trusted if trusted is not None else key
    if key is None:
        trail.note("no key of the log is known: no signature was checked")
        return None
    active = _read_vkeys(txn, trail, ACTIVE_VKEYS)
    known = _read_vkeys(txn, trail, KNOWN_VKEYS)
    return LogIdentity(
        key.name if origin is None else origin,
        key,
        frozenset(bytes(vkey.public_key) for vkey in active),
        frozenset(bytes(vkey.public_key) for vkey in known),
    )


def check_keys(
    identity: LogIdentity,
    trail: AuditTrail,
    pinned: Sequence[VerifierKey],
    valid: frozenset[bytes],
    ever: frozenset[bytes],
) -> None:
    """Compare META's keys, and the pinned ones, with those the entries lead to."""
    if identity.active != valid:
        trail.find(
            FindingKind.META_WRONG,
            "META active_vkeys",
            "they are not the keys that the entries leave valid",
        )
    if not ever <= identity.known:
        trail.find(
            FindingKind.META_WRONG, "META known_vkeys", "a key that the log has had is not there"
        )
    if pinned and not any(
        vkey.name == identity.origin and bytes(vkey.public_key) in ever for vkey in pinned
    ):
        trail.find(
            FindingKind.META_WRONG,
            f"log {identity.origin}",
            "none of the keys it was to be checked with ever signed for it",
        )


def _read_origin(txn: ReadTransaction, trail: AuditTrail) -> str | None:
    value = txn.get(Table.META, ORIGIN)
    try:
        if value is None:
            raise MalformedError("it is not there")
        origin = value.decode("utf-8")
        Checkpoint(origin, 0, bytes(32))
    except (MalformedError, UnicodeDecodeError) as error:
        message = error.message if isinstance(error, MalformedError) else "it is not UTF-8"
        trail.find(FindingKind.META_WRONG, "META origin", message)
        return None
    return origin


def _read_vkeys(txn: ReadTransaction, trail: AuditTrail, name: bytes) -> tuple[VerifierKey, ...]:
    value = txn.get(Table.META, name)
    try:
        if value is None:
            raise MalformedError("it is not there")
        return tuple(VerifierKey.parse(line) for line in value.decode("utf-8").split("\n"))
    except (MalformedError, UnicodeDecodeError) as error:
        message = error.message if isinstance(error, MalformedError) else "it is not UTF-8"
        trail.find(FindingKind.META_WRONG, f"META {name.decode()}", message)
        return ()
