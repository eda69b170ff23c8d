"""Members in one step: what was cut short is completed, and nobody is registered twice."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.cli.robot import Robot

SAYS = ("--role", "courier", "--level", "3", "--until", "2035-01-01")


def authority(nobody: Robot) -> Path:
    nobody.did("credential", "new", "issuer", "--fleet", "huskies")
    return nobody.work / "issuer"


def test_a_request_that_was_sent_before_is_the_one_that_is_answered(nobody: Robot) -> None:
    authority(nobody)
    nobody.did("credential", "invite", "issuer", "--robot", 7, *SAYS, "-o", "letter")
    nobody.did("credential", "request", "robot-7", "letter", "-o", "request")
    told = nobody.told("credential", "enroll", "issuer", "robot-7", "--robot", 7, *SAYS)
    assert (told["robot_id"], told["level"]) == (7, 3)
    assert not (nobody.work / "robot-7.pending").exists()
    # Its answer is the one that the request would have had.
    nobody.did("credential", "issue", "issuer", "request", "-o", "response")
    assert len(nobody.told("credential", "show", "issuer")["members"]) == 1


def test_a_member_is_renewed_and_shown_with_its_gaps(nobody: Robot) -> None:
    authority(nobody)
    for level in (3, 5):
        says = ("--role", "courier", "--level", level, "--until", "2035-01-01")
        nobody.did("credential", "enroll", "issuer", "robot-7", "--robot", 7, *says)
    shown = nobody.told("credential", "show", "robot-7", "--gaps", "robot-7.gaps")
    assert (shown["level"], shown["epoch"]) == (5, 0)
    mode = stat.S_IMODE((nobody.work / "robot-7").stat().st_mode)
    assert mode == 0o600


def test_an_invitation_is_a_secret_and_what_answers_it_is_not(nobody: Robot) -> None:
    authority(nobody)
    letter, request = nobody.work / "letter", nobody.work / "request"
    letter.write_text("an older one, that all may read")
    letter.chmod(0o644)
    nobody.did("credential", "invite", "issuer", "--robot", 7, *SAYS, "-o", "letter")
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600
    nobody.did("credential", "request", "robot-7", "letter", "-o", "request")
    assert stat.S_IMODE(request.stat().st_mode) == 0o644


def test_who_issues_is_told_to_whom(nobody: Robot) -> None:
    authority(nobody)
    for verb, level, renewal in (("request", 3, False), ("renew", 5, True)):
        says = ("--role", "courier", "--level", level, "--until", "2035-01-01")
        nobody.did("credential", "invite", "issuer", "--robot", 7, *says, "-o", "letter")
        nobody.did("credential", verb, "robot-7", "letter", "-o", "request")
        told = nobody.told("credential", "issue", "issuer", "request", "-o", "response")
        assert (told["robot_id"], told["role"], told["level"]) == (7, "courier", level)
        assert told["renewal"] is renewal
        nobody.did("credential", "accept", "robot-7", "response")


def test_nobody_is_invited_until_a_time_that_is_past(nobody: Robot) -> None:
    authority(nobody)
    past = (*SAYS[:-1], "2020-01-01")
    line = nobody.refused(
        "credential", "invite", "issuer", "--robot", 7, *past, "-o", "letter", code=5
    )
    assert "2020-01-01 00:00:00 UTC is past" in line
    assert "--until" in line
    assert not (nobody.work / "letter").exists()
    line = nobody.refused("credential", "enroll", "issuer", "robot-7", "--robot", 7, *past, code=5)
    assert "is past" in line


def test_a_revoked_robot_is_not_enrolled_again(nobody: Robot) -> None:
    authority(nobody)
    nobody.did("credential", "enroll", "issuer", "robot-7", "--robot", 7, *SAYS)
    nobody.did("credential", "revoke", "issuer", 7, "-o", "robot-7.gaps")
    enroll = ("credential", "enroll", "issuer", "robot-7", "--robot", 7, *SAYS)
    assert "robot 7 is revoked" in nobody.refused(*enroll, code=5)
    assert not (nobody.work / "robot-7.pending").exists()
    line = nobody.refused("credential", "show", "robot-7", "--gaps", "robot-7.gaps", code=5)
    assert "revoked" in line
