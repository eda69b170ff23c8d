"""Who writes which open record, so that none is taken for one whose recorder died."""

from __future__ import annotations

import threading

from ledger.errors import RefusedError


class LiveRecords:
    """Open records, each in the hands of one sink. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders: dict[bytes, object] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def claim(self, record_id: bytes, holder: object) -> None:
        """Put a record in ``holder``'s hands. Raises `RefusedError` if another's has it."""
        with self._lock:
            if self._holders.setdefault(record_id, holder) is not holder:
                raise RefusedError(
                    f"another recorder writes record {record_id.hex()}",
                    hint="one recorder writes a record; begin another",
                )

    def is_held_by(self, record_id: bytes, holder: object) -> bool:
        """Whether ``holder`` has it."""
        return self._holders.get(record_id) is holder

    def is_free(self, record_id: bytes) -> bool:
        """Whether nobody has it."""
        return record_id not in self._holders

    def release(self, record_id: bytes) -> None:
        """It is finished; nothing happens if nobody had it."""
        with self._lock:
            self._holders.pop(record_id, None)

    def release_all(self, holder: object) -> None:
        """Take everything out of ``holder``'s hands."""
        with self._lock:
            for record_id in [r for r, having in self._holders.items() if having is holder]:
                del self._holders[record_id]
