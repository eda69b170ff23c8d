"""Generators: published, distinct, lazy, the same in every backend."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from zkproofs.errors import ParameterError
from zkproofs.group import Group, using
from zkproofs.group.generators import DST, MAX_GENERATORS, generators

ROOT = Path(__file__).resolve().parents[2]

# SHA-256 of the first points of a tag, encoded and joined. These may never change: old
# commitments and proofs are relative to them.
FROZEN = {
    (b"pedersen", 2): "7dc5b7f5464fe1de1ca5f5d49a27505ee3470ccb2c2bae9346ecaad12be5cc39",
    (b"G", 4): "94e395b6f0ef28c89499fdd4bb72ceee3ea11e9be14ccc1ac951ca07daebc0b5",
}


@pytest.mark.parametrize(("tag", "count"), FROZEN)
def test_published_points_stay(backend: Group, tag: bytes, count: int) -> None:
    joined = b"".join(map(backend.encode_g1, generators(tag, count)))
    assert hashlib.sha256(joined).hexdigest() == FROZEN[tag, count]


def test_each_is_the_hash_of_tag_and_number(backend: Group) -> None:
    for i, point in enumerate(generators(b"number", 3)):
        assert point == backend.hash_to_g1(b"number" + bytes([0, 0, 0, i]), DST)


def test_fewer_are_a_prefix_of_more(backend: Group) -> None:
    more = generators(b"prefix", 6)
    assert generators(b"prefix", 2) == more[:2]
    assert generators(b"prefix", 7)[:6] == more
    assert generators(b"prefix", 0) == ()


def test_no_two_are_equal_and_none_is_special() -> None:
    with using("arkworks") as backend:
        points = [*generators(b"a", 200), *generators(b"b", 200), *generators(b"a\0\0\0\0", 200)]
        special = [backend.g1, -backend.g1, backend.g1_identity]
        assert len({backend.encode_g1(point) for point in points + special}) == 603


def test_a_backend_never_gets_the_points_of_another() -> None:
    with using("arkworks"):
        first = generators(b"mine", 1)[0]
    with using("py_ecc"):
        second = generators(b"mine", 1)[0]
    with using("arkworks"):
        assert generators(b"mine", 1)[0] == first != second


@pytest.mark.parametrize(
    ("tag", "count"),
    [
        (b"", 1),
        ("G", 1),
        (None, 1),
        (b"G", -1),
        (b"G", MAX_GENERATORS + 1),
        (b"G", "1"),
        (b"G", 1.0),
    ],
)
def test_misuse_is_typed(backend: Group, tag: bytes, count: int) -> None:
    with pytest.raises(ParameterError):
        generators(tag, count)


def test_none_is_made_before_it_is_asked_for() -> None:
    program = (
        "from zkproofs import pedersen, sigma, transcript\n"
        "from zkproofs.group import generators as module\n"
        "import sys; sys.exit(len(module._made))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == 0
