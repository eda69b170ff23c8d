"""Which uses of which contract a member has asked with: remembered here, so that nobody is asked.

A use that was made shows on the chain as a nullifier, which says nothing of the member. Whoever
looked its own nullifiers up there, or asked twice with one use, would tell the chain's operator
which purchases are of one member. So what was asked with is in a file beside the credential,
mode 0600, replaced whole under a lock::

    CREDENTIAL.uses    one line a use: contract in hex, use, name of the acquisition in hex, or "-"

A use is taken before its request is signed, and free again once it is clear that no grant comes
of it. Where the file is lost, or a credential is in two places, the chain's refusal says that a
use was made already: that line has "-", and the next use is tried.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias, TypeVar

from ledger.credentials.member_file import MemberFile
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError
from ledger.storage.os_errors import storage_errors

T = TypeVar("T")
_Taken: TypeAlias = dict[tuple[bytes, int], bytes]
"""By whom each use of a contract was taken; of no bytes: by somebody."""
_NOBODY: Final = "-"


class Uses:
    """The uses that one member has taken. Any thread and any process may ask.

    Methods raise CorruptStoreError, StorageError.
    """

    def __init__(self, member: MemberFile) -> None:
        path = member.path
        self.path: Final = path.with_name(path.name + ".uses")

    def choose(self, contract: bytes, count: int, name: bytes) -> int | None:
        """A use for the acquisition ``name``, of ``count`` that the contract gives, durably taken.

        The one that it has already, or any that is free, each as likely; None where none is.
        """

        def change(taken: _Taken) -> int | None:
            for (of, use), by in taken.items():
                if (of, by) == (contract, name) and use < count:
                    return use
            left = [use for use in range(count) if (contract, use) not in taken]
            if not left:
                return None
            use = secrets.choice(left)
            taken[contract, use] = name
            return use

        return self._change(change)

    def take(self, contract: bytes, use: int, name: bytes) -> None:
        """Take this one, durably, unless it is taken."""
        self._change(lambda taken: taken.setdefault((contract, use), name))

    def is_made(self, contract: bytes, use: int) -> None:
        """Remember that the chain has the nullifier of a use, durably."""
        self._change(lambda taken: taken.update({(contract, use): b""}))

    def release(self, name: bytes) -> None:
        """Let others have what an acquisition took and made no use of, durably."""

        def change(taken: _Taken) -> None:
            for key in [key for key, by in taken.items() if by == name]:
                del taken[key]

        if self.path.exists():
            self._change(change)

    def _change(self, change: Callable[[_Taken], T]) -> T:
        with self._locked():
            with storage_errors(self.path):
                before = self.path.read_bytes() if self.path.exists() else b""
            taken = self._decode(before)
            result = change(taken)
            after = _encode(taken)
            if after != before:
                with storage_errors(self.path):
                    write_durably(self.path, after, mode=PRIVATE)
        return result

    def _decode(self, data: bytes) -> _Taken:
        taken: _Taken = {}
        try:
            for line in data.decode("ascii").splitlines():
                contract, use, by = line.split(" ")
                name = b"" if by == _NOBODY else bytes.fromhex(by)
                taken[bytes.fromhex(contract), int(use)] = name
        except ValueError:
            raise CorruptStoreError(
                f"{self.path} is damaged",
                hint="remove it: the chain then refuses what was used, and is told a little more",
            ) from None
        return taken

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_name(self.path.name + ".lock")
        with storage_errors(self.path), lock.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _encode(taken: _Taken) -> bytes:
    lines = [
        f"{contract.hex()} {use} {by.hex() or _NOBODY}\n"
        for (contract, use), by in sorted(taken.items())
    ]
    return "".join(lines).encode("ascii")
