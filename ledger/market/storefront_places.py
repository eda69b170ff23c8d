"""Where the storefronts of this machine's user are found: one link a seller.

::

    $XDG_STATE_HOME/quipu/storefronts/<seller's account, 64 hex digits>    -> its socket

(``~/.local/state`` where that is not set.) Who buys on the same machine needs to be told nothing.
A link that leads nowhere is left by a storefront that was killed, and does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ledger.experience.private_folder import make_private_folder
from ledger.storage.os_errors import storage_errors


def storefront_of(seller: bytes, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the storefront of an account is found, if this user runs one."""
    state = environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "quipu" / "storefronts" / seller.hex()


@contextmanager
def announced(seller: bytes, socket: Path) -> Iterator[Path]:
    """Have a storefront found for as long as the block lasts. Raises StorageError."""
    place = storefront_of(seller)
    make_private_folder(place.parent)
    beside = place.with_name(f".{place.name}.{os.getpid()}.new")
    with storage_errors(place):
        beside.unlink(missing_ok=True)
        beside.symlink_to(socket.absolute())
        beside.rename(place)
    try:
        yield place
    finally:
        with suppress(OSError):
            if place.readlink() == socket.absolute():  # else another storefront took it over
                place.unlink()
