"""A chain's blocks and heads as messages of `quipu_interfaces`, and its services' answers."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from quipu_interfaces.msg import ChainBlock, ChainEvent, ChainHead
from quipu_interfaces.srv import QueryState, SubmitTransaction
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from ledger.chain.codes import RefusalError
from ledger.chain.engines.service import BlockEvents, ChainService, NotIncludedError
from ledger.chain.light.signed_header import MAX_SIGNED_HEADER_BYTES
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.witnessing.proof_source import join_hashes
from quipu_nodes.messages import latched

HEAD: Final = "/quipu/chain/head"
BLOCKS: Final = "/quipu/chain/blocks"
HEAD_QOS: Final = latched(1)
BLOCK_QOS: Final = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)

MOST_EVENTS: Final = 256
"""Of a block, in its message."""

_QUERY = QueryState.Request
_SAID = QueryState.Response


def head_message(chain: bytes, height: int, signed: bytes, node: str, now: Time) -> ChainHead:
    """Where a chain stands. Raises MalformedError for a header of absurd size."""
    if len(signed) > MAX_SIGNED_HEADER_BYTES:
        raise MalformedError("a signed header that nobody would read")
    return ChainHead(
        stamp=now.to_msg(), chain=chain, height=height, node=node, signed_header=signed
    )


def block_message(block: BlockEvents, now: Time) -> ChainBlock:
    """What happened in a block. Raises MalformedError for results that are none."""
    results = block.results
    events = (
        ChainEvent(
            kind=each.kind,
            subject=each.subject,
            amount=each.amount,
            transaction=result.transaction,
        )
        for result in results
        for each in result.events
    )
    told = list(islice(events, MOST_EVENTS))
    return ChainBlock(
        stamp=now.to_msg(),
        chain=block.header.chain,
        height=block.height,
        time_ns=block.header.time_ns,
        transactions=len(results),
        events=told,
        omitted=sum(1 for _ in events),
    )


def submit(service: ChainService, request: Any, response: Any) -> None:
    """Offer what was asked for. Raises as the service does."""
    (admission,) = service.submit([bytes(request.transaction)])
    response.transaction_id = admission.id
    if not admission.ok:
        response.error_code = SubmitTransaction.Response.REFUSED
        response.error_msg = admission.words or admission.code.name
        response.result_code = int(admission.code)


def query(service: ChainService, request: Any, response: Any) -> None:
    """Answer a question about the chain. Raises as the service does."""
    key, height = bytes(request.key), request.height or None
    match request.kind:
        case _QUERY.STATE:
            response.answer = service.answer(key, height)
        case _QUERY.RECEIPT:
            service.wait(key, 0.0)
            response.answer = service.receipt(key)
        case _QUERY.HEADER:
            response.answer = service.signed_header(height)
        case _QUERY.CONSISTENCY:
            hashes = service.consistency(request.old_size, request.new_size)
            response.answer = join_hashes(hashes)
        case _QUERY.GENESIS:
            response.answer = service.genesis()
        case kind:
            raise RefusedError(f"there is no question of kind {kind}")


def failed(error: LedgerError, response: Any) -> None:
    """Say in a response what went wrong."""
    response.error_code = _code(error)
    response.error_msg = str(error)
    if isinstance(error, RefusalError):
        response.result_code = int(error.code)


def _code(error: LedgerError) -> int:
    match error:
        case NotIncludedError():
            return int(_SAID.WAITING)
        case NotFoundError():
            return int(_SAID.NOT_FOUND)
        case RefusalError() | RefusedError() | MalformedError() | VerificationError():
            return int(_SAID.REFUSED)
        case _:
            return int(_SAID.UNAVAILABLE)
