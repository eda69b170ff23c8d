"""Takes requests of a fleet's members to storefronts, each conversation under another name.

A conversation, such as one purchase's session, gets a DDS participant of its own with a
random node name, on the domain where storefronts are, and a thread; both end when nothing
was asked for a while. What is asked and answered goes on as it came: ciphertext, and claims
that pay under a grant's one-time key. What is longer than the protocol has it is refused, so
that no stranger fills the members' domain.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any, Final, TypeAlias

from quipu_interfaces.srv import FetchChunk

from ledger.errors import LedgerError, MalformedError, RefusedError
from ledger.exchange.conversation import conversation_of
from quipu_nodes.exchange_messages import (
    SAID,
    fill_error,
    message_of,
    passed_on,
    seller_of,
    storefront_service,
)
from quipu_nodes.participant import Participant, random_name
from quipu_nodes.service_call import ServiceCall

_LOG: Final = logging.getLogger(__name__)

_MOST_WAITING: Final = 4
"""Requests of one conversation: a buyer asks for little at a time."""

Respond: TypeAlias = Callable[[Any], None]
Asked: TypeAlias = tuple[Any, Respond]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Where storefronts are, and how much a gateway keeps open."""

    domain: int | None
    """ROS_DOMAIN_ID; None is the environment's."""
    most: int
    """Conversations at a time, and so participants."""
    idle_s: float
    """One that has been silent for so long is closed."""
    answer_s: float
    """For a storefront to be found, and to answer."""


class Relay:
    """Conversations that are open; `close` ends them."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings: Final = settings
        self._lock: Final = threading.Lock()
        self._open: Final[dict[bytes, _Conversation]] = {}
        self._closed = False
        self.begun = 0
        """Conversations so far."""
        self.carried = 0
        """Requests that were answered."""

    @property
    def open(self) -> int:
        """Conversations now."""
        return len(self._open)

    def take(self, request: Any, respond: Respond) -> None:
        """Take a request on; ``respond`` is called once, with the storefront's response."""
        try:
            seller = seller_of(request)
            service = storefront_service(seller)
            key = seller + conversation_of(message_of(request))
        except (MalformedError, RefusedError) as error:
            respond(fill_error(FetchChunk.Response(), SAID.REFUSED, error.message))
            return
        if not self._hand_on(key, service, (request, respond)):
            respond(fill_error(FetchChunk.Response(), SAID.BUSY, "too many purchases at a time"))

    def forget(self, key: bytes, *, unless_asked: bool) -> bool:
        """Open a conversation no more; False where it was asked meanwhile, and goes on."""
        with self._lock:
            if unless_asked and self._open[key].is_asked:
                return False
            del self._open[key]
            return True

    def close(self) -> None:
        """End all conversations; what is under way is answered, or given up in time."""
        with self._lock:
            self._closed = True
            conversations = list(self._open.values())
        for each in conversations:
            each.end()
        for each in conversations:
            each.join()

    def _hand_on(self, key: bytes, service: str, asked: Asked) -> bool:
        with self._lock:
            conversation = self._open.get(key)
            if conversation is None:
                if self._closed or len(self._open) >= self._settings.most:
                    return False
                conversation = _Conversation(self, key, service, self._settings)
                self._open[key] = conversation
                self.begun += 1
                conversation.start()
            return conversation.put(asked)


class _Conversation:
    """One thread, one participant, one storefront."""

    def __init__(self, relay: Relay, key: bytes, service: str, settings: RelaySettings) -> None:
        self._relay = relay
        self._key = key
        self._service = service
        self._settings = settings
        self._asked: Queue[Asked | None] = Queue(_MOST_WAITING)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quipu-relay", daemon=True)

    @property
    def is_asked(self) -> bool:
        return not self._asked.empty()

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def put(self, asked: Asked) -> bool:
        try:
            self._asked.put_nowait(asked)
        except Full:
            return False
        return True

    def end(self) -> None:
        self._ending.set()
        try:
            self._asked.put_nowait(None)
        except Full:
            _LOG.debug("a conversation ends with what it was asked")

    def _run(self) -> None:
        try:
            with ExitStack() as held:
                participant = Participant(self._settings.domain, random_name())
                held.callback(participant.close)
                call = ServiceCall(
                    participant.node, FetchChunk, self._service, self._settings.answer_s
                )
                held.callback(call.close)
                while self._carry(call):
                    pass
        except Exception as error:  # noqa: BLE001 - whoever asks must be told, and can ask again
            _LOG.error("a conversation ends: %s", error)
            self._relay.forget(self._key, unless_asked=False)
            self._refuse(str(error))

    def _carry(self, call: ServiceCall) -> bool:
        """Carry one request, if one comes in time; whether the conversation goes on."""
        try:
            asked = self._asked.get(timeout=self._settings.idle_s)
        except Empty:
            asked = None
        if self._ending.is_set():
            self._relay.forget(self._key, unless_asked=False)
            if asked is not None:
                _unreached(asked[1], "the gateway is ending")
            self._refuse("the gateway is ending")
            return False
        if asked is None:
            return not self._relay.forget(self._key, unless_asked=True)
        request, respond = asked
        try:
            response = call(request)
            self._relay.carried += 1
        except LedgerError as error:
            _unreached(respond, error.message)
        except Exception:
            _unreached(respond, "the gateway lost its participant")
            raise
        else:
            respond(passed_on(response))
        return True

    def _refuse(self, words: str) -> None:
        """Answer what waits."""
        while True:
            try:
                asked = self._asked.get_nowait()
            except Empty:
                return
            if asked is not None:
                _unreached(asked[1], words)


def _unreached(respond: Respond, words: str) -> None:
    respond(fill_error(FetchChunk.Response(), SAID.UNREACHABLE, words))
