"""Transactions that are carried out once, whatever is killed when.

A transaction is on disk before it leaves, mode 0600, as its bytes are. Whoever comes back
submits the same bytes again, which no chain carries out twice, and signs another only when the
chain proves that this one can never be carried out any more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledger.chain.body import Message, body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.proven.chain import EXPIRY_BLOCKS, ProvenChain, Submitted
from ledger.chain.proven.port import Signer
from ledger.durable_file import PRIVATE, write_durably
from ledger.storage.os_errors import storage_errors

_ROUNDS: Final = 8
"""Times that others may take the sequence before this gives up for now."""
_OVER: Final = (ResultCode.SEQUENCE_PAST, ResultCode.EXPIRED)
"""What no later block can change."""


def carry_out_once(chain: ProvenChain, path: Path, sign: Callable[[], bytes]) -> Submitted:
    """Carry out what was kept at ``path``, or else what ``sign`` makes and is kept there.

    Raises as `ProvenChain.submit` does, `NotIncludedError`, StorageError; a refusal is in
    what is returned.
    """
    for _ in range(_ROUNDS):
        with storage_errors(path):
            encoded = path.read_bytes() if path.exists() else b""
        found = follow(chain, encoded) if encoded else None
        if found is not None:
            return found
        with storage_errors(path):
            write_durably(path, sign(), mode=PRIVATE)
    raise NotIncludedError(
        "others sign for this account all the time", hint="let one program sign for it"
    )


def follow(chain: ProvenChain, encoded: bytes) -> Submitted | None:
    """What becomes of a transaction that may have left before; None if it never can be."""
    name = leaf_id(LeafKind.TRANSACTION, encoded)
    found = chain.receipt(name)
    if found is not None:
        return found
    submitted = chain.submit(encoded)
    if submitted.code in _OVER:
        return chain.receipt(name)  # it may have come into a block between the two
    return submitted


def signing(
    chain: ProvenChain, signer: Signer, message: Message, sequence: int | None = None
) -> Callable[[], bytes]:
    """Signs ``message``, for the least fee, with the account's next sequence or this one."""

    def sign() -> bytes:
        at = chain.sequence(signer.account) if sequence is None else sequence
        body = body_asking(
            message,
            sequence=at,
            expiry_height=chain.height() + EXPIRY_BLOCKS,
            fee=chain.parameters.min_fee,
        )
        return signer.sign(chain.chain, body)

    return sign


def require_carried_out(
    chain: ProvenChain, path: Path, signer: Signer, message: Message, sequence: int | None = None
) -> Submitted:
    """`carry_out_once` for a message. Raises `RefusalError` where the chain refuses it."""
    submitted = carry_out_once(chain, path, signing(chain, signer, message, sequence))
    if not submitted.ok:
        raise RefusalError(submitted.code, submitted.words or "a block has it, not carried out")
    return submitted
