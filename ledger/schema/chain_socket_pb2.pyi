# mypy: disable-error-code="type-arg"
from ledger.schema import chain_pb2 as _chain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Request(_message.Message):
    __slots__ = ("number", "info", "genesis", "submit", "wait", "receipt", "answer", "signed_header", "block", "events", "checkpoint", "consistency")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    GENESIS_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    SIGNED_HEADER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    number: int
    info: Nothing
    genesis: Nothing
    submit: Submit
    wait: Wait
    receipt: bytes
    answer: Answer
    signed_header: int
    block: int
    events: Events
    checkpoint: Nothing
    consistency: Consistency
    def __init__(self, number: _Optional[int] = ..., info: _Optional[_Union[Nothing, _Mapping]] = ..., genesis: _Optional[_Union[Nothing, _Mapping]] = ..., submit: _Optional[_Union[Submit, _Mapping]] = ..., wait: _Optional[_Union[Wait, _Mapping]] = ..., receipt: _Optional[bytes] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., signed_header: _Optional[int] = ..., block: _Optional[int] = ..., events: _Optional[_Union[Events, _Mapping]] = ..., checkpoint: _Optional[_Union[Nothing, _Mapping]] = ..., consistency: _Optional[_Union[Consistency, _Mapping]] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("number", "failure", "info", "message", "admissions", "outcomes", "block", "events", "consistency")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADMISSIONS_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    number: int
    failure: Failure
    info: Info
    message: bytes
    admissions: Admissions
    outcomes: Outcomes
    block: Block
    events: BlockEvents
    consistency: Hashes
    def __init__(self, number: _Optional[int] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., info: _Optional[_Union[Info, _Mapping]] = ..., message: _Optional[bytes] = ..., admissions: _Optional[_Union[Admissions, _Mapping]] = ..., outcomes: _Optional[_Union[Outcomes, _Mapping]] = ..., block: _Optional[_Union[Block, _Mapping]] = ..., events: _Optional[_Union[BlockEvents, _Mapping]] = ..., consistency: _Optional[_Union[Hashes, _Mapping]] = ...) -> None: ...

class Nothing(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "message", "hint", "code")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    message: str
    hint: str
    code: int
    def __init__(self, kind: _Optional[str] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., code: _Optional[int] = ...) -> None: ...

class Info(_message.Message):
    __slots__ = ("chain", "origin", "height", "time_ns", "app_hash", "log_size")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    APP_HASH_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    chain: bytes
    origin: str
    height: int
    time_ns: int
    app_hash: bytes
    log_size: int
    def __init__(self, chain: _Optional[bytes] = ..., origin: _Optional[str] = ..., height: _Optional[int] = ..., time_ns: _Optional[int] = ..., app_hash: _Optional[bytes] = ..., log_size: _Optional[int] = ...) -> None: ...

class Submit(_message.Message):
    __slots__ = ("transactions", "attachments")
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    transactions: _containers.RepeatedScalarFieldContainer[bytes]
    attachments: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, transactions: _Optional[_Iterable[bytes]] = ..., attachments: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Admissions(_message.Message):
    __slots__ = ("ids", "refused")
    IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    refused: _containers.RepeatedCompositeFieldContainer[Refused]
    def __init__(self, ids: _Optional[bytes] = ..., refused: _Optional[_Iterable[_Union[Refused, _Mapping]]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("place", "code", "words")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    place: int
    code: int
    words: str
    def __init__(self, place: _Optional[int] = ..., code: _Optional[int] = ..., words: _Optional[str] = ...) -> None: ...

class Wait(_message.Message):
    __slots__ = ("ids", "timeout_ms")
    IDS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    ids: bytes
    timeout_ms: int
    def __init__(self, ids: _Optional[bytes] = ..., timeout_ms: _Optional[int] = ...) -> None: ...

class Outcomes(_message.Message):
    __slots__ = ("heights", "special")
    HEIGHTS_FIELD_NUMBER: _ClassVar[int]
    SPECIAL_FIELD_NUMBER: _ClassVar[int]
    heights: _containers.RepeatedScalarFieldContainer[int]
    special: _containers.RepeatedCompositeFieldContainer[Special]
    def __init__(self, heights: _Optional[_Iterable[int]] = ..., special: _Optional[_Iterable[_Union[Special, _Mapping]]] = ...) -> None: ...

class Special(_message.Message):
    __slots__ = ("place", "code", "words", "events")
    PLACE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    place: int
    code: int
    words: str
    events: _containers.RepeatedCompositeFieldContainer[_chain_pb2.Event]
    def __init__(self, place: _Optional[int] = ..., code: _Optional[int] = ..., words: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_chain_pb2.Event, _Mapping]]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("key", "height")
    KEY_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    height: int
    def __init__(self, key: _Optional[bytes] = ..., height: _Optional[int] = ...) -> None: ...

class Block(_message.Message):
    __slots__ = ("header", "transactions", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    transactions: _containers.RepeatedScalarFieldContainer[bytes]
    results: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[bytes] = ..., transactions: _Optional[_Iterable[bytes]] = ..., results: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("from_height", "wait_ms")
    FROM_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    from_height: int
    wait_ms: int
    def __init__(self, from_height: _Optional[int] = ..., wait_ms: _Optional[int] = ...) -> None: ...

class BlockEvents(_message.Message):
    __slots__ = ("blocks",)
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    blocks: _containers.RepeatedCompositeFieldContainer[BlockResults]
    def __init__(self, blocks: _Optional[_Iterable[_Union[BlockResults, _Mapping]]] = ...) -> None: ...

class BlockResults(_message.Message):
    __slots__ = ("header", "results")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    results: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, header: _Optional[bytes] = ..., results: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Consistency(_message.Message):
    __slots__ = ("old_size", "new_size")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    new_size: int
    def __init__(self, old_size: _Optional[int] = ..., new_size: _Optional[int] = ...) -> None: ...

class Hashes(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...
