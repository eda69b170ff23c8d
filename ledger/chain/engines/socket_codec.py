"""The values that go over a chain's socket, to and from ``ledger/schema/chain_socket.proto``.

Reading raises MalformedError for what cannot be a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger import errors
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.engines import service
from ledger.chain.engines.service import Block, BlockEvents, Dropped, Inclusion, Outcome
from ledger.chain.header import Header
from ledger.chain.leaf import ID_SIZE
from ledger.chain.machine.proposal import Admission, Info
from ledger.errors import ConflictError, LedgerError, MalformedError
from ledger.schema import chain_socket_pb2 as wire

_ERRORS: Final[dict[str, type[LedgerError]]] = {
    name: kind
    for module in (errors, service)
    for name, kind in vars(module).items()
    if isinstance(kind, type)
    and issubclass(kind, LedgerError)
    and kind not in (ConflictError, RefusalError)
}
_REFUSAL: Final = RefusalError.__name__


def failure_message(error: LedgerError) -> wire.Failure:
    """An error, to be raised at the other end."""
    if isinstance(error, RefusalError):
        return wire.Failure(
            kind=_REFUSAL, message=error.message, hint=error.hint or "", code=error.code
        )
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS)
    return wire.Failure(kind=name, message=error.message, hint=error.hint or "")


def error_of(message: wire.Failure) -> LedgerError:
    """The error that was raised at the other end."""
    hint = message.hint or None
    if message.kind == _REFUSAL:
        return RefusalError(_code(message.code), message.message, hint=hint)
    return _ERRORS.get(message.kind, service.EngineError)(message.message, hint=hint)


def info_message(info: Info) -> wire.Info:
    """Where a chain stands."""
    return wire.Info(
        chain=info.chain,
        origin=info.origin,
        height=info.height,
        time_ns=info.time_ns,
        app_hash=info.app_hash,
        log_size=info.log_size,
    )


def info_of(message: wire.Info) -> Info:
    """Where a chain stands, read."""
    return Info(
        message.chain,
        message.origin,
        message.height,
        message.time_ns,
        message.app_hash,
        message.log_size,
    )


def join_ids(ids: Sequence[bytes]) -> bytes:
    """Ids one after another. Raises MalformedError for what is no id."""
    if any(len(each) != ID_SIZE for each in ids):
        raise MalformedError(f"a transaction's id is {ID_SIZE} bytes")
    return b"".join(ids)


def split_ids(joined: bytes) -> list[bytes]:
    """The ids that were joined."""
    if len(joined) % ID_SIZE:
        raise MalformedError(f"ids are {ID_SIZE} bytes each")
    return [joined[at : at + ID_SIZE] for at in range(0, len(joined), ID_SIZE)]


def admissions_message(admissions: Sequence[Admission]) -> wire.Admissions:
    """What is said of transactions that were submitted."""
    return wire.Admissions(
        ids=join_ids([each.id for each in admissions]),
        refused=[
            wire.Refused(place=place, code=each.code, words=each.words)
            for place, each in enumerate(admissions)
            if not each.ok
        ],
    )


def admissions_of(message: wire.Admissions) -> list[Admission]:
    """What was said of transactions that were submitted."""
    admissions = [Admission(each, ResultCode.OK) for each in split_ids(message.ids)]
    for refused in message.refused:
        place = _place(refused.place, admissions)
        admissions[place] = Admission(admissions[place].id, _code(refused.code), refused.words)
    return admissions


def outcomes_message(outcomes: Sequence[Outcome]) -> wire.Outcomes:
    """What came of transactions."""
    message = wire.Outcomes()
    for place, each in enumerate(outcomes):
        if isinstance(each, Dropped):
            message.heights.append(0)
            message.special.add(place=place, code=each.code, words=each.words)
            continue
        message.heights.append(each.height)
        if each.code or each.events:
            message.special.add(place=place, code=each.code, events=each.events)
    return message


def outcomes_of(message: wire.Outcomes, ids: Sequence[bytes]) -> list[Outcome]:
    """What came of the transactions that were asked about."""
    if len(message.heights) != len(ids):
        raise MalformedError("an answer about other transactions than were asked about")
    outcomes: list[Outcome] = [
        Inclusion(each, height, ResultCode.OK)
        for each, height in zip(ids, message.heights, strict=True)
    ]
    for special in message.special:
        place = _place(special.place, outcomes)
        height = message.heights[place]
        outcomes[place] = (
            Inclusion(ids[place], height, special.code, tuple(special.events))
            if height
            else Dropped(ids[place], _code(special.code), special.words)
        )
    return outcomes


def block_message(block: Block) -> wire.Block:
    """A block."""
    return wire.Block(
        header=block.header.encode(), transactions=block.transactions, results=block.results
    )


def block_of(message: wire.Block) -> Block:
    """The block in a message."""
    return Block(Header.parse(message.header), list(message.transactions), list(message.results))


def events_message(events: Sequence[BlockEvents]) -> wire.BlockEvents:
    """What happened in blocks."""
    blocks = [
        wire.BlockResults(header=each.header.encode(), results=each.encoded) for each in events
    ]
    return wire.BlockEvents(blocks=blocks)


def events_of(message: wire.BlockEvents) -> list[BlockEvents]:
    """What happened in blocks, read."""
    return [BlockEvents(Header.parse(each.header), list(each.results)) for each in message.blocks]


def _code(number: int) -> ResultCode:
    try:
        return ResultCode(number)
    except ValueError:
        raise MalformedError(f"there is no code {number}") from None


def _place(place: int, among: Sequence[object]) -> int:
    if place >= len(among):
        raise MalformedError(f"place {place} of {len(among)}")
    return place
