"""A robot's home: where its log, its recordings and its keys are.

::

    HOME/log/               LMDB (ledger.storage.lmdb)
    HOME/content/           recordings (ledger.experience.content_store)
    HOME/incoming/          recordings on their way in
    HOME/keys/signing/      the robot's private keys
    HOME/keys/witness/      the key that it cosigns other logs with
    HOME/keys/records/      salt and content keys, until they are erased
    HOME/copies/            where else recordings were written to
    HOME/anchored           the newest proof of an anchor (ledger.memory.anchoring)

A home is opened to read, by any number of processes, or to write, by one. What was
published is remembered outside it (`ledger.published`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.errors import RefusedError, StorageError
from ledger.experience.access import ExperienceReader, ExperienceWriter
from ledger.experience.recovery import recover
from ledger.log import Log
from ledger.log_home import LogHome, LogPaths
from ledger.log_reader import LogReader
from ledger.note import NoteSigner, VerifierKey, check_name
from ledger.published import PublishedCheckpoint, published_directory
from ledger.signing_keys import SigningKeys
from ledger.storage import Storage
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.os_errors import storage_errors

_PRIVATE_FOLDER: Final = 0o700


@dataclass(frozen=True, slots=True)
class HomePaths(LogPaths):
    """The folders of a home."""

    @property
    def content(self) -> Path:
        """Recordings, by content root."""
        return self.root / "content"

    @property
    def incoming(self) -> Path:
        """Recordings that are not in the log yet."""
        return self.root / "incoming"

    @property
    def witness_keys(self) -> Path:
        """The key that the robot cosigns other logs with."""
        return self.root / "keys" / "witness"

    @property
    def record_keys(self) -> Path:
        """Salt and content keys of the records."""
        return self.root / "keys" / "records"


class HomeReader(LogHome):
    """A home opened to read."""

    def __init__(self, paths: HomePaths, storage: Storage, log: LogReader) -> None:
        super().__init__(storage, log)
        self.paths: Final = paths
        self.experiences = ExperienceReader(paths.root, storage, log)


class HomeWriter(HomeReader):
    """A home opened to write: the log's only writer, and the robot's keys."""

    log: Log
    experiences: ExperienceWriter

    def __init__(self, paths: HomePaths, storage: Storage, log: Log) -> None:
        super().__init__(paths, storage, log)
        self.signing_keys: Final = SigningKeys(paths.signing_keys)
        self.experiences = ExperienceWriter(paths.root, storage, log, self.entry_key())

    def signers(self) -> tuple[NoteSigner, ...]:
        """Every active key: during a rotation a checkpoint carries both signatures."""
        return self.signing_keys.signers(self.vkeys)

    def entry_key(self) -> PrivateKey:
        """The newest active key, which signs entries."""
        return self.signing_keys.signer(self.vkeys[-1]).private_key


def create_home(root: Path, origin: str | None = None) -> VerifierKey:
    """Make a home with a new key and an empty log; the robot's verifier key.

    Without ``origin`` the log is named after its key. Raises `RefusedError` where a
    home is already, `MalformedError` for a name no key can have, and `StorageError`.
    """
    paths = HomePaths(root)
    if paths.exists:
        raise RefusedError(f"{root} is already a home", hint="choose another --home")
    if root.exists() and any(root.iterdir()) and not _is_unfinished(paths):
        raise RefusedError(f"{root} is not empty", hint="choose another --home")
    key = PrivateKey.generate()
    name = origin or f"quipu/{bytes(key.public_key).hex()[:16]}"
    check_name(name)
    signer = NoteSigner(name, key)
    published = PublishedCheckpoint(published_directory(), log_id(name))
    with published.exclusively():
        published.latest()  # refuse before anything is made
    with storage_errors(root):
        for folder in (paths.content, paths.incoming, paths.signing_keys, paths.record_keys):
            _make_private(root, folder)
    # The key first: a log whose key is lost would be of no use.
    SigningKeys(paths.signing_keys).add(signer)
    storage = LmdbStorage.create(paths.log)
    try:
        Log.create(storage, name, signer.verifier_key, published)
    finally:
        storage.close()
    return signer.verifier_key


@contextmanager
def open_home(root: Path) -> Iterator[HomeReader]:
    """Open a home to read. Raises `StorageError` where there is none."""
    paths = existing_home(root)
    storage = LmdbStorage.open_reader(paths.log)
    try:
        yield HomeReader(paths, storage, LogReader(storage))
    finally:
        storage.close()


@contextmanager
def open_home_to_write(root: Path, keys: Sequence[VerifierKey] = ()) -> Iterator[HomeWriter]:
    """Open a home as its writer, by the restart rule of `ledger.log`.

    What a crash left half done is settled first. ``keys`` are further keys of the log,
    which a home restored from a backup may lack. Raises `LockedError` while another
    process writes, `CorruptStoreError` or `ForkError` if the log is not what was signed.
    """
    paths = existing_home(root)
    storage = LmdbStorage.open_writer(paths.log)
    try:
        origin = LogReader(storage).origin
        published = PublishedCheckpoint(published_directory(), log_id(origin))
        home = HomeWriter(paths, storage, Log.open(storage, published, keys))
        if home.log.behind is None:
            recover(home.experiences)
        yield home
    finally:
        storage.close()


def existing_home(root: Path) -> HomePaths:
    """The folders of the home at ``root``. Raises `StorageError` where there is none."""
    paths = HomePaths(root)
    if not paths.exists:
        raise StorageError(
            f"{root} is not a home", hint="make one with `quipu init`, or name one with --home"
        )
    return paths


def _is_unfinished(paths: HomePaths) -> bool:
    """Whether an earlier `create_home` died here before its log existed."""
    names = {child.name for child in paths.root.iterdir()}
    return names <= {"content", "incoming", "keys", "log"}


def _make_private(root: Path, folder: Path) -> None:
    """Make ``folder`` and what is above it up to ``root``, readable by the owner only."""
    missing = [f for f in (folder, *folder.parents) if f == root or root in f.parents]
    root.parent.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        try:
            each.mkdir(mode=_PRIVATE_FOLDER)
        except FileExistsError:
            continue
        each.chmod(_PRIVATE_FOLDER)  # whatever the umask
