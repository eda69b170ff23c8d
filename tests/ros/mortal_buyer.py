"""An exchange node that is killed once so many chunks are here: ``mortal_buyer.py CHUNKS``."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from quipu_nodes import acquiring, exchange

from ledger.market.tools import Progress, Told


def main() -> int:
    chunks = int(sys.argv.pop(1))
    acquire = acquiring.acquire

    def mortal(acquisition: Any, tools: Any, told: Told, cancelled: Any) -> Any:
        def heard(progress: Progress) -> None:
            told(progress)
            if progress.kept == chunks:
                os.kill(os.getpid(), signal.SIGKILL)

        return acquire(acquisition, tools, heard, cancelled)

    acquiring.acquire = mortal
    return exchange.main()


if __name__ == "__main__":
    sys.exit(main())
