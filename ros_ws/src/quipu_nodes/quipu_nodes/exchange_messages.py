"""Requests and replies of a purchase as messages of `quipu_interfaces`.

A sealed unit is moved as a whole, ``array.array`` on the side of ROS and ``bytes`` on ours:
never number by number. ROS bounds nothing of what strangers send, so whoever takes a message
looks at its sizes first: those of the protocol, as at a socket.
"""

from __future__ import annotations

from typing import Any, Final

from quipu_interfaces.srv import FetchChunk

from ledger.chain.leaf import ID_SIZE
from ledger.errors import MalformedError, RefusedError
from ledger.exchange.messages import MAX_MESSAGE, Reply
from ledger.exchange.socket_frames import MAX_SEALED
from ledger.exchange.transport import NoSellerError, SellerSilentError, TransportError

SAID = FetchChunk.Response

_NAMED_DIGITS: Final = 16
_MAX_WORDS: Final = 1_000
"""Characters that are passed on of what a storefront says for a person."""


class GatewayBusyError(TransportError):
    """A gateway that has as many conversations open as it may."""


def storefront_service(seller: bytes) -> str:
    """The service of a seller's storefront. Raises MalformedError for what is no account."""
    if len(seller) != ID_SIZE:
        raise MalformedError(f"a seller's account is {ID_SIZE} bytes")
    return f"/quipu/s{seller.hex()[:_NAMED_DIGITS]}/fetch_chunk"


def fetch_request(seller: bytes, message: bytes) -> FetchChunk.Request:
    """A request to a seller."""
    request = FetchChunk.Request()
    request.seller = seller
    request.message = message
    return request


def asked_of(request: Any, seller: bytes) -> bytes:
    """What a seller is asked. Raises RefusedError for another seller's, and absurd sizes."""
    if seller_of(request) != seller:
        raise RefusedError("this storefront is another seller's")
    return message_of(request)


def seller_of(request: Any) -> bytes:
    """Whom a request is for. Raises RefusedError for what is no account."""
    if len(request.seller) != ID_SIZE:
        raise RefusedError(f"a seller's account is {ID_SIZE} bytes")
    return bytes(request.seller)


def message_of(request: Any) -> bytes:
    """The message of a request. Raises RefusedError for one of absurd size."""
    if len(request.message) > MAX_MESSAGE:
        raise RefusedError(f"a request has at most {MAX_MESSAGE} bytes")
    return bytes(request.message)


def fill_reply(response: Any, reply: Reply) -> Any:
    """The response that brings a reply."""
    # Bytes are copied once by the setter, an array would be a second time.
    response.message, response.sealed = reply.message, reply.sealed
    return response


def fill_error(response: Any, code: int, words: str) -> Any:
    """The response that brings none, and why."""
    response.error_code = code
    response.error_msg = words
    return response


def passed_on(response: Any) -> Any:
    """What a gateway passes on of a storefront's response: no more than one may bring."""
    if _is_too_long(response):
        return fill_error(SAID(), SAID.REFUSED, "the storefront's reply is too long")
    if response.error_code == SAID.NONE and not response.error_msg:
        return response
    return fill_error(SAID(), response.error_code, response.error_msg[:_MAX_WORDS])


def reply_of(response: Any) -> Reply:
    """The reply that a response brings.

    Raises TransportError, after which asking again may help; RefusedError; MalformedError
    for what no node of ours says.
    """
    words = response.error_msg[:_MAX_WORDS]
    match response.error_code:
        case SAID.NONE:
            if _is_too_long(response):
                raise MalformedError(
                    f"a reply has at most {MAX_MESSAGE} bytes, and {MAX_SEALED} sealed ones"
                )
            return Reply(response.message.tobytes(), response.sealed.tobytes())
        case SAID.UNREACHABLE:
            raise NoSellerError(words or "the seller's storefront is not reached")
        case SAID.BUSY:
            raise GatewayBusyError(words or "the gateway is busy", hint="ask again")
        case SAID.UNAVAILABLE:
            raise SellerSilentError(words or "the storefront has trouble of its own")
        case SAID.REFUSED:
            raise RefusedError(words or "the request is not taken")
    raise MalformedError(f"a response with error {response.error_code}")


def _is_too_long(response: Any) -> bool:
    return len(response.message) > MAX_MESSAGE or len(response.sealed) > MAX_SEALED
