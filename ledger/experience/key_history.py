"""Which robot keys may sign an entry, index by index (``docs/format.md`` section 7).

The log starts with one key, the one its owner published. A `KeyRotation` adds a
key and a `KeyRetirement` takes one away, each from the next entry on. One key
always stays.
"""

from __future__ import annotations

from typing import Final

from ledger.ed25519 import PrivateKey, PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.experience.entry import Entry
from ledger.experience.fields import HASH_SIZE, KEY_SIZE, require_bytes, require_uint64
from ledger.experience.kinds import KeyRetirement, KeyRotation

_ROTATION_DOMAIN: Final = b"quipu/rotation/v1\0"


def rotation_message(log_id: bytes, sequence: int, old_key: bytes, new_key: bytes) -> bytes:
    """The bytes that a new key signs to show that somebody holds it. `MalformedError`."""
    require_bytes(log_id, HASH_SIZE, "log id")
    require_uint64(sequence, "sequence")
    require_bytes(old_key, KEY_SIZE, "old key")
    require_bytes(new_key, KEY_SIZE, "new key")
    # "quipu/rotation/v1\0" || log id || u64be(sequence) || old_key || new_key
    return _ROTATION_DOMAIN + log_id + sequence.to_bytes(8, "big") + old_key + new_key


def rotate_to(new_key: PrivateKey, log_id: bytes, sequence: int, old_key: PublicKey) -> KeyRotation:
    """What entry ``sequence``, signed by ``old_key``, says to bring in ``new_key``."""
    new = bytes(new_key.public_key)
    message = rotation_message(log_id, sequence, bytes(old_key), new)
    return KeyRotation(new_key=new, new_signature=new_key.sign(message))


class KeyHistory:
    """The keys of one log, followed from entry to entry.

    ``accept`` the entries in order, each with the index at which the log holds it.
    It does not check the entries' own signatures: see `verify_entry`.
    """

    def __init__(self, log_id: bytes, first_key: bytes) -> None:
        """Start a log's history. Raises `MalformedError` for what is no log id or key."""
        require_bytes(log_id, HASH_SIZE, "log id")
        self._log_id = log_id
        self._keys = frozenset({bytes(PublicKey(first_key))})
        self._ever = self._keys
        self._size = 0

    @property
    def keys(self) -> frozenset[bytes]:
        """The keys that may sign the next entry, 32 bytes each."""
        return self._keys

    @property
    def size(self) -> int:
        """Entries accepted so far: the index of the next one."""
        return self._size

    def accept(self, entry: Entry, index: int) -> None:
        """Check that ``entry`` may stand at ``index``, and learn what it says of keys.

        Raises `VerificationError`, and learns nothing, when it may not.
        """
        if index != self._size:
            raise VerificationError(f"entry {index} is followed, but {self._size} comes next")
        if entry.sequence != index:
            raise VerificationError(f"entry {index} says that it is entry {entry.sequence}")
        if entry.robot_key not in self._keys:
            raise VerificationError(
                f"entry {index} is signed by key {entry.robot_key.hex()[:16]}..., "
                "which is not valid there"
            )
        match entry.kind:
            case KeyRotation():
                self._rotate(entry, entry.kind)
            case KeyRetirement():
                self._retire(index, entry.kind.retired_key)
            case _:
                pass
        self._size += 1

    def _rotate(self, entry: Entry, rotation: KeyRotation) -> None:
        if rotation.new_key in self._ever:
            raise VerificationError(
                f"entry {entry.sequence} brings in a key that this log has had before"
            )
        message = rotation_message(self._log_id, entry.sequence, entry.robot_key, rotation.new_key)
        try:
            PublicKey(rotation.new_key).verify(rotation.new_signature, message)
        except (VerificationError, MalformedError):
            raise VerificationError(
                f"entry {entry.sequence} brings in a key that did not sign for it"
            ) from None
        self._keys |= {rotation.new_key}
        self._ever |= {rotation.new_key}

    def _retire(self, index: int, key: bytes) -> None:
        if key not in self._keys:
            raise VerificationError(f"entry {index} retires a key that is not valid there")
        if len(self._keys) == 1:
            raise VerificationError(f"entry {index} retires the only key of the log")
        self._keys -= {key}
