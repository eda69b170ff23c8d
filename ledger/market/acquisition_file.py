"""The two files of an acquisition's folder that say what is wanted, and how far it is.

``wish``, written once, mode 0600::

    "quipu-wish/v1\\n" || name (16) || offer (32) || fields || SHA256(all before)
    fields = purpose, max price, min level, role, use, and mode where it is bought whole: 1

``state``, replaced whole, mode 0600::

    "quipu-acquisition/v1\\n" || u8 stage || fields || SHA256(all before)

Fields are u32be length || bytes, in the order of the state's type; a number is u64be, and of no
bytes where there is none; a record is its message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.exchange.grant import Grant
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Bought,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Kept,
    Refused,
    Requested,
    Stage,
    Streaming,
    Swapping,
    Wished,
)
from ledger.market.wish import Mode, Wish
from ledger.schema.canonical import parse_message, serialize_message
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord
from ledger.storage.os_errors import storage_errors

_WISH: Final = b"quipu-wish/v1\n"
_STATE: Final = b"quipu-acquisition/v1\n"
_NAME_SIZE: Final = 16
_DIGEST_SIZE: Final = 32

STAGES: Final[dict[type[AcquisitionState], Stage]] = {
    Wished: Stage.WISHED,
    Requested: Stage.REQUESTED,
    Granted: Stage.GRANTED,
    Funded: Stage.FUNDED,
    ChannelOpened: Stage.CHANNEL_OPENED,
    Streaming: Stage.STREAMING,
    Bought: Stage.BOUGHT,
    Closed: Stage.CLOSED,
    Kept: Stage.KEPT,
    Refused: Stage.REFUSED,
    Abandoning: Stage.ABANDONING,
    Abandoned: Stage.ABANDONED,
    Swapping: Stage.SWAPPING,
}


def stage_of(state: AcquisitionState) -> Stage:
    """The number of a state."""
    return STAGES[type(state)]


def write_wish(path: Path, name: bytes, wish: Wish) -> None:
    """Write the file, durably. Raises StorageError."""
    role = b"" if wish.role is None else b"\x01" + wish.role.encode("utf-8")
    fields = [
        wish.purpose.encode("utf-8"),
        _number(wish.max_price),
        _number(wish.min_level),
        role,
        _number(wish.use),
    ]
    if wish.mode is not Mode.STREAM:
        fields.append(_number(wish.mode))
    _write(path, _WISH + name + wish.offer + _join(fields))


def read_wish(path: Path) -> tuple[bytes, Wish]:
    """The name of an acquisition and its wish. Raises CorruptStoreError, StorageError."""
    content = _read(path, _WISH)
    try:
        name, rest = content[:_NAME_SIZE], content[_NAME_SIZE:]
        purpose, price, level, role, use, *mode = _split(rest[ID_SIZE:])
        if len(mode) > 1:
            raise MalformedError("a field too many")
        wish = Wish(
            rest[:ID_SIZE],
            purpose.decode("utf-8"),
            _read_number(price),
            _read_number(level),
            role[1:].decode("utf-8") if role else None,
            _read_number(use),
            Mode(_needed(mode[0])) if mode else Mode.STREAM,
        )
    except (MalformedError, ValueError) as error:
        raise _damaged(path) from error
    return name, wish


def write_state(path: Path, state: AcquisitionState) -> None:
    """Replace the file, durably. Raises StorageError."""
    stage = stage_of(state)
    _write(path, _STATE + bytes([stage]) + _join(_fields(state)))


def read_state(path: Path) -> AcquisitionState | None:
    """The state on disk; None where there is none. Raises CorruptStoreError, StorageError."""
    with storage_errors(path):
        if not path.exists():
            return None
    content = _read(path, _STATE)
    try:
        return _state(Stage(content[0]), _split(content[1:]))
    except (MalformedError, ValueError, IndexError) as error:
        raise _damaged(path) from error


def _fields(state: AcquisitionState) -> list[bytes]:
    match state:
        case Requested(offer=offer, use=use, request=request):
            return [serialize_message(offer, "offer"), _number(use), request]
        case Refused(code=code, words=words):
            return [_number(code), words.encode("utf-8")]
        case Granted():
            fields = [
                serialize_message(state.offer, "offer"),
                serialize_message(state.record, "grant"),
                state.grant.chain,
                state.grant.grant,
            ]
            if isinstance(state, Funded):
                fields.append(_number(state.funded))
            if isinstance(state, ChannelOpened):
                fields.append(state.channel)
            if isinstance(state, Closed):
                fields.append(_number(state.spent))
            if isinstance(state, Kept):
                fields += [state.record_id, _number(state.index)]
            if isinstance(state, Abandoning):
                fields.append(_number(state.until))
            return fields
        case Abandoned(spent=spent):
            return [_number(spent)]
        case _:
            return []


def _state(stage: Stage, fields: Sequence[bytes]) -> AcquisitionState:
    """Raises MalformedError, ValueError, IndexError."""
    match stage:
        case Stage.WISHED:
            return Wished()
        case Stage.REQUESTED:
            offer = parse_message(OfferRecord, fields[0], "offer")
            return Requested(offer, _needed(fields[1]), fields[2])
        case Stage.REFUSED:
            return Refused(ResultCode(_needed(fields[0])), fields[1].decode("utf-8"))
        case Stage.ABANDONED:
            return Abandoned(_needed(fields[0]))
    offer = parse_message(OfferRecord, fields[0], "offer")
    record = parse_message(GrantRecord, fields[1], "grant")
    grant = Grant.of_record(fields[2], fields[3], record)
    if stage is Stage.GRANTED:
        return Granted(offer, record, grant)
    funded = _needed(fields[4])
    if stage is Stage.FUNDED:
        return Funded(offer, record, grant, funded)
    if stage is Stage.SWAPPING:
        return Swapping(offer, record, grant, funded)
    opened = (offer, record, grant, funded, fields[5])
    match stage:
        case Stage.CHANNEL_OPENED:
            return ChannelOpened(*opened)
        case Stage.STREAMING:
            return Streaming(*opened)
        case Stage.BOUGHT:
            return Bought(*opened)
        case Stage.ABANDONING:
            return Abandoning(*opened, _needed(fields[6]))
        case Stage.CLOSED:
            return Closed(*opened, _needed(fields[6]))
        case _:
            return Kept(*opened, _needed(fields[6]), fields[7], _needed(fields[8]))


def _write(path: Path, content: bytes) -> None:
    with storage_errors(path):
        write_durably(path, content + sha256(content).digest(), mode=PRIVATE)


def _read(path: Path, magic: bytes) -> bytes:
    with storage_errors(path):
        data = path.read_bytes()
    content, digest = data[:-_DIGEST_SIZE], data[-_DIGEST_SIZE:]
    if not content.startswith(magic) or sha256(content).digest() != digest:
        raise _damaged(path)
    return content[len(magic) :]


def _damaged(path: Path) -> CorruptStoreError:
    return CorruptStoreError(
        f"{path} is damaged: its content is not what was written",
        hint="take it from a copy; the money of its one-time key is in the wallet beside it",
    )


def _join(fields: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in fields)


def _split(data: bytes) -> list[bytes]:
    return list(_parts(data))


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            raise MalformedError("a field is cut off")
        yield data[at + 4 : end]
        at = end


def _number(value: int | None) -> bytes:
    return b"" if value is None else value.to_bytes(8, "big")


def _read_number(field: bytes) -> int | None:
    return int.from_bytes(field, "big") if field else None


def _needed(field: bytes) -> int:
    if len(field) != 8:
        raise MalformedError("a number is 8 bytes")
    return int.from_bytes(field, "big")
