"""Channels that a storefront has the chain close, many at a time.

``SELLER/<grant id in hex>.close`` is the signed transaction, on disk before it leaves: after a
crash the same bytes are submitted again, and whether the chain carried it out can be asked.
Sales that end together are closed together: their transactions have one sequence after the
other and wait for one block. One that is refused is signed anew the next time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import body_asking
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines.service import NotIncludedError
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.proven.chain import EXPIRY_BLOCKS, ProvenChain
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError
from ledger.market.in_turn import submit_in_turn
from ledger.schema.chain_channel_pb2 import CloseChannel
from ledger.storage.os_errors import storage_errors
from ledger.wallet.wallet import Wallet

_LOG: Final = logging.getLogger(__name__)
_WAIT_S: Final = 5.0
"""For the block with the closes: meanwhile a challenge of another channel can fall due."""


class Closings:
    """The closing transactions of one account. One thread at a time.

    Methods raise as `ProvenChain` does, and StorageError.
    """

    def __init__(self, chain: ProvenChain, wallet: Wallet, folder: Path, sponsor: bytes) -> None:
        """``sponsor`` is a fleet that pays the fees where the account cannot, or nothing."""
        self._chain: Final = chain
        self._wallet: Final = wallet
        self._folder: Final = folder
        self._sponsor: Final = sponsor

    def carry_out(self, wanted: Mapping[bytes, CloseChannel]) -> None:
        """Submit what closes the channels of these grants, and wait for its block.

        What does not come into one in time is submitted again when it is wanted again.
        """
        kept = {grant: encoded for grant in wanted if (encoded := self._read(grant))}
        waiting, refused = self._submit(kept)
        sequence = self._chain.sequence(self._wallet.account)
        for grant in kept.keys() - refused.keys():
            sequence = max(sequence, self._parse(kept[grant]).sequence + 1)
        fresh = {
            grant: message
            for grant, message in wanted.items()
            if grant not in kept or (grant in refused and not self.was_carried_out(grant))
        }

        def submit(fresh: Mapping[bytes, CloseChannel], sequence: int) -> dict[bytes, ResultCode]:
            more, refused = self._submit(self._sign(fresh, sequence))
            waiting.extend(more)
            return refused

        submit_in_turn(fresh, sequence, submit)
        if waiting:
            try:
                self._chain.service.wait_all(waiting, _WAIT_S)
            except NotIncludedError as error:
                _LOG.warning("closes of channels wait for a block: %s", error.message)

    def was_carried_out(self, grant: bytes) -> bool:
        """Whether the chain carried out the close that is kept under a grant, proven."""
        encoded = self._read(grant)
        return bool(encoded) and self._is_carried_out(encoded)

    def has_claimed(self, grant: bytes) -> bool:
        """The same, of a close that claims all that was earned."""
        encoded = self._read(grant)
        message = self._parse(encoded).message if encoded else None
        has_claim = isinstance(message, CloseChannel) and message.WhichOneof("claim") is not None
        return has_claim and self._is_carried_out(encoded)

    def forget(self, grant: bytes) -> None:
        """Keep it no more. Raises StorageError."""
        with storage_errors(self._folder):
            self._path(grant).unlink(missing_ok=True)
            sync_folder(self._folder)

    def _sign(self, wanted: Mapping[bytes, CloseChannel], sequence: int) -> dict[bytes, bytes]:
        """Sign with this sequence and the following ones, and keep it all."""
        if not wanted:
            return {}
        chain, account = self._chain, self._wallet.account
        fee = chain.parameters.min_fee
        is_poor = chain.balance(account, FEE_ASSET) < fee * len(wanted)
        expiry_height = chain.height() + EXPIRY_BLOCKS
        signed = {}
        for number, (grant, message) in enumerate(wanted.items()):
            body = body_asking(
                message,
                sequence=sequence + number,
                expiry_height=expiry_height,
                fee=fee,
                sponsor=self._sponsor if is_poor else b"",
            )
            signed[grant] = self._wallet.sign(chain.chain, body)
            path = self._path(grant)
            with storage_errors(path):
                write_durably(path, signed[grant], mode=PRIVATE)
        return signed

    def _submit(self, signed: Mapping[bytes, bytes]) -> tuple[list[bytes], dict[bytes, ResultCode]]:
        """The ids of those that wait for a block, and by grant why the others do not."""
        if not signed:
            return [], {}
        waiting, refused = [], {}
        admissions = self._chain.service.submit(list(signed.values()))
        for grant, admission in zip(signed, admissions, strict=True):
            if admission.ok:
                waiting.append(admission.id)
            else:
                is_usual = admission.code in (ResultCode.SEQUENCE_PAST, ResultCode.EXPIRED)
                _LOG.log(
                    logging.INFO if is_usual else logging.WARNING,
                    "the chain does not take the close of sale %s: %s %s",
                    grant.hex()[:16],
                    admission.code.name,
                    admission.words,
                )
                refused[grant] = admission.code
        return waiting, refused

    def _is_carried_out(self, encoded: bytes) -> bool:
        found = self._chain.receipt(leaf_id(LeafKind.TRANSACTION, encoded))
        return found is not None and found.ok

    def _parse(self, encoded: bytes) -> Transaction:
        try:
            return parse_transaction(self._chain.chain, encoded)
        except RefusalError as error:
            raise CorruptStoreError(
                f"a file of {self._folder} is no transaction: {error.message}",
                hint="remove the .close files there; they are signed again",
            ) from error

    def _read(self, grant: bytes) -> bytes:
        path = self._path(grant)
        with storage_errors(path):
            return path.read_bytes() if path.exists() else b""

    def _path(self, grant: bytes) -> Path:
        return self._folder / f"{grant.hex()}.close"
