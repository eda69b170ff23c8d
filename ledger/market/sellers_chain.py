"""The chain as the seller of many atomic sales asks it: what falls due together goes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.errors import NotFoundError
from ledger.market.in_turn import submit_in_turn
from ledger.market.swap_chain import ProvenSwapChain
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet

_WAIT_S: Final = 5.0
"""For a block; then the same is offered again, with what has fallen due meanwhile."""


class ProvenSellersChain(ProvenSwapChain):
    """A `ledger.exchange.swap_chain.SellersChain`. Methods raise as `ProvenChain` does."""

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        """Have transactions of one account carried out, and say what became of each.

        The engine's word, each: what matters of it is read again from the state. Raises
        `NotIncludedError` where no block takes them in time; submitting again is safe.
        """
        service = self._chain.service
        codes: dict[int, ResultCode] = {}
        waiting: dict[int, bytes] = {}

        def submit(wanted: Mapping[int, TransactionBody], sequence: int) -> dict[int, ResultCode]:
            signed = []
            for number, body in enumerate(wanted.values()):
                body.sequence = sequence + number
                signed.append(wallet.sign(self.chain, body))
            refused = {}
            for place, admission in zip(wanted, service.submit(signed), strict=True):
                if admission.ok:
                    waiting[place] = admission.id
                else:
                    refused[place] = admission.code
            codes.update(refused)
            return refused

        submit_in_turn(dict(enumerate(bodies)), self.sequence(wallet.account), submit)
        try:
            outcomes = service.wait_all(list(waiting.values()), _WAIT_S) if waiting else []
        except NotFoundError as error:  # an engine that was started again meanwhile
            raise NotIncludedError(
                "the chain has lost transactions", hint="submit them again"
            ) from error
        for place, outcome in zip(waiting, outcomes, strict=True):
            codes[place] = _known(outcome.code)
        return [codes[place] for place in range(len(bodies))]


def _known(code: int) -> ResultCode:
    try:
        return ResultCode(code)
    except ValueError:  # a newer chain's
        return ResultCode.NOT_ALLOWED
