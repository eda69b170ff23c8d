"""The generated code is what the schema gives."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import ledger.schema

SCHEMA = Path(ledger.schema.__file__).parent
GENERATE = Path(__file__).resolve().parents[3] / "script" / "generate-schema"


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    try:
        metadata.version("grpcio-tools")
    except metadata.PackageNotFoundError:
        pytest.skip("SKIPPED: grpcio-tools is not installed (pip install 'quipu-ledger[dev]')")
    environment = {**os.environ, "PYTHON": sys.executable}
    subprocess.run([GENERATE, tmp_path], check=True, env=environment, timeout=60)
    made = {path.name: path.read_text() for path in (tmp_path / "ledger" / "schema").iterdir()}
    kept = {path.name: path.read_text() for path in SCHEMA.glob("*_pb2.py*")}
    protos = [path.stem for path in SCHEMA.glob("*.proto")]
    assert "entry" in protos
    assert set(made) == {f"{name}_pb2.{kind}" for name in protos for kind in ("py", "pyi")}
    assert made == kept, "run script/generate-schema and commit what it writes"
