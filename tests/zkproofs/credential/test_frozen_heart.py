"""Frozen Heart (Trail of Bits 2022): what the challenge does not depend on can be chosen.

The weakened copy is the kit with a transcript that does not hear certain labels. Each
forgery passes there, and does not here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.zkproofs.credential import forgeries
from tests.zkproofs.credential.fleet import BINDING, EVERYTHING, NOW, SMALL, fleet
from tests.zkproofs.credential.forgeries import FORGERIES, Forged
from tests.zkproofs.credential.test_presentation import answer
from zkproofs.batch import verify_equations
from zkproofs.bbs import Disclosure
from zkproofs.credential import (
    AtLeast,
    Attribute,
    Issuer,
    IssuerKey,
    Nullifier,
    Presentation,
    verify,
)
from zkproofs.credential import (
    statement as statement_module,
)
from zkproofs.credential.issuer import GAP_INTERFACE
from zkproofs.credential.statement import FirstMessages, PresentationTranscript, Statement
from zkproofs.credential.verifier import _first_messages, statement_equations
from zkproofs.errors import VerificationError
from zkproofs.group import Scalar, group
from zkproofs.pedersen import Bases, default_bases
from zkproofs.transcript import Transcript


def weaken(monkeypatch: pytest.MonkeyPatch, *labels: bytes) -> None:
    """Leave ``labels`` out of the presentation's transcript, for both sides."""

    class Deaf(Transcript):
        def _absorb(self, kind: Any, label: bytes, data: bytes) -> None:
            if label not in labels:
                super()._absorb(kind, label, data)

    monkeypatch.setattr(statement_module, "Transcript", Deaf)


def check(forged: Forged) -> None:
    verify_equations(statement_equations(forged.presentation, forged.statement), "the forgery")


@pytest.mark.parametrize(
    ("labels", "forge"),
    [(labels, forge) for labels, forges in FORGERIES.items() for forge in forges],
    ids=lambda value: value.__name__ if callable(value) else b" ".join(value).decode(),
)
def test_a_forgery_passes_the_weakened_copy_only(
    labels: tuple[bytes, ...], forge: Callable[[], Forged], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(VerificationError):
        check(forge())
    weaken(monkeypatch, *labels)
    forged = forge()
    check(forged)
    monkeypatch.undo()
    with pytest.raises(VerificationError):
        check(forged)


def test_forged_levels_would_have_been_accepted_for_what_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole verifier, not its equations alone, takes Ben for a robot of level 9."""
    weaken(monkeypatch, b"T2")
    forged = forgeries.other_level_by_t2()
    data = forged.presentation.to_bytes(forgeries.LEVEL_NINE)
    again = Presentation.from_bytes(data, forgeries.LEVEL_NINE)
    verify(again, fleet().issuer, forgeries.LEVEL_NINE, BINDING)
    assert fleet().ben.attributes.level == 1


@pytest.mark.parametrize("field", ["nonce", "verifier", "transaction"])
def test_a_replay_passes_the_weakened_copy_only(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(BINDING, **{field: b"somewhere else entirely"})
    strong = Presentation.from_bytes(answer(SMALL), SMALL)
    with pytest.raises(VerificationError):
        verify(strong, fleet().issuer, SMALL, elsewhere)
    weaken(monkeypatch, field.encode())
    weak = Presentation.from_bytes(answer(SMALL), SMALL)
    verify(weak, fleet().issuer, SMALL, elsewhere)
    monkeypatch.undo()
    with pytest.raises(VerificationError):
        verify(weak, fleet().issuer, SMALL, elsewhere)


@dataclass(frozen=True)
class Heard:
    """What a transcript is made of."""

    statement: Statement
    first: FirstMessages
    bases: Bases

    def challenge(self, monkeypatch: pytest.MonkeyPatch) -> Scalar:
        with monkeypatch.context() as patch:
            patch.setattr(statement_module, "default_bases", lambda: self.bases)
            transcript = PresentationTranscript(self.statement, self.first)
        return transcript.challenge(None)


@functools.cache
def heard() -> Heard:
    presentation = Presentation.from_bytes(answer(EVERYTHING), EVERYTHING)
    values = presentation.disclosed(EVERYTHING)
    statement = Statement.of(fleet().issuer, EVERYTHING, BINDING, values, presentation.nullifier)
    return Heard(statement, _first_messages(presentation), default_bases())


def _in_issuer(**changes: Any) -> Callable[[Heard], Heard]:
    return lambda was: replace(
        was,
        statement=replace(
            was.statement,
            issuer=replace(
                was.statement.issuer,
                **{
                    name: change(getattr(was.statement.issuer, name))
                    for name, change in changes.items()
                },
            ),
        ),
    )


def _in_statement(**changes: Any) -> Callable[[Heard], Heard]:
    return lambda was: replace(was, statement=replace(was.statement, **changes))


def _in_policy(**changes: Any) -> Callable[[Heard], Heard]:
    return _in_statement(policy=replace(EVERYTHING, **changes))


def _in_signature(which: str, name: str) -> Callable[[Heard], Heard]:
    def change(was: Heard) -> Heard:
        part = getattr(was.first, which)
        moved = replace(part, **{name: getattr(part, name) + group().g1})
        return replace(was, first=replace(was.first, **{which: moved}))

    return change


def _first_doubled(name: str) -> Callable[[Heard], Heard]:
    def change(was: Heard) -> Heard:
        points = getattr(was.first, name)
        moved = (points[0] + points[0], *points[1:])
        return replace(was, first=replace(was.first, **{name: moved}))

    return change


ROLE_SCALAR = group().scalar(5)
CHANGES: dict[bytes, Callable[[Heard], Heard]] = {
    b"gap api id": _in_issuer(
        gaps=lambda domain: replace(domain, interface=replace(GAP_INTERFACE, name=b"OTHER_"))
    ),
    b"W": _in_issuer(public_key=lambda _: IssuerKey.generate().issuer.public_key),
    b"domain": _in_issuer(credentials=lambda domain: replace(domain, scalar=ROLE_SCALAR)),
    b"gap domain": _in_issuer(gaps=lambda domain: replace(domain, scalar=ROLE_SCALAR)),
    b"N": _in_statement(disclosure=Disclosure((), ())),
    b"i": _in_statement(disclosure=Disclosure((3,), (ROLE_SCALAR,))),
    b"m": _in_statement(disclosure=Disclosure((1,), (ROLE_SCALAR,))),
    b"k": _in_policy(predicates=()),
    b"ranged i": _in_policy(
        predicates=(EVERYTHING.predicates[0], AtLeast(Attribute.ROBOT_ID, NOW))
    ),
    b"bounds": _in_policy(predicates=(EVERYTHING.predicates[0], AtLeast(Attribute.EXPIRY, 5))),
    b"scopes": _in_policy(scope=None),
    b"scope": _in_policy(scope=b"contract 5"),
    b"OP": lambda was: replace(was, statement=replace(was.statement, origin=group().g1)),
    b"Nym": lambda was: replace(
        was, statement=replace(was.statement, nullifier=Nullifier(group().g1))
    ),
    b"epochs": _in_policy(epoch=None),
    b"epoch": _in_policy(epoch=13),
    b"Y1": lambda was: replace(was, bases=replace(was.bases, value=group().g1)),
    b"Y0": lambda was: replace(was, bases=replace(was.bases, blinding=group().g1)),
    b"nonce": _in_statement(binding=replace(BINDING, nonce=bytes(16))),
    b"verifier": _in_statement(binding=replace(BINDING, verifier=b"chain 8")),
    b"transaction": _in_statement(binding=replace(BINDING, transaction=b"another")),
    b"C": _first_doubled("commitments"),
    b"hat C": _first_doubled("masked_commitments"),
    b"hat U": lambda was: replace(was, first=replace(was.first, masked_nullifier=group().g1)),
}
NAMES = {b"bar A": "a_bar", b"bar B": "b_bar", b"D": "d", b"T1": "t1", b"T2": "t2"}
for _label, _name in NAMES.items():
    CHANGES[_label] = _in_signature("credential", _name)
    CHANGES[b"gap " + _label] = _in_signature("gap", _name)

GO_TOGETHER = {b"N": (b"N", b"i", b"m"), b"i": (b"i", b"m")}
GO_TOGETHER |= {b"k": (b"k", b"ranged i", b"bounds")}
GO_TOGETHER |= {b"scopes": (b"scopes", b"scope"), b"epochs": (b"epochs", b"epoch")}
"""A count does not change alone."""


@pytest.mark.parametrize("label", CHANGES, ids=bytes.decode)
def test_the_challenge_depends_on_each_element(
    label: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = heard()
    now = CHANGES[label](was)
    assert was.challenge(monkeypatch) != now.challenge(monkeypatch)
    # And on this very element: without its label nothing tells the two apart.
    weaken(monkeypatch, *GO_TOGETHER.get(label, (label,)))
    assert was.challenge(monkeypatch) == now.challenge(monkeypatch)


def test_no_element_is_left_out_above(monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[bytes] = []

    class Listening(Transcript):
        def _absorb(self, kind: Any, label: bytes, data: bytes) -> None:
            labels.append(label)
            super()._absorb(kind, label, data)

    monkeypatch.setattr(statement_module, "Transcript", Listening)
    answer(EVERYTHING)
    assert set(labels) == CHANGES.keys() | {b"", b"context", b"range proof", b"c"}


def test_the_challenge_comes_after_the_range_proof_and_this_after_all_else() -> None:
    was = heard()
    one, other = (Presentation.from_bytes(answer(EVERYTHING), EVERYTHING).ranges for _ in range(2))
    assert one is not None
    assert other is not None

    def both(first: FirstMessages, ranges: Any) -> tuple[bytes, Scalar]:
        transcript = PresentationTranscript(was.statement, first)
        return transcript.range_context(), transcript.challenge(ranges.proof)

    context, challenge = both(was.first, one)
    assert both(was.first, one) == (context, challenge)
    assert both(was.first, other)[0] == context
    assert both(was.first, other)[1] != challenge
    moved = replace(was.first, masked_nullifier=group().g1)
    assert both(moved, one)[0] != context


def test_the_protocol_and_the_interface_are_in_the_transcript(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    was = heard()
    challenge = was.challenge(monkeypatch)
    domain = was.statement.issuer.credentials
    other = replace(domain, interface=replace(domain.interface, name=b"OTHER_"))
    issuer = Issuer(was.statement.issuer.public_key, other, was.statement.issuer.gaps)
    renamed = replace(was, statement=replace(was.statement, issuer=issuer))
    assert renamed.challenge(monkeypatch) != challenge
    monkeypatch.setattr(statement_module, "PROTOCOL", b"another protocol")
    assert was.challenge(monkeypatch) != challenge
