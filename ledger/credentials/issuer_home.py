"""The fleet authority's folder: its issuer's key, and who is registered under which nym.

::

    FOLDER/key                 what signs credentials (secret, 0600)
    FOLDER/offered/NONCE       an invitation that is open, and the attributes it is for
    FOLDER/answered/NONCE      one that is not any more
    FOLDER/members/ROBOT-ID    the registered nym, and the newest answer
    FOLDER/revoked             the epoch, and who is revoked in it
    FOLDER/gaps/EPOCH          what remains, signed: for all members, with that of the epoch before

A member is one file, written whole: a nym is registered exactly if an answer exists that was
made with it. The same request gets the same answer again, so whoever loses one, or crashes,
asks twice and is registered once. A member that is invited again proves the registered nym:
no credential, and nothing that happens to it, gives anybody new uses of a contract.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.role import Role
from ledger.credentials.letter import (
    ISSUER_SIZE,
    NONCE_SIZE,
    Kind,
    load_letter,
    read_letter,
    save_letter,
    write_letter,
)
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.storage.os_errors import storage_errors
from zkproofs import credential as zk
from zkproofs.errors import DecodingError, ProofError
from zkproofs.group import group

_KEY_SIZE: Final = 32
_FLEET_SIZE: Final = 64
_REGISTRATION_SIZE: Final = 117
_ID_SIZE: Final = 4
_EPOCH_SIZE: Final = 8
_EPOCHS: Final = 2
"""Whose gaps are in one letter: a member needs the newest when the chain has it, no sooner."""


@dataclass(frozen=True, slots=True)
class Member:
    """A robot that is registered."""

    registration: zk.Registration
    nonce: bytes
    request: bytes
    """SHA-256 of the request that was answered last."""
    response: zk.IssuerResponse

    @property
    def attributes(self) -> zk.Attributes:
        """What its newest credential says."""
        return self.response.attributes

    def encode(self) -> bytes:
        """Return the layout of `letter.Kind.MEMBER`."""
        return self.registration.to_bytes() + self.nonce + self.request + self.response.to_bytes()

    @classmethod
    def decode(cls, content: bytes) -> Member:
        """Read `encode`. Raises `DecodingError`."""
        end = _REGISTRATION_SIZE
        return cls(
            zk.Registration.from_bytes(content[:end]),
            content[end : end + NONCE_SIZE],
            content[end + NONCE_SIZE : end + NONCE_SIZE + 32],
            zk.IssuerResponse.from_bytes(content[end + NONCE_SIZE + 32 :]),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered, and to whom."""

    letter: bytes
    attributes: zk.Attributes
    is_renewal: bool
    """Whether the robot was a member before."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Who is revoked, in the epoch that is the newest."""

    epoch: int = 0
    robot_ids: tuple[int, ...] = ()


class IssuerHome:
    """A fleet authority's folder. What it changes, it changes under a lock of its own."""

    def __init__(self, root: Path, key: zk.IssuerKey, fleet: str) -> None:
        self.root: Final = root
        self.fleet: Final = fleet
        self._key: Final = key

    def __repr__(self) -> str:
        return f"IssuerHome({self.root}, {self.fleet!r})"

    @property
    def public_key(self) -> bytes:
        """What goes on the chain, 96 bytes."""
        return self._key.issuer.to_bytes()

    @classmethod
    def create(cls, root: Path, fleet: str) -> IssuerHome:
        """Make a folder with a new key, and the gaps of epoch 0, in which nobody is revoked.

        Raises RefusedError where one is, and for a fleet that no credential can name.
        """
        try:
            zk.Attribute.FLEET.check(fleet)
        except ProofError as error:
            raise RefusedError(
                f"no credential can name this fleet: {error.message}", hint="give its shorter name"
            ) from error
        if (root / "key").exists():
            raise RefusedError(
                f"{root} has an issuer's key already",
                hint="whoever loses it loses its members: move it away yourself, or use it",
            )
        with storage_errors(root):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("offered", "answered", "members", "gaps"):
                (root / name).mkdir(mode=0o700, exist_ok=True)
        home = cls(root, zk.IssuerKey.generate(), fleet)
        content = home._key.to_bytes() + zk.Attribute.FLEET.encode(fleet)
        home._write_revoked(Revoked())
        save_letter(root / "key", Kind.ISSUER, content)
        return home

    @classmethod
    def open(cls, root: Path) -> IssuerHome:
        """Open a folder. Raises NotFoundError, KeyStoreError, MalformedError."""
        content = load_letter(root / "key", Kind.ISSUER)
        try:
            key = zk.IssuerKey.from_bytes(content[:_KEY_SIZE])
            fleet = zk.Attribute.FLEET.decode(content[_KEY_SIZE:])
        except DecodingError as error:
            raise MalformedError(
                f"the issuer's key in {root} is damaged: {error.message}",
                hint="take it from a copy of the folder",
            ) from error
        return cls(root, key, str(fleet))

    # Members

    def invite(self, role: str, level: int, expiry: int, robot_id: int) -> bytes:
        """An invitation to a credential that says this; a secret letter for the robot's holder.

        ``role`` is the whole text of a `ledger.chain.role.Role`. For a robot that is registered
        it is one to renew. Raises MalformedError for what is no role, RefusedError for what no
        credential can say, and for a robot that is revoked.
        """
        Role.parse(role)
        try:
            attributes = zk.Attributes(self.fleet, role, level, expiry, robot_id)
        except ProofError as error:
            raise RefusedError(
                f"no credential says that: {error.message}", hint="invite for something else"
            ) from error
        with self._locked():
            self._require_not_revoked(robot_id)
            nonce = secrets.token_bytes(NONCE_SIZE)
            save_letter(self._offered(nonce), Kind.OFFERED, attributes.to_bytes())
        return write_letter(Kind.INVITATION, self.public_key + nonce)

    def answer(self, request: bytes) -> bytes:
        """Answer a request that came of an invitation; a letter for whoever sent it. As `issue`."""
        return self.issue(request).letter

    def issue(self, request: bytes) -> Answer:
        """Answer a request that came of an invitation, and say to whom.

        The same request has the same answer. Raises MalformedError for bytes that are none;
        RefusedError for an invitation that is not open, a robot that is revoked, a request
        that proves nothing, or another nym than the registered one.
        """
        content = read_letter(Kind.REQUEST, request)
        with self._locked():
            nonce = self._nonce(content[:NONCE_SIZE])
            attributes = self._attributes(nonce)
            member = self._member(attributes.robot_id)
            if member and (member.nonce, member.request) == (nonce, sha256(content).digest()):
                response = member.response
            elif member and member.nonce == nonce:
                raise RefusedError(
                    f"another request has answered this invitation of robot {attributes.robot_id}",
                    hint="if that was not the robot, somebody has taken its invitation: revoke it,"
                    " and invite it under another id",
                )
            elif not self._offered(nonce).exists():
                raise _closed()
            else:
                self._require_not_revoked(attributes.robot_id)
                response = self._register(attributes, nonce, content, member)
            with suppress(FileNotFoundError):
                self._offered(nonce).rename(self._answered(nonce))
        letter = write_letter(Kind.RESPONSE, nonce + response.to_bytes())
        is_renewal = response.entropy == group().scalar(0)  # so a repetition can tell it too
        return Answer(letter, response.attributes, is_renewal)

    def members(self) -> list[Member]:
        """All who are registered, by robot id. Raises MalformedError for a damaged file."""
        names = [path.name for path in (self.root / "members").glob("[0-9]*")]
        found = [self._member(int(name)) for name in names if name.isdecimal()]
        return sorted(filter(None, found), key=lambda each: each.registration.robot_id)

    # Revocation

    def revoked(self) -> Revoked:
        """Who is revoked now."""
        content = load_letter(self.root / "revoked", Kind.REVOKED)
        ids = content[_EPOCH_SIZE:]
        return Revoked(
            int.from_bytes(content[:_EPOCH_SIZE], "big"),
            tuple(
                int.from_bytes(ids[at : at + _ID_SIZE], "big")
                for at in range(0, len(ids), _ID_SIZE)
            ),
        )

    def revoke(self, robot_ids: Iterable[int]) -> Revoked:
        """Revoke robots, for good, in a new epoch; its gaps are signed before it is the newest.

        Raises RefusedError for a robot that no credential can name.
        """
        with self._locked():
            before = self.revoked()
            ids = tuple(sorted({*before.robot_ids, *robot_ids}))
            try:
                for robot_id in ids:
                    zk.Attribute.ROBOT_ID.check(robot_id)
            except ProofError as error:
                raise RefusedError(
                    f"no credential names such a robot: {error.message}",
                    hint="`quipu credential show` lists the members",
                ) from error
            after = Revoked(before.epoch + 1, ids)
            self._write_revoked(after)
            return after

    def gaps(self) -> bytes:
        """The gaps of the newest epoch and of the one before: a letter for all members.

        With both a member can show that it is not revoked whichever of them the chain has, so
        that all can be given the letter before the chain has the newest.
        """
        epoch = self.revoked().epoch
        content = self._gaps(epoch)
        with suppress(NotFoundError):  # epoch 0 has none before
            content += self._gaps(epoch - 1)[ISSUER_SIZE:]
        return write_letter(Kind.GAPS, content)

    # Inside

    def _gaps(self, epoch: int) -> bytes:
        return load_letter(self.root / "gaps" / str(epoch), Kind.GAPS)

    def _nonce(self, named: bytes) -> bytes:
        """The nonce, of an invitation that is open or was, whose SHA-256 this is."""
        for folder in ("offered", "answered"):
            for path in (self.root / folder).iterdir():
                with suppress(ValueError):  # a file that was being written
                    nonce = bytes.fromhex(path.name)
                    if sha256(nonce).digest() == named:
                        return nonce
        raise _closed()

    def _attributes(self, nonce: bytes) -> zk.Attributes:
        """What an invitation is for, open or not."""
        for path in (self._offered(nonce), self._answered(nonce)):
            try:
                return zk.Attributes.from_bytes(load_letter(path, Kind.OFFERED))
            except NotFoundError:
                continue
            except DecodingError as error:
                raise MalformedError(
                    f"{path} is damaged: {error.message}", hint="take it from a copy of the folder"
                ) from error
        raise _closed()

    def _member(self, robot_id: int) -> Member | None:
        path = self.root / "members" / str(robot_id)
        try:
            return Member.decode(load_letter(path, Kind.MEMBER))
        except NotFoundError:
            return None
        except DecodingError as error:
            raise MalformedError(
                f"the member {path} is damaged: {error.message}",
                hint="take it from a copy of the folder",
            ) from error

    def _register(
        self, attributes: zk.Attributes, nonce: bytes, content: bytes, known: Member | None
    ) -> zk.IssuerResponse:
        try:
            request = zk.HolderRequest.from_bytes(content[NONCE_SIZE:], self._key.issuer)
            if known:
                registration = known.registration
                response = zk.reissue(self._key, registration, request, attributes, nonce)
            else:
                response, registration = zk.issue(self._key, request, attributes, nonce)
        except DecodingError as error:
            raise MalformedError(
                f"the credential request is damaged: {error.message}", hint="have it sent again"
            ) from error
        except ProofError as error:
            raise RefusedError(
                f"no credential is issued: {error.message}",
                hint="let the registered robot answer an invitation of its own",
            ) from error
        member = Member(registration, nonce, sha256(content).digest(), response)
        path = self.root / "members" / str(attributes.robot_id)
        save_letter(path, Kind.MEMBER, member.encode())
        return response

    def _write_revoked(self, revoked: Revoked) -> None:
        gaps = zk.sign_gaps(self._key, self.fleet, revoked.epoch, revoked.robot_ids)
        path = self.root / "gaps" / str(revoked.epoch)
        signed = self.public_key + b"".join(gap.to_bytes() for gap in gaps)
        save_letter(path, Kind.GAPS, signed)
        ids = b"".join(each.to_bytes(_ID_SIZE, "big") for each in revoked.robot_ids)
        content = revoked.epoch.to_bytes(_EPOCH_SIZE, "big") + ids
        save_letter(self.root / "revoked", Kind.REVOKED, content)

    def _require_not_revoked(self, robot_id: int) -> None:
        if robot_id in self.revoked().robot_ids:
            raise RefusedError(
                f"robot {robot_id} is revoked", hint="a revoked id is never good again"
            )

    def _offered(self, nonce: bytes) -> Path:
        return self.root / "offered" / nonce.hex()

    def _answered(self, nonce: bytes) -> Path:
        return self.root / "answered" / nonce.hex()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time change the folder."""
        with storage_errors(self.root), (self.root / "lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _closed() -> RefusedError:
    return RefusedError(
        "the request answers no open invitation of this issuer",
        hint="an invitation is good for one request; invite again",
    )


def read_gaps(letter: bytes) -> tuple[bytes, tuple[zk.Gap, ...]]:
    """The issuer's public key and the gaps in a letter, not yet verified; MalformedError.

    Of one epoch or two, the newest first.
    """
    content = read_letter(Kind.GAPS, letter)
    size, rest = 161, content[ISSUER_SIZE:]
    try:
        gaps = [zk.Gap.from_bytes(rest[at : at + size]) for at in range(0, len(rest), size)]
    except DecodingError as error:
        raise MalformedError(
            f"the revocation gaps are damaged: {error.message}", hint="have them sent again"
        ) from error
    if len({gap.epoch for gap in gaps}) > _EPOCHS or not all(map(_follows, gaps, gaps[1:])):
        raise MalformedError(
            "the revocation gaps are not those of two epochs, in order", hint="have them sent again"
        )
    return content[:ISSUER_SIZE], tuple(gaps)


def _follows(before: zk.Gap, gap: zk.Gap) -> bool:
    """Whether a gap may stand after another: a higher one, or of an older epoch."""
    if gap.fleet != before.fleet or gap.epoch > before.epoch:
        return False
    return gap.epoch < before.epoch or gap.low >= before.high
