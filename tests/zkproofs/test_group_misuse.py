"""Every misuse of a backend is answered with the kit's own errors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.zkproofs.conftest import BACKENDS
from zkproofs.errors import DecodingError, ParameterError, ProofError
from zkproofs.group import ORDER, Expander, Group, group, using
from zkproofs.group.expand import FIELD_MODULUS

ROOT = Path(__file__).resolve().parents[2]
NO_BYTES: list[Any] = ["x" * 48, None, 48, [0] * 48, bytearray(48), memoryview(bytes(48))]


GENERATOR = (
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
    "6c55e83ff97a1aeffb3af00adb22c6bb"
)


def other_than(backend: Group) -> str:
    return next(name for name in BACKENDS if name != backend.name)


def test_lengths_of_sums_are_checked(backend: Group) -> None:
    one = backend.scalar(1)
    for points, scalars in (([backend.g1], []), ([], [one]), ([backend.g1], [one, one])):
        with pytest.raises(ParameterError):
            backend.msm(points, scalars)
        with pytest.raises(ParameterError):
            backend.msm_public(points, scalars)
    for points, scalars in (([backend.g2], []), ([], [one]), ([backend.g2], [one, one])):
        with pytest.raises(ParameterError):
            backend.msm_g2(points, scalars)


def test_identity_is_refused_unless_allowed(backend: Group) -> None:
    for size, decode, identity in (
        (48, backend.decode_g1, backend.g1_identity),
        (96, backend.decode_g2, backend.g2_identity),
    ):
        encoded = b"\xc0" + bytes(size - 1)
        with pytest.raises(DecodingError, match="is the identity"):
            decode(encoded)
        assert decode(encoded, allow_identity=True) == identity


def test_infinity_has_one_encoding(backend: Group) -> None:
    for size, decode in ((48, backend.decode_g1), (96, backend.decode_g2)):
        canonical = b"\xc0" + bytes(size - 1)
        wrong = [bytes([first]) + canonical[1:] for first in (0x40, 0x60, 0xE0, 0xC1, 0xFF)]
        wrong += [canonical[:place] + b"\1" + canonical[place + 1 :] for place in range(1, size)]
        for data in wrong:
            with pytest.raises(DecodingError):
                decode(data, allow_identity=True)


def test_a_library_that_reads_leniently_is_not_trusted(
    backend: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend.name == "arkworks":
        from zkproofs.group import arkworks

        lenient = SimpleNamespace(from_compressed_bytes=lambda _: backend.g1)
        monkeypatch.setattr(arkworks, "_G1", lenient)
    else:
        from zkproofs.group import py_ecc

        monkeypatch.setattr(py_ecc, "compression", SimpleNamespace(**vars(py_ecc.compression)))
        monkeypatch.setattr(py_ecc.compression, "decompress_G1", lambda _: py_ecc.curve.G1)
    encoded = bytes.fromhex(GENERATOR)
    assert backend.decode_g1(encoded) == backend.g1
    with pytest.raises(DecodingError):
        backend.decode_g1(bytes([encoded[0] ^ 0x20]) + encoded[1:])


@pytest.mark.parametrize("data", [b"", b"\x80", bytes(500)])
def test_wrong_lengths_are_refused(backend: Group, data: bytes) -> None:
    for decode in (backend.decode_scalar, backend.decode_g1, backend.decode_g2):
        with pytest.raises(DecodingError):
            decode(data)


@pytest.mark.parametrize("data", NO_BYTES, ids=lambda data: type(data).__name__)
def test_what_is_not_bytes_is_refused(backend: Group, data: Any) -> None:
    for decode in (backend.decode_scalar, backend.decode_g1, backend.decode_g2):
        with pytest.raises(ParameterError):
            decode(data)
    for hash_to in (backend.hash_to_g1, backend.hash_to_g2):
        for expander in (Expander.XMD_SHA256, Expander.XOF_SHAKE256):
            with pytest.raises(ParameterError):
                hash_to(data, b"tag", expander)
            with pytest.raises(ParameterError):
                hash_to(b"m", data, expander)


def test_hashing_needs_a_tag(backend: Group) -> None:
    for expander in Expander:
        with pytest.raises(ParameterError):
            backend.hash_to_g1(b"m", b"", expander)
        with pytest.raises(ParameterError):
            backend.hash_to_g2(b"m", b"", expander)
    with pytest.raises(ParameterError):
        backend.hash_to_g1(b"m", b"tag", "XMD:SHA-256")  # type: ignore[arg-type]


def test_maps_take_field_elements(backend: Group) -> None:
    wrong: list[Any] = [-1, FIELD_MODULUS, 1 << 400, "1", 1.0, None]
    for element in wrong:
        with pytest.raises(ParameterError):
            backend.map_to_g1(element)
        with pytest.raises(ParameterError):
            backend.map_to_g2((0, element))
        with pytest.raises(ParameterError):
            backend.map_to_g2((element, 0))


def test_scalars_are_made_of_ints(backend: Group) -> None:
    wrong: list[Any] = ["1", 1.0, None, b"1", backend.scalar(1)]
    for value in wrong:
        with pytest.raises(ParameterError):
            backend.scalar(value)


def test_zero_has_no_inverse(backend: Group) -> None:
    with pytest.raises(ParameterError, match="zero has no inverse"):
        backend.inverse(backend.scalar(ORDER))


def test_a_product_of_no_pairings_is_refused(backend: Group) -> None:
    with pytest.raises(ParameterError):
        backend.pairing_product_is_one([])


def test_elements_of_another_kind_or_backend_are_refused(backend: Group) -> None:
    with using(other_than(backend)) as other:
        foreign: list[Any] = [other.g1, other.g2, other.scalar(1)]
    foreign += [None, 1, b"x"]
    point, point2, scalar = backend.g1, backend.g2, backend.scalar(1)
    anything: Any
    for anything in [*foreign, point2, scalar]:
        for call in (
            lambda wrong: backend.encode_g1(wrong),
            lambda wrong: backend.msm([point, wrong], [scalar, scalar]),
            lambda wrong: backend.msm_public([point, wrong], [scalar, -scalar]),
            lambda wrong: backend.pairing(wrong, point2),
            lambda wrong: backend.pairing_product_is_one([(wrong, point2)]),
        ):
            with pytest.raises(ParameterError):
                call(anything)
    for anything in [*foreign, point, scalar]:
        for call in (
            lambda wrong: backend.encode_g2(wrong),
            lambda wrong: backend.msm_g2([wrong], [scalar]),
            lambda wrong: backend.pairing(point, wrong),
            lambda wrong: backend.pairing_product_is_one([(point, wrong)]),
        ):
            with pytest.raises(ParameterError):
                call(anything)
    for anything in [*foreign, point, point2]:
        for call in (
            lambda wrong: backend.encode_scalar(wrong),
            lambda wrong: backend.inverse(wrong),
            lambda wrong: backend.msm([point], [wrong]),
            lambda wrong: backend.msm_public([point], [wrong]),
            lambda wrong: backend.msm_g2([point2], [wrong]),
        ):
            with pytest.raises(ParameterError):
                call(anything)


def test_operators_do_not_mix_kinds(backend: Group) -> None:
    with using(other_than(backend)) as other:
        foreign_point: Any = other.g1
        foreign_scalar: Any = other.scalar(1)
    point: Any = backend.g1
    scalar: Any = backend.scalar(1)
    for wrong in (foreign_point, backend.g2, scalar, 0, None):
        with pytest.raises(TypeError):
            point + wrong
        with pytest.raises(TypeError):
            point - wrong
        assert point != wrong
    for wrong in (foreign_scalar, foreign_point, point, 3, None):
        with pytest.raises(TypeError):
            point * wrong
    for wrong in (foreign_scalar, point, 3, None):
        for operate in (
            lambda other: scalar + other,
            lambda other: scalar - other,
            lambda other: scalar * other,
        ):
            with pytest.raises(TypeError):
                operate(wrong)
        assert scalar != wrong


def test_messages_are_one_line_and_kept() -> None:
    with pytest.raises(ProofError) as caught, using("no such\nbackend"):
        pass
    assert isinstance(caught.value, ParameterError)
    assert caught.value.message == str(caught.value)
    assert "\n" not in str(caught.value)


def test_using_ends_with_its_block() -> None:
    outer = group().name
    with using("py_ecc") as chosen:
        assert group() is chosen
        with using("arkworks"):
            assert group().name == "arkworks"
        assert group() is chosen
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(group().name))
        thread.start()
        thread.join()
    assert group().name == outer
    with pytest.raises(ZeroDivisionError), using("py_ecc"):
        raise ZeroDivisionError
    assert group().name == outer


def run(program: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


NAME = "from zkproofs.group import group; print(group().name)"


def test_a_process_runs_on_the_default_or_what_the_environment_names() -> None:
    assert run(NAME, ZKPROOFS_BACKEND="") == "arkworks"
    assert run(NAME, ZKPROOFS_BACKEND="py_ecc") == "py_ecc"


def test_an_unknown_or_missing_backend_is_a_parameter_error() -> None:
    failing = (
        "from zkproofs.errors import ParameterError\n"
        "from zkproofs.group import group\n"
        "try: group()\n"
        "except ParameterError as error: print(error)"
    )
    assert "no backend 'blst'" in run(failing, ZKPROOFS_BACKEND="blst")
    hidden = "import sys; sys.modules['py_arkworks_bls12381'] = None\n"
    assert "cannot be loaded" in run(hidden + failing, ZKPROOFS_BACKEND="arkworks")
    hidden = "import sys; sys.modules['py_ecc'] = None\n"
    assert "cannot be loaded" in run(hidden + failing, ZKPROOFS_BACKEND="py_ecc")


def test_importing_loads_no_backend_and_is_quick() -> None:
    program = (
        "import sys, time; start = time.perf_counter()\n"
        "import zkproofs, zkproofs.group, zkproofs.group.generators, zkproofs.pedersen\n"
        "import zkproofs.sigma, zkproofs.transcript\n"
        "print(time.perf_counter() - start)\n"
        "loaded = [n for n in sys.modules if n.startswith(('py_arkworks', 'py_ecc', 'eth_'))]\n"
        "sys.exit(', '.join(loaded) or None)"
    )
    assert min(float(run(program)) for _ in range(3)) < 0.3


def test_loading_py_ecc_leaves_the_recursion_limit_alone() -> None:
    program = (
        "import sys; from zkproofs.group import using\n"
        "before = sys.getrecursionlimit()\n"
        "with using('py_ecc') as backend: backend.hash_to_g2(b'm', b'tag')\n"
        "print(sys.getrecursionlimit() == before)"
    )
    assert run(program) == "True"
