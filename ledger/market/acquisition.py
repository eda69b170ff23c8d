"""The folder of an acquisition: a buyer's whole purchase, from a wish to files in a home.

::

    FOLDER/              mode 0700
      wish               what is wanted, and a name of 16 random bytes; written once
      state              how far it is, replaced whole (`ledger.market.acquisition_file`)
      wallet/            the one-time key and its channel (`ledger.wallet`)
      *.tx               each transaction of the one-time key, before it is submitted
      purchase/          content as far as it came (`ledger.exchange.purchase`)
      deed               the seller's entry and the openings of its commitments
      files/             the recording's files, once all is here
      lock               one process at a time

Whatever is killed, `Acquisition.open` finds the state that was reached; `ledger.market.buying`
goes on from there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ledger.closing import Closing
from ledger.errors import LockedError, NotFoundError, RefusedError
from ledger.experience.private_folder import make_private_folder
from ledger.market.acquisition_file import read_state, read_wish, write_state, write_wish
from ledger.market.acquisition_states import AcquisitionState, Wished
from ledger.market.wish import Wish
from ledger.storage.writer_lock import WriterLock

NAME_SIZE: Final = 16


class Acquisition(Closing):
    """An acquisition that is open in this process; `begin` or `open` it, `close` it.

    A context manager, which closes it.
    """

    def __init__(
        self, folder: Path, name: bytes, wish: Wish, state: AcquisitionState, lock: WriterLock
    ) -> None:
        self.folder: Final = folder
        self.name: Final = name
        """What a budget knows it by, 16 random bytes."""
        self.wish: Final = wish
        self._state = state
        self._lock: Final = lock

    def __repr__(self) -> str:
        return f"Acquisition({self.folder}, {type(self._state).__name__})"

    @classmethod
    def begin(cls, folder: Path, wish: Wish) -> Acquisition:
        """Begin an acquisition in a new folder, durably. Nobody hears of it yet.

        Raises RefusedError where one was begun, LockedError, StorageError.
        """
        make_private_folder(folder)
        lock = _lock(folder)
        try:
            if (folder / "wish").exists():
                raise RefusedError(f"an acquisition was begun in {folder}", hint="take it up again")
            name = os.urandom(NAME_SIZE)
            write_wish(folder / "wish", name, wish)
        except BaseException:
            lock.release()
            raise
        return cls(folder, name, wish, Wished(), lock)

    @classmethod
    def open(cls, folder: Path) -> Acquisition:
        """Take up an acquisition where it was left.

        Raises NotFoundError, CorruptStoreError, LockedError, StorageError.
        """
        if not (folder / "wish").is_file():
            raise NotFoundError(f"no acquisition was begun in {folder}", hint="check the folder")
        lock = _lock(folder)
        try:
            name, wish = read_wish(folder / "wish")
            state = read_state(folder / "state")
        except BaseException:
            lock.release()
            raise
        return cls(folder, name, wish, state or Wished(), lock)

    @classmethod
    def look(cls, folder: Path) -> tuple[Wish, AcquisitionState]:
        """The wish and the state, whoever has it open. Raises as `open`."""
        if not (folder / "wish").is_file():
            raise NotFoundError(f"no acquisition was begun in {folder}", hint="check the folder")
        return read_wish(folder / "wish")[1], read_state(folder / "state") or Wished()

    @staticmethod
    def is_open(folder: Path) -> bool:
        """Whether somebody has it open now. Raises StorageError."""
        try:
            _lock(folder).release()
        except LockedError:
            return True
        return False

    @property
    def state(self) -> AcquisitionState:
        """Where it stands; on disk."""
        return self._state

    @property
    def files(self) -> Path:
        """Where the recording's files are once it is `Bought`."""
        return self.folder / "files"

    def reach(self, state: AcquisitionState) -> None:
        """Go on to a state, durably. Raises StorageError."""
        write_state(self.folder / "state", state)
        self._state = state

    def close(self) -> None:
        """Let others take it up; a second call does nothing."""
        self._lock.release()


def _lock(folder: Path) -> WriterLock:
    try:
        return WriterLock(folder / "lock")
    except LockedError as error:
        holder = error.message.partition(" is writing")[0]
        raise LockedError(
            f"{holder} has the acquisition {folder} open", hint="one at a time can go on with it"
        ) from None
