"""A storefront's services: any bytes in, a reply out, on a domain where strangers are.

One service an account that sells, and one thread for all of them, which rests no longer than
until the next request. What went wrong here is said to strangers in one sentence that is
always the same; the log has the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from quipu_interfaces.srv import FetchChunk

from ledger.errors import LedgerError, RefusedError
from ledger.exchange.messages import Reply
from quipu_nodes.exchange_messages import (
    SAID,
    asked_of,
    fill_error,
    fill_reply,
    storefront_service,
)
from quipu_nodes.inbox import Inbox
from quipu_nodes.participant import Participant

_LOG: Final = logging.getLogger(__name__)

TROUBLE: Final = "the storefront has trouble of its own; ask again later"


class FetchService:
    """Answers on a participant, from its making until `close`, for the accounts that are said.

    ``answer`` makes replies, and ``rest`` is called when nobody asks; both in the one thread.
    """

    def __init__(
        self,
        participant: Participant,
        accounts: Iterable[bytes],
        answer: Callable[[bytes], Reply],
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self._answer: Final = answer
        self._rest: Final = rest
        self._wanted = tuple(accounts)
        self._served: Final[set[bytes]] = set()
        self._inbox: Final = Inbox(participant.node, "quipu-fetching", self._between, nap_s=0.0)
        self._serve()
        self._inbox.start()

    def offer(self, accounts: Iterable[bytes]) -> None:
        """Answer for these accounts too, in a few seconds; any thread may say so."""
        self._wanted = tuple(accounts)

    def close(self) -> None:
        """Answer no more."""
        self._inbox.close()

    def _between(self) -> None:
        """Called by the thread that answers, after each round."""
        self._serve()
        self._rest()

    def _serve(self) -> None:
        if len(self._wanted) == len(self._served):
            return
        for account in self._wanted:
            if account not in self._served:
                self._served.add(account)
                answer = partial(self._on_request, account)
                self._inbox.serve(FetchChunk, storefront_service(account), answer)

    def _on_request(self, account: bytes, request: Any, response: Any) -> Any:
        try:
            return fill_reply(response, self._answer(asked_of(request, account)))
        except RefusedError as error:
            return fill_error(response, SAID.REFUSED, error.message)
        except LedgerError as error:
            _LOG.error("a request was not answered: %s", error)
            return fill_error(response, SAID.UNAVAILABLE, TROUBLE)
