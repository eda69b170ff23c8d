"""An exchange node that is killed: ``mortal_buyer.py CHUNKS``, once so many are here.

``mortal_buyer.py locked``: once the price of a whole purchase is locked.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from quipu_nodes import acquiring, exchange

from ledger.exchange.swap_payment import LockableSwap
from ledger.market.tools import Progress, Told


def main() -> int:
    when = sys.argv.pop(1)
    if when == "locked":
        _die_locked()
    else:
        _die_after(int(when))
    return exchange.main()


def _die_locked() -> None:
    lock = LockableSwap.lock

    def mortal(state: LockableSwap) -> None:
        lock(state)
        os.kill(os.getpid(), signal.SIGKILL)

    LockableSwap.lock = mortal  # type: ignore[method-assign]


def _die_after(chunks: int) -> None:
    acquire = acquiring.acquire

    def mortal(acquisition: Any, tools: Any, told: Told, cancelled: Any) -> Any:
        def heard(progress: Progress) -> None:
            told(progress)
            if progress.kept == chunks:
                os.kill(os.getpid(), signal.SIGKILL)

        return acquire(acquisition, tools, heard, cancelled)

    acquiring.acquire = mortal


if __name__ == "__main__":
    sys.exit(main())
