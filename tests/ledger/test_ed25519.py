"""Keys that must not exist, signatures that must not verify."""

from __future__ import annotations

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ed25519 import PrivateKey, PublicKey
from ledger.errors import KeyStoreError, LedgerError, MalformedError, VerificationError

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
L = 2**252 + 27742317777372353535851937790883648493
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1)

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The complete addition law of RFC 8032, section 5.1, in affine coordinates."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - t, -1, P)
    return x % P, y % P


def square_root(square: int) -> int | None:
    """A root modulo p = 5 (mod 8), or None."""
    root = pow(square, (P + 3) // 8, P)
    for candidate in (root, root * SQRT_MINUS_1 % P):
        if candidate * candidate % P == square % P:
            return candidate
    return None


def encode(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def torsion() -> list[Point]:
    """The eight multiples of a point of order 8, found from the curve equation alone."""
    root = square_root(1 + D)
    assert root is not None
    for numerator in (-1 + root, -1 - root):
        # y^2 = (-1 +- sqrt(1 + d)) / d and x^2 = -y^2.
        y = square_root(numerator * pow(D, -1, P) % P)
        if y is not None and (x := square_root(-y * y)) is not None:
            points = [IDENTITY]
            for _ in range(7):
                points.append(add(points[-1], (x, y)))
            return points
    raise AssertionError("no point of order 8")


TORSION = torsion()
# Every encoding that decodes to a point of small order: both signs, and y + p where it fits.
SMALL_ORDER_ENCODINGS = sorted(
    {
        encode(y, sign)
        for _, small in TORSION
        for y in (small, small + P)
        if y < 2**255
        for sign in (0, 1)
    }
)


def test_the_torsion_group_is_what_it_should_be() -> None:
    assert len(set(TORSION)) == 8
    assert add(TORSION[7], TORSION[1]) == IDENTITY
    assert len(SMALL_ORDER_ENCODINGS) == 14


@pytest.mark.parametrize("encoded", SMALL_ORDER_ENCODINGS, ids=bytes.hex)
def test_small_order_keys_are_refused(encoded: bytes) -> None:
    with pytest.raises(MalformedError, match=r"small order|canonical"):
        PublicKey(encoded)


def test_the_library_alone_would_accept_a_forgery() -> None:
    """Why the check exists: R = identity, S = 0 verifies for any message."""
    identity, forged = encode(1, 0), encode(1, 0) + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"anything")
    with pytest.raises(MalformedError):
        PublicKey(identity)


@pytest.mark.parametrize("y", range(P, 2**255))
@pytest.mark.parametrize("sign", [0, 1])
def test_non_canonical_keys_are_refused(y: int, sign: int) -> None:
    with pytest.raises(MalformedError, match="canonical"):
        PublicKey(encode(y, sign))


@pytest.mark.parametrize("y", [1, P - 1])
def test_sign_bit_where_x_is_zero_is_refused(y: int) -> None:
    with pytest.raises(MalformedError):
        PublicKey(encode(y, 1))


def test_a_point_is_accepted_exactly_if_on_the_curve() -> None:
    accepted = 0
    for y in range(2, 200):
        x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        if square_root(x2) is None:
            with pytest.raises(MalformedError, match="not a point"):
                PublicKey(encode(y, 0))
        else:
            accepted += 1
            assert bytes(PublicKey(encode(y, 1))) == encode(y, 1)
    assert 60 < accepted < 140


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_keys_and_seeds_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(MalformedError):
        PublicKey(bytes(size))
    with pytest.raises(MalformedError):
        PrivateKey.from_seed(bytes(size))


def test_rfc_8032_section_7_1_test_2() -> None:
    key = PrivateKey.from_seed(
        bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    )
    assert bytes(key.public_key).hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_every_flipped_bit_of_a_signature_is_refused() -> None:
    key = PrivateKey.from_seed(bytes(32))
    signature = key.sign(b"message")
    key.public_key.verify(signature, b"message")
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationError):
            key.public_key.verify(bytes(flipped), b"message")


def test_s_not_reduced_modulo_l_is_refused() -> None:
    key = PrivateKey.from_seed(bytes(32))
    signature = key.sign(b"message")
    s = int.from_bytes(signature[32:], "little")
    for multiple in range(1, 16):
        if s + multiple * L >= 2**256:
            break
        malleable = signature[:32] + (s + multiple * L).to_bytes(32, "little")
        with pytest.raises(VerificationError):
            key.public_key.verify(malleable, b"message")
    assert multiple > 8


@pytest.mark.parametrize("size", [0, 63, 65])
def test_signatures_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(VerificationError):
        PrivateKey.from_seed(bytes(32)).public_key.verify(bytes(size), b"message")


def test_another_message_and_another_key_are_refused() -> None:
    key, other = PrivateKey.from_seed(bytes(32)), PrivateKey.generate()
    with pytest.raises(VerificationError):
        key.public_key.verify(key.sign(b"message"), b"messagf")
    with pytest.raises(VerificationError):
        other.public_key.verify(key.sign(b"message"), b"message")


@settings(max_examples=25, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_every_generated_key_is_accepted_and_round_trips(seed: bytes, message: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    again = PublicKey(bytes(key.public_key))
    assert again == key.public_key
    assert hash(again) == hash(key.public_key)
    again.verify(key.sign(message), message)
    assert PrivateKey.from_pem(key.to_pem()).public_key == key.public_key


def test_nothing_printed_shows_the_secret() -> None:
    seed = bytes(range(32))
    key = PrivateKey.from_seed(seed)
    assert seed.hex() not in repr(key)
    assert bytes(key.public_key).hex() in repr(key)


def test_pem_files_that_hold_no_ed25519_key_are_refused() -> None:
    other_curve = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    pem = PrivateKey.from_seed(b"r" * 32).to_pem()
    # 32 bytes that say they are an X448 key (56 bytes): OpenSSL fails late on these.
    misnamed = pem.replace(b"K2VwBC", b"K2VvBC")
    assert misnamed != pem
    for bad in (
        b"",
        b"nonsense",
        other_curve,
        misnamed,
        pem[: len(pem) // 2],
        pem.replace(b"M", b"N", 1),
    ):
        with pytest.raises(KeyStoreError):
            PrivateKey.from_pem(bad)


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=30, max_size=34))
def test_arbitrary_bytes_are_a_key_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(LedgerError):
        assert bytes(PublicKey(data)) == data
