"""The valid keys at every size of a log, followed past damaged entries.

`ledger.experience.key_history.KeyHistory` stops at the first entry that may not
stand where it stands. An audit goes on: what such an entry says of keys is not
believed, and the next one is judged by the keys that were valid before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.experience.entry import Entry
from ledger.experience.key_history import rotation_message
from ledger.experience.kinds import KeyRetirement, KeyRotation


class KeyTrail:
    """``keys`` sign from leaf ``start`` on; `follow` the entries after it in order."""

    def __init__(self, log_id: bytes, keys: Iterable[bytes], start: int = 0) -> None:
        self._log_id = log_id
        self._sizes = [start]
        self._keys = [frozenset(keys)]
        self.ever = self._keys[0]

    def at(self, size: int) -> frozenset[bytes]:
        """The keys that sign a tree of ``size`` leaves, and the entry at index ``size``."""
        return self._keys[max(0, bisect_right(self._sizes, size) - 1)]

    def follow(self, entry: Entry, index: int) -> str | None:
        """Learn what a well-signed entry says of keys; say what is wrong with it, if anything.

        Entries before ``start`` are behind the history and teach nothing.
        """
        if index < self._sizes[0]:
            return None
        valid = self._keys[-1]
        if entry.robot_key not in valid:
            return f"key {entry.robot_key.hex()[:16]} signed it and is not valid there"
        match entry.kind:
            case KeyRotation():
                return self._rotate(entry, index, entry.kind)
            case KeyRetirement(retired_key=retired):
                if retired not in valid:
                    return "it retires a key that is not valid there"
                if len(valid) == 1:
                    return "it retires the only key of the log"
                self._change(index, valid - {retired})
        return None

    def _rotate(self, entry: Entry, index: int, rotation: KeyRotation) -> str | None:
        if rotation.new_key in self.ever:
            return "it brings in a key that this log has had before"
        message = rotation_message(self._log_id, index, entry.robot_key, rotation.new_key)
        try:
            PublicKey(rotation.new_key).verify(rotation.new_signature, message)
        except (MalformedError, VerificationError):
            return "it brings in a key that did not sign for it"
        self.ever |= {rotation.new_key}
        self._change(index, self._keys[-1] | {rotation.new_key})
        return None

    def _change(self, index: int, keys: frozenset[bytes]) -> None:
        # docs/format.md section 7: valid, or not, from the next index on.
        self._sizes.append(index + 1)
        self._keys.append(keys)
