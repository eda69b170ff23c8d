"""The process that gets killed: appends, signs, and says so only when it is true.

Lines to the pipe::

    B <start> <count>    a batch of entries is about to be appended
    A <index> <leaf hash> ...   one line for a batch that was appended
    C <size> <root>      a checkpoint was signed

Killed, it never got further than its last line says, and at most one step beyond.
"""

from __future__ import annotations

import os
import random
from hashlib import sha256
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.errors import CorruptStoreError
from ledger.log import Log
from ledger.note import NoteSigner, SignedNote
from ledger.published import PublishedCheckpoint
from ledger.storage.lmdb import LmdbStorage

ORIGIN = "robots.example/victim"
SIGNER = NoteSigner(ORIGIN, PrivateKey.from_seed(b"victim" + bytes(26)))


def log_directory(home: Path) -> Path:
    """Where a home has its log."""
    return home / "log"


def published_in(home: Path) -> PublishedCheckpoint:
    """What the home published."""
    return PublishedCheckpoint(home / "published", log_id(ORIGIN))


def open_log(home: Path) -> Log:
    """Open the log, or make what a death in its making left undone."""
    directory = log_directory(home)
    if not directory.exists():
        storage = LmdbStorage.create(directory)
        return Log.create(storage, ORIGIN, SIGNER.verifier_key, published_in(home))
    storage = LmdbStorage.open_writer(directory)
    try:
        return Log.open(storage, published_in(home))
    except CorruptStoreError as error:
        if "no log in it" not in error.message:
            raise
        return Log.create(storage, ORIGIN, SIGNER.verifier_key, published_in(home))


def write_log(home: Path, seed: int, batches: int, pipe: int) -> None:
    """Append ``batches`` batches, of entries made from ``seed``, and sign now and then."""
    chance = random.Random(seed)
    log = open_log(home)
    for number in range(batches):
        count = chance.choice([1, 1, 1, 3, 40, 300])
        longest = chance.choice([300, 300, 300, 60_000 if count < 40 else 3000])
        entries = [chance.randbytes(chance.randint(0, longest)) for _ in range(count)]
        os.write(pipe, b"B %d %d\n" % (log.size, count))
        indices = log.append(entries)
        hashes = " ".join(sha256(b"\0" + entry).hexdigest() for entry in entries)
        os.write(pipe, f"A {indices.start} {hashes}\n".encode())
        if number % 3 == 1:
            note = log.checkpoint([SIGNER])
            _, size, root, _ = SignedNote.parse(note).text.split("\n")
            os.write(pipe, f"C {size} {root}\n".encode())
    log.close()
