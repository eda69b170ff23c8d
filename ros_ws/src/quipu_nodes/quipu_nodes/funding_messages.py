"""Money for a grant's one-time key, over a gateway's service ``~/fund_grant``: both ends."""

from __future__ import annotations

import time
from typing import Any, Final

from quipu_interfaces.srv import FundGrant
from rclpy.node import Node

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import NoEngineError
from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError
from ledger.market.funding import Funding
from ledger.witnessing.transport import UnreachableError
from quipu_nodes.service_call import ServiceCall

FUNDED_S: Final = 45.0
"""For a gateway to answer, which waits until the payment is in a block."""
ASKED_AGAIN_S: Final = 5.0
"""After which it is asked again: it may have been started anew since. It pays a grant once."""

_SAID = FundGrant.Response


def pay(funding: Funding, request: Any, response: Any) -> Any:
    """The response to a request that somebody's grant be funded."""
    try:
        funding.fund(
            bytes(request.grant), bytes(request.account), int(request.asset), int(request.amount)
        )
    except LedgerError as error:
        return fail(response, error)
    return response


def fail(response: Any, error: LedgerError) -> Any:
    """The response that says why nothing was paid."""
    refused = isinstance(error, RefusalError | RefusedError | NotFoundError | MalformedError)
    response.error_code = _SAID.REFUSED if refused else _SAID.UNAVAILABLE
    response.error_msg = error.message
    if isinstance(error, RefusalError):
        response.result_code = int(error.code)
    return response


class GatewayFunding:
    """A `ledger.market.funding.Funding`: the pool of the fleet whose gateway ``peer`` is."""

    def __init__(self, node: Node, peer: str) -> None:
        self._call: Final = ServiceCall(node, FundGrant, f"{peer}/fund_grant", ASKED_AGAIN_S)

    def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
        """See `Funding.fund`. Raises NoEngineError where gateway or chain is not reached."""
        request = FundGrant.Request(grant=grant, account=account, asset=asset, amount=amount)
        response = self._response(request)
        words = response.error_msg or "the gateway does not pay"
        match response.error_code:
            case _SAID.NONE:
                return
            case _SAID.REFUSED if response.result_code:
                raise RefusalError(_code(response.result_code), words)
            case _SAID.REFUSED:
                raise RefusedError(words)
            case _SAID.UNAVAILABLE:
                raise NoEngineError(words)
        raise MalformedError(f"a gateway answers with error {response.error_code}")

    def _response(self, request: Any) -> Any:
        until = time.monotonic() + FUNDED_S
        while True:
            try:
                return self._call(request)
            except UnreachableError as error:
                if time.monotonic() < until:
                    continue
                raise NoEngineError(error.message, hint="see whether the gateway runs") from error

    def close(self) -> None:
        """Give the way up."""
        self._call.close()


def _code(number: int) -> ResultCode:
    try:
        return ResultCode(number)
    except ValueError:
        raise MalformedError(f"a gateway refuses with an unknown code, {number}") from None
