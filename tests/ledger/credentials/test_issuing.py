"""From an invitation to a credential in a file, and on: renewed, revoked, repeated, damaged."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.credentials import issuer_home
from ledger.credentials.issuer_home import IssuerHome, read_gaps
from ledger.credentials.letter import Kind, read_letter, write_letter
from ledger.credentials.member_file import MemberFile, gap_of
from ledger.errors import (
    KeyStoreError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from zkproofs import credential as zk

EXPIRY = 2_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> IssuerHome:
    return IssuerHome.create(tmp_path / "issuer", "huskies")


@pytest.fixture
def member(tmp_path: Path) -> MemberFile:
    return MemberFile(tmp_path / "robot-7")


def invitation(home: IssuerHome, level: int = 3, robot_id: int = 7) -> bytes:
    return home.invite("courier", level, EXPIRY, robot_id)


def issued(
    home: IssuerHome, member: MemberFile, level: int = 3, robot_id: int = 7
) -> zk.Credential:
    return member.accept(home.answer(member.request(invitation(home, level, robot_id))))


def nullifier(credential: zk.Credential) -> bytes:
    return zk.nullifier_of(credential, b"a contract's use").to_bytes()


def test_a_credential_comes_into_a_file_of_the_members(
    home: IssuerHome, member: MemberFile
) -> None:
    credential = issued(home, member)
    assert credential.attributes == zk.Attributes("huskies", "courier", 3, EXPIRY, 7)
    again = MemberFile(member.path).credential()
    assert (again.attributes, nullifier(again)) == (credential.attributes, nullifier(credential))
    assert not member.pending.exists()
    assert [each.attributes for each in home.members()] == [credential.attributes]
    assert IssuerHome.open(home.root).public_key == home.public_key


def test_what_is_secret_only_its_owner_can_read(home: IssuerHome, member: MemberFile) -> None:
    request = member.request(invitation(home))
    secret = [home.root / "key", member.pending]
    member.accept(home.answer(request))
    secret += [home.root / "members" / "7", member.path]
    for path in secret:
        if path.exists():
            assert path.stat().st_mode & 0o777 == 0o600
    member.path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="can be read by others"):
        member.credential()
    (home.root / "key").chmod(0o644)
    with pytest.raises(KeyStoreError, match="chmod 600"):
        IssuerHome.open(home.root)
    key = read_letter(Kind.ISSUER, (home.root / "key").read_bytes())[:32]
    assert key.hex() not in repr(home)
    assert str(int.from_bytes(key, "big")) not in repr(home)


def test_a_renewal_keeps_the_nym_and_with_it_what_was_used(
    home: IssuerHome, member: MemberFile
) -> None:
    first = issued(home, member)
    second = issued(home, member, level=9)
    assert second.attributes.level == 9
    assert nullifier(second) == nullifier(first)
    assert [each.attributes.level for each in home.members()] == [9]


def test_a_robot_has_one_nym_however_often_it_asks(
    home: IssuerHome, member: MemberFile, tmp_path: Path
) -> None:
    """Another file has no credential yet, so it would come with another nym."""
    issued(home, member)
    other = MemberFile(tmp_path / "other")
    with pytest.raises(RefusedError, match="another nym"):
        home.answer(other.request(invitation(home)))
    # Two invitations that were open at once register one nym all the same.
    third, fourth = MemberFile(tmp_path / "3"), MemberFile(tmp_path / "4")
    requests = [each.request(home.invite("courier", 1, EXPIRY, 8)) for each in (third, fourth)]
    third.accept(home.answer(requests[0]))
    with pytest.raises(RefusedError, match="another nym"):
        home.answer(requests[1])


def test_the_same_request_has_the_same_answer(home: IssuerHome, member: MemberFile) -> None:
    request = member.request(invitation(home))
    answer = home.answer(request)
    assert home.answer(request) == answer
    assert member.waiting_request() == request
    first = member.accept(answer)
    # A crash may leave the request there: accepting again comes to the same.
    with pytest.raises(NotFoundError):
        member.accept(answer)
    assert home.answer(request) == answer
    issued(home, member, level=4)
    with pytest.raises(RefusedError, match="no open invitation"):
        home.answer(request)
    assert nullifier(member.credential()) == nullifier(first)


@pytest.mark.parametrize("dies_in", ["save_letter", "write_letter"])
def test_an_issuer_that_dies_while_it_answers(
    home: IssuerHome, member: MemberFile, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    """Before the member is kept nothing has happened; after it the answer is there to repeat."""
    request = member.request(invitation(home))

    def dies(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(issuer_home, dies_in, dies)
        with pytest.raises(KeyboardInterrupt):
            home.answer(request)
    again = IssuerHome.open(home.root)
    assert len(again.members()) == (dies_in == "write_letter")
    credential = member.accept(again.answer(request))
    assert [each.attributes for each in again.members()] == [credential.attributes]
    nym = credential.issuer.nym_point * credential.nym
    assert [each.registration.point for each in again.members()] == [nym]


def test_a_member_that_dies_before_it_tidies_up(
    home: IssuerHome, member: MemberFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = home.answer(member.request(invitation(home)))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            member.accept(answer)
    held = member.credential()
    with pytest.raises(RefusedError, match="waits for an answer"):
        member.request(invitation(home, 4))
    assert nullifier(member.accept(answer)) == nullifier(held)
    assert issued(home, member, level=4).attributes.level == 4


def test_who_is_revoked_is_in_no_gap_and_is_not_invited(
    home: IssuerHome, member: MemberFile
) -> None:
    credential = issued(home, member)
    before = home.gaps()
    assert gap_of(credential, before).epoch == 0
    waiting = MemberFile(member.path.with_name("waiting"))
    request = waiting.request(invitation(home, robot_id=9))
    assert home.revoke([9, 7]).epoch == 1
    assert home.revoked() == issuer_home.Revoked(1, (7, 9))
    with pytest.raises(RefusedError, match="the credential is revoked"):
        gap_of(credential, home.gaps())
    for robot_id in (7, 9):
        with pytest.raises(RefusedError, match="is revoked"):
            invitation(home, robot_id=robot_id)
    with pytest.raises(RefusedError, match="is revoked"):
        home.answer(request)
    other = issued(home, MemberFile(member.path.with_name("8")), robot_id=8)
    gap = gap_of(other, home.gaps())
    assert (gap.epoch, gap.low, gap.high) == (1, 7, 9)
    assert home.revoke([]).epoch == 2
    with pytest.raises(RefusedError, match="no credential names"):
        home.revoke([0])


def test_new_gaps_hold_those_before_so_that_they_can_be_handed_out_first(
    home: IssuerHome, member: MemberFile
) -> None:
    credential = issued(home, member)
    other = issued(home, MemberFile(member.path.with_name("8")), robot_id=8)
    home.revoke([9])
    home.revoke([8, 20])
    letter = home.gaps()
    assert [gap_of(credential, letter, epoch).epoch for epoch in (2, 1)] == [2, 1]
    assert gap_of(credential, letter).epoch == 2
    for epoch in (0, 3):
        with pytest.raises(NotFoundError, match=f"no revocation gaps of epoch {epoch}"):
            gap_of(credential, letter, epoch)
    # Who is revoked in the newest is so, and can only show what the chain still asks for.
    assert gap_of(other, letter, 1).high == 9
    for newest in (None, 2):
        with pytest.raises(RefusedError, match="the credential is revoked"):
            gap_of(other, letter, newest)
    # The folder of an issuer that has lost what was before still gives the newest.
    (home.root / "gaps" / "1").unlink()
    assert {gap.epoch for gap in read_gaps(home.gaps())[1]} == {2}


def test_gaps_of_more_epochs_or_out_of_order_are_damaged(home: IssuerHome) -> None:
    parts = []
    for robot_id in (9, 12, 15):
        home.revoke([robot_id])
        content = read_letter(Kind.GAPS, home.gaps())[96:]
        newest = sum(gap.epoch == home.revoked().epoch for gap in read_gaps(home.gaps())[1])
        parts.append(content[: 161 * newest])
    first, second, third = parts
    good = home.public_key + third + second
    assert write_letter(Kind.GAPS, good) == home.gaps()
    for bad in (
        third + second + first,
        second + third,
        third[161:] + third[:161],
        third + third,
        second[:161] + third[:161] + second[161:],
    ):
        with pytest.raises(MalformedError, match="not those of two epochs, in order"):
            read_gaps(write_letter(Kind.GAPS, home.public_key + bad))


def test_gaps_of_somebody_else_are_not_believed(
    home: IssuerHome, member: MemberFile, tmp_path: Path
) -> None:
    credential = issued(home, member)
    other = IssuerHome.create(tmp_path / "other", "huskies")
    with pytest.raises(VerificationError, match="another issuer"):
        gap_of(credential, other.gaps())
    forged = home.public_key + read_letter(Kind.GAPS, other.gaps())[96:]
    with pytest.raises(VerificationError, match="not signed by the issuer"):
        gap_of(credential, write_letter(Kind.GAPS, forged))
    public_key, gaps = read_gaps(home.gaps())
    assert (public_key, len(gaps)) == (home.public_key, 1)


def test_what_is_not_made_for_one_another_is_refused(
    home: IssuerHome, member: MemberFile, tmp_path: Path
) -> None:
    other = IssuerHome.create(tmp_path / "other", "huskies")
    request = member.request(invitation(home))
    with pytest.raises(RefusedError, match="no open invitation"):
        other.answer(request)
    stranger = MemberFile(tmp_path / "stranger")
    response = home.answer(stranger.request(invitation(home, robot_id=8)))
    with pytest.raises(VerificationError, match="another request"):
        member.accept(response)
    member.accept(home.answer(request))
    with pytest.raises(RefusedError, match="another issuer"):
        member.request(other.invite("courier", 3, EXPIRY, 7))
    with pytest.raises(RefusedError, match="no credential says that"):
        home.invite("courier", -1, EXPIRY, 7)
    with pytest.raises(MalformedError, match="a role"):
        home.invite("", 3, EXPIRY, 7)
    with pytest.raises(RefusedError, match="already"):
        IssuerHome.create(home.root, "huskies")
    with pytest.raises(RefusedError, match="no credential can name"):
        IssuerHome.create(tmp_path / "third", "f" * 64)


def test_a_request_that_proves_nothing(home: IssuerHome, member: MemberFile) -> None:
    """For another invitation's nonce, or with a byte of its proof changed."""
    request = read_letter(Kind.REQUEST, member.request(invitation(home)))
    second = sha256(read_letter(Kind.INVITATION, invitation(home))[96:]).digest()
    for forged in (second + request[32:], request[:-1] + bytes([request[-1] ^ 1])):
        with pytest.raises(RefusedError, match="no credential is issued"):
            home.answer(write_letter(Kind.REQUEST, forged))
    assert home.members() == []
    assert home.answer(write_letter(Kind.REQUEST, request))


def test_who_sees_a_request_cannot_answer_the_invitation_himself(
    home: IssuerHome, member: MemberFile, tmp_path: Path
) -> None:
    """A request may be seen by all before it is answered; the issuer's key is on the chain."""
    letter = invitation(home)
    request = member.request(letter)
    seen = read_letter(Kind.REQUEST, request)
    nonce = read_letter(Kind.INVITATION, letter)[96:]
    assert nonce not in seen
    thief = MemberFile(tmp_path / "thief")
    guessed = write_letter(Kind.INVITATION, home.public_key + seen[:32])
    own = read_letter(Kind.REQUEST, thief.request(guessed))
    with pytest.raises(RefusedError, match="no open invitation"):
        home.answer(write_letter(Kind.REQUEST, own))
    with pytest.raises(RefusedError, match="no credential is issued"):
        home.answer(write_letter(Kind.REQUEST, seen[:32] + own[32:]))
    assert home.members() == []
    member.accept(home.answer(request))


def test_a_robot_whose_invitation_somebody_else_has_answered_is_told(
    home: IssuerHome, member: MemberFile, tmp_path: Path
) -> None:
    letter = invitation(home)
    request = member.request(letter)
    answer = home.issue(MemberFile(tmp_path / "thief").request(letter))
    assert (answer.attributes.robot_id, answer.is_renewal) == (7, False)
    with pytest.raises(RefusedError, match="another request has answered this invitation") as told:
        home.answer(request)
    assert "revoke it" in (told.value.hint or "")


def test_an_answer_says_whether_it_is_a_renewal_however_often_it_is_asked_for(
    home: IssuerHome, member: MemberFile
) -> None:
    for level, is_renewal in ((3, False), (4, True), (5, True)):
        request = member.request(invitation(home, level))
        for answer in (home.issue(request), home.issue(request)):
            assert (answer.attributes.level, answer.is_renewal) == (level, is_renewal)
        member.accept(answer.letter)


def test_letters_have_one_form(home: IssuerHome, member: MemberFile) -> None:
    letter = invitation(home)
    takes: list[tuple[bytes, Callable[[bytes], object]]] = [
        (letter, member.request),
        (home.gaps(), read_gaps),
    ]
    request = member.request(letter)
    member.pending.unlink()
    takes.append((request, home.answer))
    for good, take in takes:
        for bad in (
            b"",
            good[:-1],
            good + b"\n",
            good.replace(b"\n", b"\r\n"),
            good.replace(b"/v1", b"/v2", 1),
            good[:40] + b"*" + good[41:],
            good.partition(b"\n")[0] + b"\n",
            good.partition(b"\n")[0] + b"\nAAAA\n",
            os.urandom(300),
        ):
            with pytest.raises((MalformedError, RefusedError)):
                take(bad)
    for name in ("key", "revoked"):
        spoilt = home.root / name
        spoilt.write_bytes(spoilt.read_bytes()[:-9])
        with pytest.raises(LedgerError):
            IssuerHome.open(home.root).revoked()
