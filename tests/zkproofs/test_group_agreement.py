"""Every backend gives the same bytes for the same computation, and the same refusals."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkproofs.conftest import BACKENDS
from zkproofs.errors import DecodingError
from zkproofs.group import G1, G2, GT, ORDER, Expander, Group, Scalar, group, using
from zkproofs.group.expand import FIELD_MODULUS

EDGES = [0, 1, 2, ORDER - 1, ORDER, ORDER + 1, -1, -ORDER, 1 << 255, 1 << 256, -(1 << 400)]
INTEGERS = st.one_of(st.sampled_from(EDGES), st.integers(-(1 << 300), 1 << 300))


def on_each(compute: Callable[[Group], object]) -> object:
    """What ``compute`` gives, having seen that it gives the same in every backend."""
    results = []
    for name in BACKENDS:
        with using(name) as backend:
            try:
                results.append(compute(backend))
            except DecodingError:
                results.append(DecodingError)
    assert all(result == results[0] for result in results)
    return results[0]


def test_every_backend_has_the_whole_interface(backend: Group) -> None:
    members = [name for name in vars(Group) if not name.startswith("_")]
    assert len(members) > 20
    for name in members:
        declared = vars(Group)[name]
        if inspect.isfunction(declared):
            offered = inspect.signature(getattr(type(backend), name))
            assert offered == inspect.signature(declared), name
        else:
            assert hasattr(backend, name), name


def test_every_element_is_of_its_kind_only(backend: Group) -> None:
    kinds = (Scalar, G1, G2, GT)
    elements = (backend.scalar(1), backend.g1, backend.g2, backend.pairing(backend.g1, backend.g2))
    for element, own in zip(elements, kinds, strict=True):
        assert [kind for kind in kinds if isinstance(element, kind)] == [own]


@settings(max_examples=50, deadline=None)
@given(INTEGERS, INTEGERS)
def test_scalars(a: int, b: int) -> None:
    def compute(backend: Group) -> object:
        x, y = backend.scalar(a), backend.scalar(b)
        results = [x + y, x - y, x * y, -x]
        if int(x):
            results.append(backend.inverse(x))
            assert int(backend.inverse(x) * x) == 1
        assert all(backend.decode_scalar(backend.encode_scalar(z)) == z for z in results)
        assert (x == y) == ((a - b) % ORDER == 0)
        assert x != y or hash(x) == hash(y)
        return [int(x), *map(int, results), *map(backend.encode_scalar, results)]

    expected = [a % ORDER, (a + b) % ORDER, (a - b) % ORDER, a * b % ORDER, -a % ORDER]
    computed = on_each(compute)
    assert isinstance(computed, list)
    assert computed[:5] == expected


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(INTEGERS, INTEGERS), max_size=20))
def test_g1(terms: list[tuple[int, int]]) -> None:
    def compute(backend: Group) -> object:
        points = [backend.g1 * backend.scalar(k) for k, _ in terms]
        scalars = [backend.scalar(s) for _, s in terms]
        total = backend.msm(points, scalars)
        one_by_one = backend.g1_identity
        for point, scalar in zip(points, scalars, strict=True):
            one_by_one += point * scalar
        exponent = sum(k * s for k, s in terms)
        assert total == one_by_one == backend.g1 * backend.scalar(exponent)
        assert total == backend.msm_public(points, scalars)
        assert hash(total) == hash(one_by_one)
        encoded = [backend.encode_g1(point) for point in [*points, total, -total]]
        decoded = [backend.decode_g1(data, allow_identity=True) for data in encoded]
        assert decoded[-2] == total
        assert decoded[-2] + decoded[-1] == total - total == backend.g1_identity
        return encoded

    on_each(compute)


@settings(max_examples=3, deadline=None)
@given(st.lists(st.tuples(INTEGERS, INTEGERS), min_size=1, max_size=3))
def test_g2(terms: list[tuple[int, int]]) -> None:
    def compute(backend: Group) -> object:
        points = [backend.g2 * backend.scalar(k) for k, _ in terms]
        total = backend.msm_g2(points, [backend.scalar(s) for _, s in terms])
        assert total == backend.g2 * backend.scalar(sum(k * s for k, s in terms))
        assert total - total == total + -total == backend.g2_identity
        encoded = backend.encode_g2(total)
        assert backend.decode_g2(encoded, allow_identity=True) == total
        return encoded

    on_each(compute)


def test_identities_behave(backend: Group) -> None:
    for generator, identity in (
        (backend.g1, backend.g1_identity),
        (backend.g2, backend.g2_identity),
    ):
        assert generator != identity
        assert identity + generator == generator + identity == generator
        assert identity + identity == -identity == identity - identity == identity
        assert generator * backend.scalar(0) == identity * backend.scalar(5) == identity
        assert generator * backend.scalar(ORDER - 1) == -generator
        assert hash(identity + identity) == hash(identity)
    assert backend.msm([], []) == backend.msm_public([], []) == backend.g1_identity
    assert backend.msm_g2([], []) == backend.g2_identity


LAMBDA = 0xD201000000010000**2 - 1
"""A third root of one modulo r: the factor of the endomorphism."""


def test_public_sums_are_equal_where_scalars_are_halved(backend: Group) -> None:
    assert (LAMBDA * LAMBDA + LAMBDA + 1) % ORDER == 0
    edges = [0, 1, LAMBDA - 1, LAMBDA, LAMBDA + 1, 2 * LAMBDA, LAMBDA * LAMBDA, 1 << 128, ORDER - 1]
    points = [backend.g1, -backend.g1, backend.g1_identity, backend.g1 * backend.scalar(77)]
    for value in edges:
        for point in points:
            scalars = [backend.scalar(value)]
            assert backend.msm_public([point], scalars) == point * scalars[0], value
        assert backend.msm_public(points[:2], scalars * 2) == backend.g1_identity


@pytest.mark.parametrize("count", [2, 15, 64, 65, 256, 257, 384, 385])
def test_public_sums_are_equal_however_many_there_are(count: int) -> None:
    backend = group()
    points = [backend.g1 * backend.random_scalar() for _ in range(count)]
    scalars = [backend.random_scalar() for _ in points]
    assert backend.msm_public(points, scalars) == backend.msm(points, scalars)


def test_pairing_is_bilinear(backend: Group) -> None:
    a, b = backend.scalar(-3), backend.scalar(1 << 200)
    left = backend.pairing(backend.g1 * a, backend.g2 * b)
    assert left == backend.pairing(backend.g1 * (a * b), backend.g2)
    assert left != backend.pairing(backend.g1, backend.g2)
    assert hash(left) == hash(backend.pairing(backend.g1 * (a * b), backend.g2))
    power = backend.pairing(backend.g1, backend.g2)
    assert power * power == backend.pairing(backend.g1 + backend.g1, backend.g2)


def test_pairing_products(backend: Group) -> None:
    a = backend.scalar(77)
    first, second = backend.g1 * a, backend.g2 * a
    assert backend.pairing_product_is_one([(first, backend.g2), (-backend.g1, second)])
    assert not backend.pairing_product_is_one([(first, backend.g2), (backend.g1, second)])
    assert not backend.pairing_product_is_one([(backend.g1, backend.g2)])
    nothing = [(backend.g1_identity, backend.g2), (backend.g1, backend.g2_identity)]
    assert backend.pairing_product_is_one(nothing)


@settings(max_examples=8, deadline=None)
@given(
    st.binary(max_size=200),
    st.binary(min_size=1, max_size=300),
    st.sampled_from(Expander),
)
def test_hash_to_g1(message: bytes, dst: bytes, expander: Expander) -> None:
    on_each(lambda backend: backend.encode_g1(backend.hash_to_g1(message, dst, expander)))


@pytest.mark.parametrize("expander", Expander)
def test_hash_to_g2(expander: Expander) -> None:
    dst = b"long" * 100
    on_each(lambda backend: backend.encode_g2(backend.hash_to_g2(b"m", dst, expander)))


@pytest.mark.parametrize("element", [0, 1, FIELD_MODULUS - 1])
def test_maps_at_the_edges_of_the_field(element: int) -> None:
    on_each(lambda backend: backend.encode_g1(backend.map_to_g1(element)))
    on_each(lambda backend: backend.encode_g2(backend.map_to_g2((element, 0))))


VALID_G1 = [b"\xc0" + bytes(47)]
VALID_G2 = [b"\xc0" + bytes(95)]
with using("arkworks") as _backend:
    VALID_G1 += [_backend.encode_g1(_backend.g1 * _backend.scalar(k)) for k in (1, 2, 1 << 99)]
    VALID_G2 += [_backend.encode_g2(_backend.g2 * _backend.scalar(k)) for k in (1, 2, 1 << 99)]


def changed(valid: list[bytes]) -> st.SearchStrategy[bytes]:
    """A valid encoding with some bytes replaced, the flags more often than not."""
    size = len(valid[0])
    places = st.one_of(st.just(0), st.integers(0, size - 1))
    changes = st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=3)

    def apply(data: bytes, changes: list[tuple[int, int]]) -> bytes:
        out = bytearray(data)
        for place, value in changes:
            out[place] = value
        return bytes(out)

    return st.builds(apply, st.sampled_from(valid), changes)


def with_flags(size: int) -> st.SearchStrategy[bytes]:
    """Any x below the modulus as a compressed point: half of them are on the curve."""
    return st.builds(
        lambda sign, rest: bytes([0x80 | sign]) + rest,
        st.sampled_from([0, 0x20]),
        st.binary(min_size=size - 1, max_size=size - 1),
    )


@settings(max_examples=60, deadline=None)
@given(st.one_of(changed(VALID_G1), with_flags(48), st.binary(min_size=47, max_size=49)))
def test_decoding_of_g1_is_strict_and_the_same(data: bytes) -> None:
    def compute(backend: Group) -> object:
        point = backend.decode_g1(data, allow_identity=True)
        assert backend.encode_g1(point) == data
        return data

    on_each(compute)


@settings(max_examples=20, deadline=None)
@given(st.one_of(changed(VALID_G2), with_flags(96), st.binary(min_size=95, max_size=97)))
def test_decoding_of_g2_is_strict_and_the_same(data: bytes) -> None:
    def compute(backend: Group) -> object:
        point = backend.decode_g2(data, allow_identity=True)
        assert backend.encode_g2(point) == data
        return data

    on_each(compute)


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(
        st.binary(min_size=31, max_size=33),
        st.builds(lambda k: k.to_bytes(32, "big"), st.integers(ORDER - 3, ORDER + 3)),
    )
)
def test_decoding_of_scalars_is_strict_and_the_same(data: bytes) -> None:
    canonical = len(data) == 32 and int.from_bytes(data, "big") < ORDER
    decoded = on_each(lambda backend: int(backend.decode_scalar(data)))
    assert decoded == (int.from_bytes(data, "big") if canonical else DecodingError)


def is_square(value: int) -> bool:
    return pow(value, (FIELD_MODULUS - 1) // 2, FIELD_MODULUS) in (0, 1)


def test_points_of_g1_outside_the_subgroup_are_refused(backend: Group) -> None:
    # The curve y² = x³ + 4 has about 2^126 times as many points as the subgroup.
    on_curve = [x for x in range(1, 20) if is_square(x**3 + 4)]
    assert len(on_curve) > 5
    for x in on_curve:
        for flags in (0x80, 0xA0):
            with pytest.raises(DecodingError, match="subgroup"):
                backend.decode_g1(bytes([flags]) + x.to_bytes(47, "big"))


def test_points_of_g2_outside_the_subgroup_are_refused(backend: Group) -> None:
    # y² = x³ + 4 + 4u has a root in Fp2 if the right side's norm has one in Fp.
    on_curve = [x for x in range(1, 10) if is_square((x**3 + 4) ** 2 + 16)]
    assert len(on_curve) > 2
    for x in on_curve:
        for flags in (0x80, 0xA0):
            with pytest.raises(DecodingError, match="subgroup"):
                backend.decode_g2(bytes([flags]) + x.to_bytes(95, "big"))


def test_random_scalars_are_fresh_and_not_zero(backend: Group) -> None:
    drawn = {int(backend.random_scalar()) for _ in range(200)}
    assert len(drawn) == 200
    assert 0 not in drawn
    assert max(drawn) >> 250  # uniform: all of 200 below 2^250 has odds of 2^-800
