"""A chain over ROS: a `ledger.chain.proven.port.ChainPort` to a settlement node."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from quipu_interfaces.srv import QueryState, SubmitTransaction
from rclpy.exceptions import InvalidServiceNameException
from rclpy.node import Node

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import (
    EngineClosedError,
    Inclusion,
    NoEngineError,
    NotIncludedError,
)
from ledger.chain.header import Header
from ledger.chain.machine.proposal import Admission
from ledger.chain.result import Result
from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError
from ledger.schema.canonical import parse_message
from ledger.schema.chain_receipt_pb2 import Receipt
from ledger.witnessing.proof_source import split_hashes
from ledger.witnessing.transport import UnreachableError
from quipu_nodes.service_call import ServiceCall

TIMEOUT_S: Final = 3.0
_LOOK_S: Final = 0.2

_ASK = QueryState.Request
_SAID = QueryState.Response


class RosChain:
    """The settlement node ``peer``. Calls raise `NoEngineError` where it does not answer."""

    def __init__(self, node: Node, peer: str, timeout_s: float = TIMEOUT_S) -> None:
        try:
            self._submit = ServiceCall(
                node, SubmitTransaction, f"{peer}/submit_transaction", timeout_s
            )
            self._query = ServiceCall(node, QueryState, f"{peer}/query_state", timeout_s)
        except (InvalidServiceNameException, ValueError, RuntimeError) as error:
            raise NoEngineError(f"{peer!r} is no node: {error}") from None
        self._closed = threading.Event()

    def submit(self, transactions: Sequence[bytes]) -> list[Admission]:
        """See `ChainPort`."""
        return [self._admission(each) for each in transactions]

    def wait(self, transaction: bytes, timeout_s: float) -> Inclusion:
        """See `ChainPort`; by asking for the receipt again and again."""
        left_s = timeout_s
        while True:
            try:
                answer = self._ask(_ASK(kind=_ASK.RECEIPT, key=transaction))
                break
            except NotIncludedError:
                if left_s <= 0:
                    raise
            if self._closed.wait(_LOOK_S):
                raise EngineClosedError("the way to the chain was closed")
            left_s -= _LOOK_S
        receipt = parse_message(Receipt, answer, "receipt")
        result, header = Result.parse(receipt.result), Header.parse(receipt.header)
        return Inclusion(transaction, header.height, result.code, tuple(result.events))

    def answer(self, key: bytes) -> bytes:
        """See `ChainPort`."""
        return self._ask(_ASK(kind=_ASK.STATE, key=key))

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `ChainPort`."""
        asked = _ASK(kind=_ASK.CONSISTENCY, old_size=old_size, new_size=new_size)
        return split_hashes(self._ask(asked))

    def close(self) -> None:
        """See `ChainPort`."""
        if not self._closed.is_set():
            self._closed.set()
            self._submit.close()
            self._query.close()

    def _admission(self, transaction: bytes) -> Admission:
        response = _called(self._submit, SubmitTransaction.Request(transaction=transaction))
        identity = bytes(response.transaction_id)
        if response.error_code == SubmitTransaction.Response.REFUSED:
            return Admission(identity, _code(response.result_code), response.error_msg)
        if response.error_code:
            raise NoEngineError(response.error_msg or "the chain does not take it now")
        return Admission(identity, ResultCode.OK)

    def _ask(self, request: Any) -> bytes:
        response = _called(self._query, request)
        if response.error_code:
            raise _error(response)
        return bytes(response.answer)


def _called(call: Callable[[Any], Any], request: Any) -> Any:
    try:
        return call(request)
    except UnreachableError as error:
        raise NoEngineError(error.message) from error


def _error(response: Any) -> LedgerError:
    words = response.error_msg or "the settlement node refuses"
    match response.error_code:
        case _SAID.NOT_FOUND:
            return NotFoundError(words)
        case _SAID.WAITING:
            return NotIncludedError(words)
        case _SAID.REFUSED if response.result_code:
            return RefusalError(_code(response.result_code), words)
        case _SAID.REFUSED:
            return RefusedError(words)
        case _SAID.UNAVAILABLE:
            return NoEngineError(words)
    return MalformedError(f"a settlement node answers with error {response.error_code}")


def _code(number: int) -> ResultCode:
    try:
        return ResultCode(number)
    except ValueError:
        raise MalformedError(f"a settlement node refuses with an unknown code, {number}") from None
