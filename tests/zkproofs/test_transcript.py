"""The sponge against the draft's vectors; the transcript against a rewrite of its format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkproofs import transcript as module
from zkproofs.errors import ParameterError
from zkproofs.group import ORDER, Group, using
from zkproofs.transcript import (
    DuplexSponge,
    Transcript,
    decode_challenge,
    derive_session_id,
)


def cases(vectors: Path, function: str) -> list[dict[str, Any]]:
    folder = vectors / "sigma-fiat-shamir"
    table = json.loads((folder / "fiatShamirShake128Vectors.json").read_bytes())
    found = [case for case in table if case["Function"] == function]
    assert found
    return found


def run_sponge(case: dict[str, Any]) -> bytes:
    sponge = DuplexSponge(bytes.fromhex(case["SessionId"]))
    squeezed = b""
    for operation in case["Operations"]:
        if operation["type"] == "absorb":
            sponge.absorb(bytes.fromhex(operation["data"]))
        else:
            squeezed += sponge.squeeze(operation["length"])
    return squeezed


def test_sponge_vectors(vectors: Path) -> None:
    for case in cases(vectors, "DuplexSponge"):
        assert run_sponge(case).hex() == case["Output"], case["Name"]


def test_session_id_vectors(vectors: Path) -> None:
    for case in cases(vectors, "DeriveSessionID"):
        assert derive_session_id(bytes.fromhex(case["Tag"])).hex() == case["Output"]


def test_challenge_vectors(vectors: Path) -> None:
    # The draft's case is of another field: 48 bytes, little-endian, modulo its order.
    for case in cases(vectors, "DecodeUint"):
        squeezed = run_sponge(case)
        assert squeezed.hex() == case["Output"]
        reduced = int.from_bytes(squeezed, "little") % int(case["Modulus"], 16)
        assert reduced == int(case["Challenge"], 16)


@given(st.binary(min_size=48, max_size=48))
def test_challenges_are_little_endian_modulo_the_order(data: bytes) -> None:
    assert int(decode_challenge(data)) == int.from_bytes(data, "little") % ORDER


def test_order_of_the_group_decodes_to_zero(backend: Group) -> None:
    assert decode_challenge(ORDER.to_bytes(48, "little")) == backend.scalar(0)


@pytest.mark.parametrize("size", [0, 31, 33, 168])
def test_a_session_id_has_32_bytes(size: int) -> None:
    with pytest.raises(ParameterError):
        DuplexSponge(bytes(size))


# --- the framing, written down a second time -----------------------------------------------

CONTEXT, BYTES, POINT, SCALAR, U64, CHALLENGE = range(6)


def framed(kind: int, label: bytes, data: bytes) -> bytes:
    parts = (bytes([kind]), len(label).to_bytes(4, "little"), label)
    return b"".join((*parts, len(data).to_bytes(4, "little"), data))


def squeezed_from(protocol: bytes, absorbed: bytes) -> bytes:
    def shake(data: bytes, size: int) -> bytes:
        return hashlib.shake_128(data).digest(size)

    tag = b"QUIPU-ZKPROOFS-V1-TRANSCRIPT:" + protocol
    session_id = shake(b"irtf-cfrg-fiat-shamir/session-id" + bytes(136) + tag, 32)
    return shake(session_id + bytes(136) + absorbed, 48)


def test_the_format_is_as_documented(backend: Group) -> None:
    point, scalar = backend.g1 * backend.scalar(9), backend.scalar(-9)
    transcript = Transcript(b"test/v1", b"context")
    transcript.append_bytes(b"data", b"\0\1")
    transcript.append_u64(b"n", 64)
    transcript.append_point(b"V", point)
    transcript.append_points(b"LR", [point, backend.g1_identity])
    transcript.append_scalar(b"t", scalar)
    transcript.append_scalars(b"ab", [scalar, scalar])
    first, second = transcript.challenge(b"x"), transcript.challenge(b"y")

    v, t = backend.encode_g1(point), backend.encode_scalar(scalar)
    absorbed = b"".join(
        [
            framed(CONTEXT, b"", b"context"),
            framed(BYTES, b"data", b"\0\1"),
            framed(U64, b"n", bytes([0, 0, 0, 0, 0, 0, 0, 64])),
            framed(POINT, b"V", v),
            framed(POINT, b"LR", v + b"\xc0" + bytes(47)),
            framed(SCALAR, b"t", t),
            framed(SCALAR, b"ab", t + t),
            framed(CHALLENGE, b"x", b""),
        ]
    )
    squeezed = squeezed_from(b"test/v1", absorbed)
    assert int(first) == int.from_bytes(squeezed, "little") % ORDER
    absorbed += framed(CHALLENGE, b"x", squeezed) + framed(CHALLENGE, b"y", b"")
    again = squeezed_from(b"test/v1", absorbed)
    assert int(second) == int.from_bytes(again, "little") % ORDER


def test_a_frozen_challenge_stays(backend: Group) -> None:
    transcript = Transcript(b"frozen", b"")
    transcript.append_point(b"P", backend.g1)
    challenge = backend.encode_scalar(transcript.challenge(b"c")).hex()
    assert challenge == "60322b25be1cff8fff07c08553d0dee142241dad85061f82f21bddd624364e56"


Message = tuple[str, bytes, Any]

MESSAGES = st.one_of(
    st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=3), st.binary(max_size=9)),
    st.tuples(
        st.just("u64"),
        st.binary(min_size=1, max_size=3),
        st.integers(0, 3) | st.integers(0, 2**64 - 1),
    ),
    st.tuples(st.just("scalar"), st.binary(min_size=1, max_size=3), st.integers(0, 3)),
    st.tuples(
        st.just("points"),
        st.binary(min_size=1, max_size=3),
        st.lists(st.integers(0, 2), max_size=2).map(tuple),
    ),
    st.tuples(st.just("challenge"), st.binary(min_size=1, max_size=3), st.none()),
)


def last_challenge(protocol: bytes, context: bytes, messages: list[Message]) -> int:
    with using("arkworks") as backend:
        transcript = Transcript(protocol, context)
        for kind, label, value in messages:
            if kind == "bytes":
                transcript.append_bytes(label, value)
            elif kind == "u64":
                transcript.append_u64(label, value)
            elif kind == "scalar":
                transcript.append_scalar(label, backend.scalar(value))
            elif kind == "points":
                points = [backend.g1 * backend.scalar(k) for k in value]
                transcript.append_points(label, points)
            else:
                transcript.challenge(label)
        return int(transcript.challenge(b"end"))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(min_size=1, max_size=4), st.binary(max_size=4), st.lists(MESSAGES, max_size=4),
    st.binary(min_size=1, max_size=4), st.binary(max_size=4), st.lists(MESSAGES, max_size=4),
)  # fmt: skip
def test_equal_challenges_mean_equal_messages(
    protocol: bytes, context: bytes, messages: list[Message],
    other_protocol: bytes, other_context: bytes, other_messages: list[Message],
) -> None:  # fmt: skip
    one = (protocol, context, messages)
    other = (other_protocol, other_context, other_messages)
    assert (last_challenge(*one) == last_challenge(*other)) == (one == other)
    assert last_challenge(*one) == last_challenge(*one)


def test_nothing_can_move_between_frames() -> None:
    variants: list[tuple[bytes, bytes, list[Message]]] = [
        (b"p", b"", [("bytes", b"ab", b"c")]),
        (b"p", b"", [("bytes", b"a", b"bc")]),
        (b"p", b"", [("bytes", b"a", b"b"), ("bytes", b"c", b"")]),
        (b"p", b"", [("bytes", b"c", b""), ("bytes", b"a", b"b")]),
        (b"p", b"a", [("bytes", b"b", b"c")]),
        (b"pa", b"", [("bytes", b"b", b"c")]),
        (b"p", b"", [("bytes", b"n", (5).to_bytes(8, "big"))]),
        (b"p", b"", [("u64", b"n", 5)]),
        (b"p", b"", [("bytes", b"n", (5).to_bytes(32, "big"))]),
        (b"p", b"", [("scalar", b"n", 5)]),
        (b"p", b"", [("points", b"n", (1, 1))]),
        (b"p", b"", [("points", b"n", (1,)), ("points", b"n", (1,))]),
        (b"p", b"", [("points", b"n", ())]),
        (b"p", b"", [("challenge", b"n", None)]),
        (b"p", b"", []),
    ]
    challenges = [last_challenge(*variant) for variant in variants]
    assert len(set(challenges)) == len(variants)


def test_one_point_is_the_same_message_as_a_list_of_it(backend: Group) -> None:
    one, other = Transcript(b"p", b""), Transcript(b"p", b"")
    one.append_point(b"V", backend.g1)
    other.append_points(b"V", [backend.g1])
    assert one.challenge(b"x") == other.challenge(b"x")


def test_challenges_with_one_label_differ(backend: Group) -> None:
    transcript = Transcript(b"p", b"")
    assert len({int(transcript.challenge(b"x")) for _ in range(20)}) == 20


def test_a_zero_challenge_is_drawn_again(backend: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []

    def decode(data: bytes) -> object:
        drawn.append(data)
        return backend.scalar(0 if len(drawn) < 3 else 7)

    monkeypatch.setattr(module, "decode_challenge", decode)
    assert int(Transcript(b"p", b"").challenge(b"x")) == 7
    assert len(set(drawn)) == 3


@pytest.mark.parametrize(
    "misuse",
    [
        lambda _: Transcript(b"", b""),
        lambda _: Transcript("p", b""),  # type: ignore[arg-type]
        lambda _: Transcript(b"p", None),  # type: ignore[arg-type]
        lambda t: t.append_bytes(b"", b"x"),
        lambda t: t.append_bytes("l", b"x"),
        lambda t: t.append_bytes(b"l", "x"),
        lambda t: t.append_bytes(b"l", 3),
        lambda t: t.append_u64(b"l", -1),
        lambda t: t.append_u64(b"l", 1 << 64),
        lambda t: t.append_u64(b"l", 1.0),
        lambda t: t.append_point(b"l", b"x" * 48),
        lambda t: t.append_point(b"l", None),
        lambda t: t.append_points(b"l", [None]),
        lambda t: t.append_scalar(b"l", 5),
        lambda t: t.append_scalars(b"l", [5]),
        lambda t: t.challenge(b""),
        lambda t: t.challenge(None),
    ],
)
def test_misuse_is_typed(backend: Group, misuse: Callable[[Any], object]) -> None:
    with pytest.raises(ParameterError):
        misuse(Transcript(b"p", b""))
