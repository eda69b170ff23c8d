"""Both backends against the public vectors for points and for hashing to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zkproofs.errors import DecodingError
from zkproofs.group import Group
from zkproofs.group.expand import FIELD_MODULUS, hash_to_field

# How much of a long table the slow backend runs.
SAMPLE = {"arkworks": 1000, "py_ecc": 12}
G2_SAMPLE = {"arkworks": 1000, "py_ecc": 4}

SIGN, COMPRESSED = 0x20, 0x80


def compressed_g1(x: int, y: int) -> bytes:
    flags = COMPRESSED | (SIGN if y > FIELD_MODULUS // 2 else 0)
    return _with_flags(x.to_bytes(48, "big"), flags)


def compressed_g2(x: tuple[int, int], y: tuple[int, int]) -> bytes:
    larger = (y[1] or y[0]) > FIELD_MODULUS // 2
    flags = COMPRESSED | (SIGN if larger else 0)
    return _with_flags(x[1].to_bytes(48, "big") + x[0].to_bytes(48, "big"), flags)


def _with_flags(data: bytes, flags: int) -> bytes:
    return bytes([data[0] | flags]) + data[1:]


def _pair(text: str) -> tuple[int, int]:
    c0, c1 = (int(part, 16) for part in text.split(","))
    return c0, c1


def _suite(vectors: Path, name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((vectors / "rfc9380" / f"{name}.json").read_bytes())
    assert len(table["vectors"]) == 5
    return table


def _multiples(vectors: Path, name: str) -> list[bytes]:
    table = json.loads((vectors / "zkcrypto" / f"{name}.json").read_bytes())
    points = [bytes.fromhex(point) for point in table["points"]]
    assert len(points) == 1000
    return points


def test_multiples_of_the_generator_of_g1(backend: Group, vectors: Path) -> None:
    point = backend.g1_identity
    for encoded in _multiples(vectors, "g1_compressed")[: SAMPLE[backend.name]]:
        assert backend.encode_g1(point) == encoded
        assert backend.decode_g1(encoded, allow_identity=True) == point
        point += backend.g1


def test_multiples_of_the_generator_of_g2(backend: Group, vectors: Path) -> None:
    point = backend.g2_identity
    for encoded in _multiples(vectors, "g2_compressed")[: G2_SAMPLE[backend.name]]:
        assert backend.encode_g2(point) == encoded
        assert backend.decode_g2(encoded, allow_identity=True) == point
        point += backend.g2


def test_uncompressed_encodings_are_refused(backend: Group, vectors: Path) -> None:
    for encoded in _multiples(vectors, "g1_uncompressed"):
        with pytest.raises(DecodingError):
            backend.decode_g1(encoded, allow_identity=True)
    for encoded in _multiples(vectors, "g2_uncompressed"):
        with pytest.raises(DecodingError):
            backend.decode_g2(encoded, allow_identity=True)


@pytest.mark.parametrize(("folder", "expected"), [("G1", 16), ("G2", 18)])
def test_ethereum_deserialization(
    backend: Group, vectors: Path, folder: str, expected: int
) -> None:
    key, decode, encode = {
        "G1": ("pubkey", backend.decode_g1, backend.encode_g1),
        "G2": ("signature", backend.decode_g2, backend.encode_g2),
    }[folder]
    files = sorted((vectors / "bls-eth" / f"deserialization_{folder}").glob("*.json"))
    assert len(files) == expected
    for file in files:
        case = json.loads(file.read_bytes())
        data = bytes.fromhex(case["input"][key].removeprefix("0x"))
        if case["output"]:
            assert encode(decode(data, allow_identity=True)) == data, file.name
        else:
            with pytest.raises(DecodingError):
                decode(data, allow_identity=True)


def test_encodings_that_a_strict_decoder_refuses(backend: Group, vectors: Path) -> None:
    table = json.loads((vectors / "local-negative" / "g1_encoding.json").read_bytes())
    assert len(table["cases"]) == 6
    for case in table["cases"]:
        with pytest.raises(DecodingError):
            backend.decode_g1(bytes.fromhex(case["hex"]), allow_identity=True)


def test_ethereum_hash_to_g2(backend: Group, vectors: Path) -> None:
    files = sorted((vectors / "bls-eth" / "hash_to_G2").glob("*.json"))
    assert len(files) == 4
    for file in files[: G2_SAMPLE[backend.name]]:
        case = json.loads(file.read_bytes())
        point = backend.hash_to_g2(
            case["input"]["msg"].encode(), b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_"
        )
        expected = compressed_g2(_pair(case["output"]["x"]), _pair(case["output"]["y"]))
        assert backend.encode_g2(point) == expected


def test_hash_to_g1(backend: Group, vectors: Path) -> None:
    table = _suite(vectors, "BLS12381G1_XMD-SHA-256_SSWU_RO_")
    for case in table["vectors"]:
        message, dst = case["msg"].encode(), table["dst"].encode()
        expected = compressed_g1(int(case["P"]["x"], 16), int(case["P"]["y"], 16))
        assert backend.encode_g1(backend.hash_to_g1(message, dst)) == expected
        field = hash_to_field(message, dst, 2)
        assert field == tuple(int(u, 16) for u in case["u"])
        mapped = backend.map_to_g1(field[0]) + backend.map_to_g1(field[1])
        assert backend.encode_g1(mapped) == expected


def test_encode_to_g1(backend: Group, vectors: Path) -> None:
    table = _suite(vectors, "BLS12381G1_XMD-SHA-256_SSWU_NU_")
    for case in table["vectors"]:
        (u,) = hash_to_field(case["msg"].encode(), table["dst"].encode(), 1)
        assert u == int(case["u"][0], 16)
        expected = compressed_g1(int(case["P"]["x"], 16), int(case["P"]["y"], 16))
        assert backend.encode_g1(backend.map_to_g1(u)) == expected


def test_hash_to_g2(backend: Group, vectors: Path) -> None:
    table = _suite(vectors, "BLS12381G2_XMD-SHA-256_SSWU_RO_")
    for case in table["vectors"][: G2_SAMPLE[backend.name]]:
        message, dst = case["msg"].encode(), table["dst"].encode()
        expected = compressed_g2(_pair(case["P"]["x"]), _pair(case["P"]["y"]))
        assert backend.encode_g2(backend.hash_to_g2(message, dst)) == expected
        field = hash_to_field(message, dst, 4)
        assert [field[:2], field[2:]] == [_pair(u) for u in case["u"]]


def test_encode_to_g2(backend: Group, vectors: Path) -> None:
    table = _suite(vectors, "BLS12381G2_XMD-SHA-256_SSWU_NU_")
    for case in table["vectors"][: G2_SAMPLE[backend.name]]:
        c0, c1 = hash_to_field(case["msg"].encode(), table["dst"].encode(), 2)
        assert (c0, c1) == _pair(case["u"][0])
        expected = compressed_g2(_pair(case["P"]["x"]), _pair(case["P"]["y"]))
        assert backend.encode_g2(backend.map_to_g2((c0, c1))) == expected
