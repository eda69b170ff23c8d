"""Linear relations: how they are built, written, read, and which are refused."""

from __future__ import annotations

import pytest

from zkproofs import sigma
from zkproofs.errors import DecodingError, ParameterError
from zkproofs.group import G1, ORDER, Group
from zkproofs.linear_relation import Equation, ImageTerm, LinearRelation, MapTerm

PROTOCOL = b"test"


def two_equations(backend: Group) -> LinearRelation:
    """X = x·G and Y = x·H + y·G."""
    x, y = backend.scalar(1 << 90), backend.scalar(-17)
    h = backend.g1 * backend.scalar(555)
    return LinearRelation.of(
        (backend.g1 * x, [(0, backend.g1)]),
        (h * x + backend.g1 * y, [(0, h), (1, backend.g1)]),
    )


def test_points_are_written_once(backend: Group) -> None:
    g, h = backend.g1, backend.g1 * backend.scalar(3)
    relation = LinearRelation.of((h, [(0, g), (1, h)]), (g, [(1, g), (0, h)]))
    assert relation.elements == (g, h)
    assert relation.scalar_count == 2
    assert relation.equations[0] == Equation((ImageTerm(1),), (MapTerm(0, 0), MapTerm(1, 1)))


def test_coefficients_count_modulo_the_order(backend: Group) -> None:
    x = backend.scalar(10)
    big_x = backend.g1 * x
    # 3·X = (30 - r)·.. written as -X = -x·G, and as 5·X = 5·x·G
    relation = LinearRelation(
        (backend.g1, big_x),
        (
            Equation((ImageTerm(1, -1),), (MapTerm(0, 0, ORDER - 1),)),
            Equation((ImageTerm(1, 5),), (MapTerm(0, 0, 2), MapTerm(0, 0, 3))),
        ),
    )
    proof = sigma.prove(PROTOCOL, relation, [x])
    sigma.verify(PROTOCOL, relation, proof)
    again = LinearRelation.from_bytes(relation.to_bytes())
    sigma.verify(PROTOCOL, again, proof)
    sigma.verify_compact(PROTOCOL, again, sigma.prove_compact(PROTOCOL, relation, [x]))


def test_bad_relations_are_refused(backend: Group) -> None:
    g, h = backend.g1, backend.g1 * backend.scalar(3)
    good = Equation((ImageTerm(1),), (MapTerm(0, 0),))
    bad: list[tuple[tuple[G1, ...], tuple[Equation, ...]]] = [
        ((g, h), ()),
        ((g,), ()),
        ((g, h), (Equation((), good.terms),)),
        ((g, h), (Equation(good.image, ()),)),
        ((g,), (good,)),  # point 1 is missing
        ((g, h, h), (good,)),  # point 2 is not used
        ((g, h), (Equation((ImageTerm(-1),), good.terms),)),
        ((g, h), (Equation(good.image, (MapTerm(-1, 0),)),)),
        ((g, h), (Equation(good.image, (MapTerm(1, 0),)),)),  # scalar 0 is not used
        ((h, g), (good,)),
        ((), (good,)),
        ((g, backend.g1_identity), (good,)),
        ((g, h), (Equation((ImageTerm(1, ORDER),), good.terms),)),
        ((g, h), (Equation((ImageTerm(1), ImageTerm(1, -1)), good.terms),)),
        ((g, h), (Equation(good.image, (MapTerm(0, 0, 0),)),)),
        ((g, h), (Equation(good.image, (MapTerm(0, 0, 3), MapTerm(0, 1, -1))),)),
        ((g, h), (Equation((ImageTerm(1.0),), good.terms),)),  # type: ignore[arg-type]
        ((g, h), (Equation((ImageTerm(1, "1"),), good.terms),)),  # type: ignore[arg-type]
    ]
    LinearRelation((g, h), (good,))
    for elements, equations in bad:
        with pytest.raises(ParameterError):
            LinearRelation(elements, equations)


def test_encoded_relations_are_read_strictly(backend: Group) -> None:
    relation = two_equations(backend)
    data = relation.to_bytes()
    for end in range(len(data)):
        with pytest.raises(DecodingError):
            LinearRelation.from_bytes(data[:end])
    count = int.from_bytes(data[:4], "little")
    coefficient = data[:12] + ORDER.to_bytes(32, "big") + data[44:]
    for wrong in (
        data + b"\0",
        data + data[-48:],
        bytes(4) + data[4:],
        (count + 1).to_bytes(4, "little") + data[4:],
        b"\xff" * 4 + data[4:],
        data[:8] + b"\xff" * 4 + data[12:],
        coefficient,
        data[:-48] + b"\xc0" + bytes(47),
    ):
        with pytest.raises(DecodingError):
            LinearRelation.from_bytes(wrong)
    with pytest.raises(ParameterError):
        LinearRelation.from_bytes(None)  # type: ignore[arg-type]
