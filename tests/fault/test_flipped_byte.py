"""A byte flipped anywhere in data.mdb: refused, or harmless, but never signed over.

LMDB answers some damage by dying; so every attempt is a child's.
"""

from __future__ import annotations

import os
import random
import shutil
import traceback
from collections import Counter
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import LedgerError
from ledger.merkle.hashing import leaf_hashes, tree_root
from tests.fault.crash_writer import ORIGIN, SIGNER, log_directory, open_log

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

FLIPS = 250
SIGNED_RIGHT, SIGNED_WRONG, REFUSED, LEAKED = 0, 10, 11, 12


def entries(start: int, stop: int) -> list[bytes]:
    return [b"entry %d " % index * 20 for index in range(start, stop)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    log = open_log(home)
    log.append(entries(0, 280))
    log.checkpoint([SIGNER])
    log.append(entries(280, 330))
    log.close()
    return home


def attempt(home: Path) -> int:
    """Open and sign in a child; how it ended."""
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LMDB's last words
        outcome = LEAKED
        try:
            outcome = sign(home)
        except LedgerError:
            outcome = REFUSED
        except BaseException:  # noqa: BLE001
            (home / "leaked").write_text(traceback.format_exc())
        os._exit(outcome)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def sign(home: Path) -> int:
    log = open_log(home)
    log.append([b"one more"])
    signed = open_checkpoint(log.checkpoint([SIGNER]), [SIGNER.verifier_key]).checkpoint
    # Fewer than 331 leaves: the flip hit LMDB's newest meta page, and the commit with it.
    everything = [*entries(0, signed.size - 1), b"one more"]
    right = Checkpoint(ORIGIN, len(everything), tree_root(leaf_hashes(everything)))
    return SIGNED_RIGHT if signed == right and signed.size in (281, 331) else SIGNED_WRONG


def test_a_flipped_byte_is_never_signed_over(home: Path, tmp_path: Path) -> None:
    chance = random.Random(1)
    data = (log_directory(home) / "data.mdb").read_bytes()
    outcomes: Counter[int] = Counter()
    for number in range(FLIPS):
        at = chance.randrange(len(data))
        flipped = data[:at] + bytes([data[at] ^ 1 << number % 8]) + data[at + 1 :]
        work = tmp_path / "work"
        shutil.copytree(home, work)
        (log_directory(work) / "data.mdb").write_bytes(flipped)
        outcome = attempt(work)
        outcomes[outcome] += 1
        leaked = (work / "leaked").read_text() if (work / "leaked").exists() else ""
        assert outcome not in (SIGNED_WRONG, LEAKED), f"byte {at} of data.mdb: {leaked or 'signed'}"
        shutil.rmtree(work)
    assert outcomes[SIGNED_RIGHT] and outcomes[REFUSED], outcomes


def test_the_unharmed_log_is_signed(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "work")
    assert attempt(tmp_path / "work") == SIGNED_RIGHT
