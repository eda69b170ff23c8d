"""The one text of a role and its certifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.policy import Member
from ledger.chain.role import Role
from ledger.chain.rules.allowed_use import as_member
from ledger.errors import MalformedError

NAMES = st.text(min_size=1, max_size=9).filter(lambda name: "+" not in name)


@given(NAMES, st.sets(NAMES, max_size=4))
def test_a_role_is_read_as_it_is_written(name: str, certifications: set[str]) -> None:
    role = Role(name, tuple(sorted(certifications)))
    assert Role.parse(role.text) == role
    assert as_member("huskies", 3, role.text) == Member(
        "huskies", 3, role.name, role.certifications
    )


def test_what_is_not_shown_is_not_seen() -> None:
    assert as_member("huskies", 3, "") == Member("huskies", 3)
    assert as_member("huskies", 3, "courier") == Member("huskies", 3, "courier")


@pytest.mark.parametrize("text", ["", "+", "+ce", "courier+", "a++b", "a+c+b", "a+b+b"])
def test_what_is_no_role(text: str) -> None:
    with pytest.raises(MalformedError):
        Role.parse(text)


@pytest.mark.parametrize("role", [("a+b",), ("a", ("b+c",)), ("a", ("",)), ("", ("b",))])
def test_no_two_roles_have_one_text(role: tuple[str, tuple[str, ...]]) -> None:
    with pytest.raises(MalformedError):
        Role(*role)
