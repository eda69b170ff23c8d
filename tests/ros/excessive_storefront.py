"""A storefront whose responses are too long: ``excessive_storefront.py message|sealed|words``.

The node is the real one; its service answers with more than the protocol has.
"""

from __future__ import annotations

import sys
from typing import Any

from quipu_nodes import fetch_service, market

from ledger.exchange.messages import MAX_MESSAGE, Reply
from ledger.exchange.socket_frames import MAX_SEALED

WORDS = 3 << 20


def main() -> int:
    excess = sys.argv.pop(1)
    fill = fetch_service.fill_reply

    def too_much(response: Any, reply: Reply) -> Any:
        fill(response, reply)
        if excess == "message":
            response.message = bytes(MAX_MESSAGE + 1)
        elif excess == "sealed":
            response.sealed = bytes(MAX_SEALED + 1)
        else:
            response.error_code = fetch_service.SAID.UNAVAILABLE
            response.error_msg = "w" * WORDS
            response.sealed = bytes(MAX_SEALED)
        return response

    fetch_service.fill_reply = too_much
    return market.main()


if __name__ == "__main__":
    sys.exit(main())
