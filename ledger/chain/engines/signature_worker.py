"""A process that checks signatures: claims on its standard input, verdicts on its output.

Started by `ledger.chain.engines.signature_workers`. It ends when its input does, so it never
outlives the engine, and leaves interrupts from the terminal to that.
"""

from __future__ import annotations

import signal
import sys

from ledger.chain.engines.signature_wire import decode_claims, encode_verdicts, read_message
from ledger.ed25519 import is_signed


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while (body := read_message(requests)) is not None:
        answers.write(encode_verdicts(is_signed(*claim) for claim in decode_claims(body)))
        answers.flush()


if __name__ == "__main__":
    main()
