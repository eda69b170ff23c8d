"""Changing the robot's key: old and new sign for a while, then the old one retires.

Rotating appends a KeyRotation entry, signed by the old key and countersigned by the
new one; from then on the new key signs entries and both sign checkpoints, so that
whoever knows either verifier key can follow. Retiring appends a KeyRetirement entry
and destroys the old private key (``docs/format.md``, section 7).
"""

from __future__ import annotations

from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError
from ledger.experience.entry import encode_entry
from ledger.experience.key_history import rotate_to
from ledger.experience.kinds import KeyRetirement
from ledger.home import HomeWriter
from ledger.note import NoteSigner, VerifierKey


def rotate_key(home: HomeWriter) -> VerifierKey:
    """Bring in a new key, which signs beside the old one from now on.

    The private key is on disk before the log names it. Raises `RefusedError` while an
    earlier rotation is not finished, `BehindError`, `KeyStoreError`, `StorageError`.
    """
    log, active = home.log, home.vkeys
    if len(active) > 1:
        raise RefusedError(
            "the last rotation is not finished: two keys sign", hint="run `quipu key retire` first"
        )
    old = home.entry_key()
    new = NoteSigner(log.origin, PrivateKey.generate())
    home.signing_keys.add(new)
    sequence = log.size
    rotation = rotate_to(new.private_key, log.log_id, sequence, old.public_key)
    entry = encode_entry(log.log_id, sequence, rotation, old)
    log.append([entry], log.vkey_rows((*active, new.verifier_key)))
    return new.verifier_key


def retire_key(home: HomeWriter) -> VerifierKey:
    """Retire the older of two active keys, and destroy its private half.

    Raises `RefusedError` where only one key is active.
    """
    log, active = home.log, home.vkeys
    if len(active) < 2:
        raise RefusedError("the log has only one key", hint="run `quipu key rotate` first")
    old, *rest = active
    retirement = KeyRetirement(retired_key=bytes(old.public_key))
    entry = encode_entry(log.log_id, log.size, retirement, home.entry_key())
    log.append([entry], log.vkey_rows(rest))
    home.signing_keys.remove(old)
    return old
