"""A `Trust` as a file, which its operator hands out and everybody can read.

::

    chain 5f0c...                                      64 hex digits: the chain's id
    log example.com/settlement+8cd3...+AQ...           each key of the chain's operator
    witness depot depot.example.com+1f2e...+BA...      whoever must have cosigned, if anybody
    quorum depot

The first line names the chain; the rest is a C2SP tlog-policy whose logs are the chain's
own (`ledger.witnessing.policy`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from ledger.chain.light.trust import Trust
from ledger.errors import LedgerError, MalformedError, NotFoundError
from ledger.witnessing.policy import MAX_POLICY_SIZE, Policy, PolicyLog

_FIRST_LINE: Final = re.compile(rb"chain ([0-9a-f]{64})\n")


def encode_trust(trust: Trust) -> bytes:
    """Return the content of the file."""
    policy = replace(trust.policy, logs=tuple(PolicyLog(key) for key in trust.log_keys))
    return b"chain " + trust.chain.hex().encode() + b"\n" + policy.encode()


def parse_trust(data: bytes) -> Trust:
    """Read the content of a file. Raises MalformedError, RefusedError for what cannot be."""
    first = _FIRST_LINE.match(data)
    if first is None:
        raise MalformedError("a chain's trust begins with `chain` and 64 hex digits")
    policy = Policy.parse(data[first.end() :])
    return Trust(bytes.fromhex(first[1].decode()), tuple(each.key for each in policy.logs), policy)


def read_trust(path: Path) -> Trust:
    """Read a file. Raises NotFoundError and MalformedError, which name it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_POLICY_SIZE)
    except OSError as error:
        raise NotFoundError(
            f"{path} cannot be read: {error.strerror}", hint="its operator has the chain's trust"
        ) from error
    try:
        return parse_trust(data)
    except LedgerError as error:
        raise MalformedError(f"{path}: {error.message}", hint=error.hint) from error
