"""A member's file: the request that waits for its answer, then the credential itself.

::

    FILE.pending   the secret share of a request that was sent (0600)
    FILE           the credential (0600): whoever has it is the robot
    FILE.gaps      the newest gaps of its issuer, and those before, which are no secret

The pending file is there before the request leaves, and goes after the credential is on disk.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.credentials.issuer_home import read_gaps
from ledger.credentials.letter import (
    ISSUER_SIZE,
    NONCE_SIZE,
    Kind,
    load_letter,
    read_letter,
    save_letter,
    write_letter,
)
from ledger.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from ledger.storage.os_errors import storage_errors
from zkproofs import credential as zk
from zkproofs import errors as zk_errors


class MemberFile:
    """The file of one credential; nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    @property
    def pending(self) -> Path:
        """Where a request waits for its answer."""
        return self.path.with_name(self.path.name + ".pending")

    @property
    def gaps(self) -> Path:
        """Where the issuer's newest gaps are kept."""
        return self.path.with_name(self.path.name + ".gaps")

    def credential(self) -> zk.Credential:
        """The credential. Raises NotFoundError, KeyStoreError, MalformedError."""
        content = load_letter(self.path, Kind.CREDENTIAL)
        try:
            issuer = zk.Issuer.from_bytes(content[:ISSUER_SIZE])
            credential = zk.Credential.from_bytes(content[ISSUER_SIZE:], issuer)
            credential.verify()
        except zk_errors.ProofError as error:
            raise MalformedError(
                f"the credential {self.path} is damaged: {error.message}",
                hint="take it from a copy, or ask to be registered under another id",
            ) from error
        return credential

    def request(self, invitation: bytes) -> bytes:
        """Ask for a credential, or for the next one of the same nym; a letter to the issuer.

        Raises MalformedError for bytes that are no invitation, RefusedError while another
        request waits.
        """
        content = read_letter(Kind.INVITATION, invitation)
        issuer, nonce = _issuer(content[:ISSUER_SIZE]), content[ISSUER_SIZE:]
        if self.pending.exists():
            raise RefusedError(
                f"{self.pending} waits for an answer already",
                hint="accept that, or remove it if the answer will never come",
            )
        try:
            held = self.credential()
        except NotFoundError:
            held = None
        try:
            if held is None:
                asking = zk.request_credential(issuer, nonce)
            elif held.issuer.to_bytes() != issuer.to_bytes():
                raise RefusedError(
                    f"{self.path} is a credential of another issuer",
                    hint="keep the credential of each issuer in a file of its own",
                )
            else:
                asking = zk.request_reissue(held, nonce)
        except zk_errors.ProofError as error:
            raise MalformedError(
                f"the invitation is damaged: {error.message}", hint="have it sent again"
            ) from error
        save_letter(self.pending, Kind.PENDING, content + asking.to_bytes())
        return _request(nonce, asking)

    def waiting_request(self) -> bytes:
        """The request that waits, to be sent once more. Raises as `accept`."""
        return _request(*self._pending())

    def accept(self, response: bytes) -> zk.Credential:
        """Complete the request that waits, and keep the credential.

        Raises NotFoundError where none waits; MalformedError; VerificationError for an
        answer to something else, or one that the issuer did not sign.
        """
        content = read_letter(Kind.RESPONSE, response)
        nonce, asking = self._pending()
        if content[:NONCE_SIZE] != nonce:
            raise VerificationError(
                "the response answers another request", hint="ask for the one to this request"
            )
        try:
            answer = zk.IssuerResponse.from_bytes(content[NONCE_SIZE:])
            credential = asking.complete(answer)
        except zk_errors.DecodingError as error:
            raise MalformedError(
                f"the credential response is damaged: {error.message}", hint="have it sent again"
            ) from error
        except zk_errors.ProofError as error:
            raise VerificationError(
                f"the response is not good: {error.message}", hint="do not trust its sender"
            ) from error
        kept = credential.issuer.to_bytes() + credential.to_bytes()
        save_letter(self.path, Kind.CREDENTIAL, kept)
        with storage_errors(self.pending):
            self.pending.unlink()
        return credential

    def _pending(self) -> tuple[bytes, zk.HolderAwaitingResponse]:
        content = load_letter(self.pending, Kind.PENDING)
        issuer = _issuer(content[:ISSUER_SIZE])
        nonce, rest = (
            content[ISSUER_SIZE : ISSUER_SIZE + NONCE_SIZE],
            content[ISSUER_SIZE + NONCE_SIZE :],
        )
        try:
            held = self.credential()
        except NotFoundError:
            held = None
        try:
            return nonce, zk.HolderAwaitingResponse.from_bytes(rest, issuer, held)
        except zk_errors.DecodingError as error:
            raise MalformedError(
                f"{self.pending} is damaged: {error.message}", hint="remove it, and ask again"
            ) from error


def _request(nonce: bytes, asking: zk.HolderAwaitingResponse) -> bytes:
    return write_letter(Kind.REQUEST, sha256(nonce).digest() + asking.request.to_bytes())


def gap_of(credential: zk.Credential, letter: bytes, epoch: int | None = None) -> zk.Gap:
    """The gap of a letter that a credential's robot lies in, verified.

    It is of the letter's newest epoch if none is named: who is not revoked in it was not before.

    Raises MalformedError; VerificationError for gaps that the credential's issuer has not
    signed; NotFoundError for an epoch that the letter is not of; RefusedError for a robot that
    is revoked.
    """
    public_key, gaps = read_gaps(letter)
    if public_key != credential.issuer.to_bytes():
        raise VerificationError(
            "the revocation gaps are of another issuer", hint="give those of its own"
        )
    epochs = [gap.epoch for gap in gaps]
    if epoch is None:
        epoch = max(epochs, default=0)
    elif epoch not in epochs:
        raise NotFoundError(
            f"there are no revocation gaps of epoch {epoch}, but of {max(epochs, default='none')}",
            hint="get the newest from the fleet's authority",
        )
    gaps = tuple(gap for gap in gaps if gap.epoch == epoch)
    try:
        gap = zk.find_gap(gaps, credential.attributes.robot_id)
    except zk_errors.VerificationError as error:
        raise RefusedError("the credential is revoked", hint="ask the fleet's authority") from error
    try:
        gap.verify(credential.issuer)
    except zk_errors.VerificationError as error:
        raise VerificationError(
            "a revocation gap is not signed by the issuer", hint="do not trust its sender"
        ) from error
    return gap


def _issuer(public_key: bytes) -> zk.Issuer:
    try:
        return zk.Issuer.from_bytes(public_key)
    except zk_errors.DecodingError as error:
        raise MalformedError(
            f"an issuer's public key is damaged: {error.message}", hint="have it sent again"
        ) from error
