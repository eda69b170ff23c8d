"""What issuer and members send each other, and keep: small files of one form.

::

    quipu/credential-request/v1
    base64 of the content, 76 characters a line

==============  ===================================================  ==============
`Kind`          content                                              secret
==============  ===================================================  ==============
ISSUER          key (32) || fleet (64)                               yes
INVITATION      issuer (96) || nonce (32)                            yes
REQUEST         SHA-256 of the nonce (32) || request (129)           no
RESPONSE        nonce (32) || response (253)                         no: of use to one
GAPS            issuer (96) || gaps of the newest epoch, then of     no
                the one before, ascending, 161 each
PENDING         issuer (96) || nonce (32) || awaiting (162)          yes
CREDENTIAL      issuer (96) || credential (253)                      yes
OFFERED         attributes (140)                                     no
MEMBER          registration (117) || nonce (32) || SHA-256 of the   as the issuer's
                request (32) || response (253)                       key
REVOKED         u64be epoch || u32be robot ids, ascending            no
==============  ===================================================  ==============

The parts are those of `zkproofs.credential`. A secret one is a file of mode 0600, and one that
is kept and that others can read is refused.

Whoever has an invitation's nonce can answer it, and is the robot then. So a request only names
the nonce: who sees it, and not the invitation, can make no other one.
"""

from __future__ import annotations

import base64
import os
import stat
from enum import Enum
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import KeyStoreError, MalformedError, NotFoundError
from ledger.storage.os_errors import storage_errors

ISSUER_SIZE: Final = 96
NONCE_SIZE: Final = 32
MAX_BYTES: Final = 1 << 24
_LINE: Final = 76


class Kind(Enum):
    """What a file is, by its first line."""

    ISSUER = "issuer-key"
    INVITATION = "credential-invitation"
    REQUEST = "credential-request"
    RESPONSE = "credential-response"
    GAPS = "revocation-gaps"
    PENDING = "waiting-request"
    CREDENTIAL = "credential"
    OFFERED = "credential-offered"
    MEMBER = "fleet-member"
    REVOKED = "revoked-members"

    @property
    def is_secret(self) -> bool:
        """Whether nobody else may read it."""
        return self in (
            Kind.ISSUER,
            Kind.INVITATION,
            Kind.PENDING,
            Kind.CREDENTIAL,
            Kind.MEMBER,
        )

    def fits(self, size: int) -> bool:
        """Whether a content may have so many bytes."""
        fixed, step = _SIZES[self]
        return size == fixed or (step > 0 and size > fixed and (size - fixed) % step == 0)

    @property
    def words(self) -> str:
        """For people."""
        return self.value.replace("-", " ")


_SIZES: Final = {
    Kind.ISSUER: (96, 0),
    Kind.INVITATION: (128, 0),
    Kind.REQUEST: (161, 0),
    Kind.RESPONSE: (285, 0),
    Kind.GAPS: (96, 161),
    Kind.PENDING: (290, 0),
    Kind.CREDENTIAL: (349, 0),
    Kind.OFFERED: (140, 0),
    Kind.MEMBER: (434, 0),
    Kind.REVOKED: (8, 4),
}
"""Bytes of a content, and of each thing more that may follow."""


def write_letter(kind: Kind, content: bytes) -> bytes:
    """The file of this content."""
    text = base64.b64encode(content).decode("ascii")
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return "\n".join([f"quipu/{kind.value}/v1", *lines, ""]).encode("ascii")


def read_letter(kind: Kind, data: bytes) -> bytes:
    """The content of a file. Raises MalformedError for another kind, and for any other form."""
    head, _, rest = data.partition(b"\n")
    if head != f"quipu/{kind.value}/v1".encode("ascii"):
        raise MalformedError(
            f"it holds no {kind.words}: its first line says something else",
            hint=f"give the file that was written as {kind.words}",
        )
    try:
        content = base64.b64decode(rest.replace(b"\n", b""), validate=True)
    except ValueError:
        content = b""
    if not kind.fits(len(content)) or write_letter(kind, content) != data:
        raise MalformedError(
            f"the {kind.words} is damaged: it is not as it was written",
            hint="have it sent again, as it is",
        )
    return content


def save_letter(path: Path, kind: Kind, content: bytes) -> None:
    """Write a file, whole and synced. Raises StorageError."""
    mode = PRIVATE if kind.is_secret else 0o644
    with storage_errors(path):
        write_durably(path, write_letter(kind, content), mode=mode)


def load_letter(path: Path, kind: Kind) -> bytes:
    """The content of a file.

    Raises NotFoundError where there is none, KeyStoreError for a secret that others can
    read, MalformedError, StorageError.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if kind.is_secret and mode & 0o077:
                raise KeyStoreError(
                    f"{kind.words} {path} can be read by others", hint=f"chmod 600 {path}"
                )
            data = file.read(MAX_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"there is no {kind.words} {path}", hint="check the path") from None
    except OSError as error:
        raise KeyStoreError(
            f"{kind.words} {path} cannot be read: {os.strerror(error.errno or 0)}",
            hint="check the path and its permissions",
        ) from None
    return read_letter(kind, data)
