# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Receipt(_message.Message):
    __slots__ = ("transaction", "result", "index", "result_path", "header", "header_path", "checkpoint")
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESULT_PATH_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HEADER_PATH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    transaction: bytes
    result: bytes
    index: int
    result_path: _containers.RepeatedScalarFieldContainer[bytes]
    header: bytes
    header_path: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: bytes
    def __init__(self, transaction: _Optional[bytes] = ..., result: _Optional[bytes] = ..., index: _Optional[int] = ..., result_path: _Optional[_Iterable[bytes]] = ..., header: _Optional[bytes] = ..., header_path: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class StateAnswer(_message.Message):
    __slots__ = ("proof", "header", "header_path", "checkpoint")
    PROOF_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HEADER_PATH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    proof: bytes
    header: bytes
    header_path: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: bytes
    def __init__(self, proof: _Optional[bytes] = ..., header: _Optional[bytes] = ..., header_path: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class SignedHeader(_message.Message):
    __slots__ = ("header", "header_path", "checkpoint")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HEADER_PATH_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    header: bytes
    header_path: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: bytes
    def __init__(self, header: _Optional[bytes] = ..., header_path: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...
