"""Writing at an offset of an open file, all of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ledger.storage.os_errors import storage_error


def write_at(descriptor: int, path: Path, data: bytes | memoryview, offset: int) -> None:
    """Write ``data`` at byte ``offset``; ``path`` is what errors name. Raises StorageError.

    What is written is the kernel's: it outlives the process, and the disk has it after a sync.
    """
    try:
        while data:
            written = os.pwrite(descriptor, data, offset)
            if written == len(data):
                return
            data, offset = memoryview(data)[written:], offset + written
    except OSError as error:
        raise storage_error(error.errno or errno.EIO, path) from error
