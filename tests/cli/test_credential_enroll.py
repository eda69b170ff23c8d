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


def test_a_revoked_robot_is_not_enrolled_again(nobody: Robot) -> None:
    authority(nobody)
    nobody.did("credential", "enroll", "issuer", "robot-7", "--robot", 7, *SAYS)
    nobody.did("credential", "revoke", "issuer", 7, "-o", "robot-7.gaps")
    enroll = ("credential", "enroll", "issuer", "robot-7", "--robot", 7, *SAYS)
    assert "robot 7 is revoked" in nobody.refused(*enroll, code=5)
    assert not (nobody.work / "robot-7.pending").exists()
    line = nobody.refused("credential", "show", "robot-7", "--gaps", "robot-7.gaps", code=5)
    assert "revoked" in line
