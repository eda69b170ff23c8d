"""Run the verifier in this process: accept a proof, or see it refused, for a reason if given."""

from __future__ import annotations

import atexit
import functools
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from cryptography.exceptions import InvalidSignature

from tests.independent import verify_claim
from tests.independent.proof_maker import ROBOT, proof_of


@dataclass(frozen=True, slots=True)
class FileInMemory:
    """What the verifier needs of a path to a proof; tens of thousands of them are tried."""

    data: bytes

    def read_bytes(self) -> bytes:
        return self.data


@functools.cache
def chunk_folder() -> Path:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def chunk_file(data: bytes) -> str:
    path = chunk_folder() / hashlib.sha256(data).hexdigest()
    if not path.exists():
        path.write_bytes(data)
    return str(path)


def accept(
    proof: str | bytes,
    vkey: str = ROBOT.vkey,
    recording: Path | None = None,
    chunk: tuple[int, bytes] | None = None,
) -> str:
    proof_file = FileInMemory(proof.encode() if isinstance(proof, str) else proof)
    asked = None if chunk is None else (str(chunk[0]), chunk_file(chunk[1]))
    return verify_claim.verify(cast(Path, proof_file), vkey, recording, asked)


def refuse(
    proof: str | bytes,
    why: str = "",
    vkey: str = ROBOT.vkey,
    recording: Path | None = None,
    chunk: tuple[int, bytes] | None = None,
) -> None:
    """Refused because of `why`, a pattern; "signature" where one does not verify."""
    bad_signature = why == "signature"
    with pytest.raises(
        InvalidSignature if bad_signature else (ValueError, InvalidSignature),
        match=None if bad_signature or not why else why,
    ):
        accept(proof, vkey, recording, chunk)


def refuse_entry(leaf_entry: bytes, why: str) -> None:
    refuse(proof_of(leaf_entry), why)
