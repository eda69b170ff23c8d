"""What is offered on a chain: found by walking its blocks, shown with proofs.

The blocks' events say which offers there are; they are the engine's word, and only lead to
what is then read from the state with its proof, each time that it is shown. An engine that
leaves events out hides offers, and can do no more.

How far the walk came is kept in one file, which may be removed at any time::

    "quipu-catalogue/v1\\n" || chain id (32) || u64be height || rows || SHA256(all before)
    row = offer id (32) || u32be length || OfferRecord as it was when it was found

A file that is damaged, or of another chain, is walked again from block 1.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import Final

from ledger.chain.fleets import fleet_id
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import (
    contract_key,
    contract_version_key,
    fleet_key,
    offer_key,
    robot_key,
    withdrawn_key,
)
from ledger.durable_file import write_durably
from ledger.errors import MalformedError, NotFoundError
from ledger.experience.private_folder import make_private_folder
from ledger.market.listing import Listing, Search
from ledger.schema.canonical import parse_message, serialize_message
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, FleetRecord, RobotRecord
from ledger.schema.chain_pb2 import EVENT_KIND_OFFER_POSTED, EVENT_KIND_OFFER_WITHDRAWN
from ledger.schema.chain_sharing_pb2 import ContractRecord, ContractVersion, OfferRecord
from ledger.storage.os_errors import storage_errors

_MAGIC: Final = b"quipu-catalogue/v1\n"
_HEAD: Final = Struct(">32sQ")
_ROW: Final = Struct(">32sI")
_DIGEST_SIZE: Final = 32
NO_SEARCH: Final = Search()


class Catalogue:
    """The offers of one chain. One thread at a time.

    Methods raise as `ProvenChain` does, and StorageError.
    """

    def __init__(self, chain: ProvenChain, path: Path | None = None) -> None:
        """``path`` is where the walk is kept; without one it begins anew each time."""
        self._chain: Final = chain
        self._path: Final = path
        self._height, self._found = self._read()

    @property
    def height(self) -> int:
        """The block up to which offers were looked for."""
        return self._height

    def update(self) -> int:
        """Walk on to the newest block; how many offers were found or withdrawn."""
        news = 0
        before = self._height
        for block in self._chain.blocks(before + 1):
            for result in block.results:
                for event in result.events:
                    if event.kind in (EVENT_KIND_OFFER_POSTED, EVENT_KIND_OFFER_WITHDRAWN):
                        self._learn(event.subject)
                        news += 1
            self._height = block.height
        if self._height > before:
            self._write()
        return news

    def search(self, search: Search = NO_SEARCH) -> tuple[Listing, ...]:
        """The offers that are looked for, each read again with its proof.

        Looks no further than the last `update`. What is granted to nobody is left out.
        """
        known = [name for name, record in self._found.items() if search.fits_record(record)]
        listings = [listing for name in known if (listing := self._listing(name)) is not None]
        return search.ordered([each for each in listings if search.fits(each)])

    def find(self, offer: bytes) -> Listing:
        """One offer, known here or not. Raises NotFoundError for one that does not stand."""
        return find_listing(self._chain, offer)

    def resolve(self, prefix: str) -> bytes:
        """The one known offer whose id, in hexadecimal, begins so.

        Raises NotFoundError for none, MalformedError for several.
        """
        names = [name for name in self._found if name.hex().startswith(prefix.lower())]
        if not names:
            raise NotFoundError(
                f"no offer {prefix[:64]} is known", hint="`quipu market` lists them"
            )
        if len(names) > 1:
            raise MalformedError(
                f"{len(names)} offers begin with {prefix}", hint="write more of it"
            )
        return names[0]

    def _learn(self, offer: bytes) -> None:
        record = self._chain.read(OfferRecord, offer_key(offer))
        if record is None or record.withdrawn_height:
            self._found.pop(offer, None)
        else:
            self._found[offer] = record

    def _listing(self, offer: bytes) -> Listing | None:
        try:
            listing = find_listing(self._chain, offer)
        except NotFoundError:
            return None
        return listing if is_grantable(self._chain, listing) else None

    def _read(self) -> tuple[int, dict[bytes, OfferRecord]]:
        if self._path is None:
            return 0, {}
        with storage_errors(self._path):
            data = self._path.read_bytes() if self._path.exists() else b""
        try:
            return _decode(self._chain.chain, data)
        except MalformedError:
            return 0, {}

    def _write(self) -> None:
        if self._path is None:
            return
        parts = [_MAGIC, _HEAD.pack(self._chain.chain, self._height)]
        for name, record in sorted(self._found.items()):
            encoded = serialize_message(record, "offer")
            parts += [_ROW.pack(name, len(encoded)), encoded]
        content = b"".join(parts)
        make_private_folder(self._path.parent)
        with storage_errors(self._path):
            write_durably(self._path, content + sha256(content).digest())


def find_listing(chain: ProvenChain, offer: bytes) -> Listing:
    """An offer with its contract's newest version, each with its proof.

    Raises NotFoundError for an offer that there is none of, or that was withdrawn, or whose
    contract was.
    """
    record = chain.read(OfferRecord, offer_key(offer))
    if record is None or record.withdrawn_height:
        raise NotFoundError("there is no such offer, or no longer", hint="look for others")
    contract = chain.read(ContractRecord, contract_key(record.contract))
    if contract is None or contract.withdrawn_height:
        raise NotFoundError("the contract of this offer was withdrawn", hint="look for others")
    version = chain.prove(ContractVersion, contract_version_key(record.contract, contract.version))
    fleet = chain.read(FleetRecord, fleet_key(contract.fleet))
    if (
        version.record is None
        or fleet is None
        or fleet_id(chain.chain, fleet.name) != contract.fleet
    ):
        raise MalformedError("the chain's state has a contract without a version or a fleet")
    return Listing(
        offer,
        record,
        contract,
        version.record,
        fleet.name,
        version.header.height,
        version.header.time_ns,
    )


def is_grantable(chain: ProvenChain, listing: Listing) -> bool:
    """Whether anybody can be granted an offer now, as far as it is not for a policy to say.

    Not under a contract that has expired; nothing of a robot whose log forked; and nothing of
    which consent is withdrawn. How old it may be is for `Listing.is_fresh` to say.
    """
    record, expiry = listing.record, listing.terms.expiry_height
    if expiry and listing.height >= expiry:
        return False
    robot = chain.read(RobotRecord, robot_key(record.origin))
    if robot is None or robot.status == ROBOT_STATUS_FROZEN:
        return False
    return chain.row(withdrawn_key(record.origin, record.record_id)) is None


def _decode(chain: bytes, data: bytes) -> tuple[int, dict[bytes, OfferRecord]]:
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not content.startswith(_MAGIC) or sha256(content).digest() != digest:
        raise MalformedError("no catalogue")
    at = len(_MAGIC) + _HEAD.size
    of, height = _HEAD.unpack(content[len(_MAGIC) : at])
    if of != chain:
        raise MalformedError("the catalogue of another chain")
    found: dict[bytes, OfferRecord] = {}
    while at < len(content):
        name, length = _ROW.unpack(content[at : at + _ROW.size])
        at += _ROW.size
        found[name] = parse_message(OfferRecord, content[at : at + length], "offer")
        at += length
    return height, found
