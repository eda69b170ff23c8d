"""expand_message against RFC 9380's vectors, and at its edges."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from zkproofs.errors import ParameterError
from zkproofs.group import Expander, expand_message
from zkproofs.group.expand import FIELD_MODULUS, hash_to_field

TABLES = {
    "expand_message_xmd_SHA256_38": Expander.XMD_SHA256,
    "expand_message_xmd_SHA256_256": Expander.XMD_SHA256,  # a tag of more than 255 bytes
    "expand_message_xmd_SHA512_38": Expander.XMD_SHA512,
    "expand_message_xof_SHAKE128_36": Expander.XOF_SHAKE128,
    "expand_message_xof_SHAKE128_256": Expander.XOF_SHAKE128,  # likewise
    "expand_message_xof_SHAKE256_36": Expander.XOF_SHAKE256,
}


@pytest.mark.parametrize("name", TABLES)
def test_vectors_of_the_rfc(vectors: Path, name: str) -> None:
    table = json.loads((vectors / "rfc9380" / f"{name}.json").read_bytes())
    assert len(table["tests"]) == 10
    for case in table["tests"]:
        expanded = expand_message(
            case["msg"].encode(), table["DST"].encode(), int(case["len_in_bytes"], 16), TABLES[name]
        )
        assert expanded.hex() == case["uniform_bytes"]


def test_every_table_of_the_rfc_is_run(vectors: Path) -> None:
    found = {path.stem for path in (vectors / "rfc9380").glob("expand_message_*.json")}
    assert found == set(TABLES)


def test_a_long_tag_of_shake256_is_hashed_to_64_bytes() -> None:
    # No vector has this case: 2k/8 with k = 256, the hash's own strength.
    short = hashlib.shake_256(b"H2C-OVERSIZE-DST-" + b"t" * 256).digest(64)
    assert expand_message(b"m", b"t" * 256, 32, Expander.XOF_SHAKE256) == expand_message(
        b"m", short, 32, Expander.XOF_SHAKE256
    )


@pytest.mark.parametrize(
    ("expander", "longest"),
    [
        (Expander.XMD_SHA256, 255 * 32),
        (Expander.XMD_SHA512, 255 * 64),
        (Expander.XOF_SHAKE128, 65535),
        (Expander.XOF_SHAKE256, 65535),
    ],
)
def test_lengths_at_the_edge(expander: Expander, longest: int) -> None:
    assert len(expand_message(b"", b"tag", 1, expander)) == 1
    assert len(expand_message(b"", b"tag", longest, expander)) == longest
    for length in (0, -1, longest + 1, 1 << 40):
        with pytest.raises(ParameterError):
            expand_message(b"", b"tag", length, expander)


def test_a_tag_of_255_bytes_is_taken_as_it_is() -> None:
    tag = b"t" * 255
    whole = hashlib.shake_128(b"m" + bytes([0, 32]) + tag + b"\xff").digest(32)
    assert expand_message(b"m", tag, 32, Expander.XOF_SHAKE128) == whole
    assert expand_message(b"m", tag, 32) != expand_message(b"m", tag + b"t", 32)


@pytest.mark.parametrize("expander", Expander)
def test_misuse_is_typed(expander: Expander) -> None:
    for message, dst, length in (
        (b"m", b"", 32),
        ("m", b"tag", 32),
        (b"m", "tag", 32),
        (bytearray(b"m"), b"tag", 32),
        (None, b"tag", 32),
        (b"m", b"tag", "32"),
        (b"m", b"tag", 1.5),
    ):
        with pytest.raises(ParameterError):
            expand_message(message, dst, length, expander)  # type: ignore[arg-type]


def test_an_unknown_expander_is_refused() -> None:
    with pytest.raises(ParameterError):
        expand_message(b"m", b"tag", 32, "XMD:SHA-256")  # type: ignore[arg-type]


@pytest.mark.parametrize("expander", Expander)
def test_field_elements_are_64_uniform_bytes_each(expander: Expander) -> None:
    uniform = expand_message(b"m", b"tag", 192, expander)
    assert hash_to_field(b"m", b"tag", 3, expander) == tuple(
        int.from_bytes(uniform[start : start + 64], "big") % FIELD_MODULUS for start in (0, 64, 128)
    )
