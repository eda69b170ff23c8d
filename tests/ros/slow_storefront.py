"""A storefront that takes its time, or is killed: ``slow_storefront.py PAUSE_S DIE_AFTER``.

The node and all that it works with are the real ones; what is slow is each answer, and it is
killed after so many; 0 means never.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from quipu_nodes import market

from ledger.exchange.messages import Reply
from ledger.market.storefront import Storefront


def main() -> int:
    pause_s, die_after = float(sys.argv.pop(1)), int(sys.argv.pop(1))
    answer, answered = Storefront.answer, 0

    def slowly(self: Storefront, request: bytes) -> Reply:
        nonlocal answered
        time.sleep(pause_s)
        reply = answer(self, request)
        answered += 1
        if answered == die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return reply

    Storefront.answer = slowly  # type: ignore[method-assign]
    return market.main()


if __name__ == "__main__":
    sys.exit(main())
