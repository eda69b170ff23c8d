"""The homes that a storefront sells out of, open to read beside whoever owns them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ledger.closing import Closing
from ledger.ed25519 import PrivateKey
from ledger.errors import LedgerError, NotFoundError
from ledger.home import HomeReader, open_home
from ledger.note import VerifierKey
from ledger.signing_keys import SigningKeys

_LOG: Final = logging.getLogger(__name__)


class SellingHomes(Closing):
    """Homes by the origins of their logs. Any thread may ask. A context manager.

    A home that is not there yet, or not to be read now, is tried again when it is asked for.
    """

    def __init__(self, roots: Sequence[Path], opened: Sequence[HomeReader] = ()) -> None:
        """``roots`` are opened here; ``opened`` are open in this process already, and stay so."""
        self._lock: Final = threading.Lock()
        self._held: Final = ExitStack()
        self._missing: Final = list(roots)
        self._homes: Final[dict[str, HomeReader]] = {home.log.origin: home for home in opened}
        self._open_missing()

    def close(self) -> None:
        """Close what was opened here; a second call does nothing."""
        with self._lock:
            self._homes.clear()
            self._missing.clear()
            self._held.close()

    @property
    def all(self) -> tuple[HomeReader, ...]:
        """Those that are open."""
        with self._lock:
            return tuple(self._homes.values())

    def find(self, origin: str) -> HomeReader:
        """The home of the log of this origin. Raises NotFoundError."""
        with self._lock:
            if origin not in self._homes:
                self._open_missing()
            home = self._homes.get(origin)
        if home is None:
            raise NotFoundError(
                f"no home of {origin} is here", hint="name it to the storefront, or mount it"
            )
        return home

    def private_key(self, account: bytes) -> PrivateKey | None:
        """The robot's key that signs for an account, read out of its home; None for no robot's.

        Raises KeyStoreError for a key that is damaged or open to others.
        """
        for home in self._tried():
            for vkey in home.log.known_keys():
                keys = SigningKeys(home.paths.signing_keys)
                if bytes(vkey.public_key) == account and keys.path_of(vkey).exists():
                    return keys.signer(vkey).private_key
        return None

    @property
    def accounts(self) -> tuple[bytes, ...]:
        """The accounts of the robots' keys, those that sign now first."""
        active: list[VerifierKey] = []
        known: list[VerifierKey] = []
        for home in self._tried():
            active += home.vkeys
            known += home.log.known_keys()
        return tuple(dict.fromkeys(bytes(vkey.public_key) for vkey in [*active, *known]))

    def _tried(self) -> tuple[HomeReader, ...]:
        with self._lock:
            self._open_missing()
        return self.all

    def _open_missing(self) -> None:
        for root in tuple(self._missing):
            try:
                home = self._held.enter_context(open_home(root))
            except LedgerError as error:
                _LOG.debug("%s is not to be read now: %s", root, error)
                continue
            self._missing.remove(root)
            self._homes[home.log.origin] = home
