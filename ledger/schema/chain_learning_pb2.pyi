# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisterModel(_message.Message):
    __slots__ = ("fleet", "name", "content_root", "content_size", "inputs", "grants")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    name: str
    content_root: bytes
    content_size: int
    inputs: _containers.RepeatedScalarFieldContainer[bytes]
    grants: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, fleet: _Optional[bytes] = ..., name: _Optional[str] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., inputs: _Optional[_Iterable[bytes]] = ..., grants: _Optional[_Iterable[bytes]] = ...) -> None: ...

class WithdrawModel(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: bytes
    def __init__(self, model: _Optional[bytes] = ...) -> None: ...

class ModelRecord(_message.Message):
    __slots__ = ("fleet", "name", "content_root", "content_size", "inputs", "grants", "height", "withdrawn_height")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    name: str
    content_root: bytes
    content_size: int
    inputs: _containers.RepeatedScalarFieldContainer[bytes]
    grants: _containers.RepeatedCompositeFieldContainer[TrainedUnder]
    height: int
    withdrawn_height: int
    def __init__(self, fleet: _Optional[bytes] = ..., name: _Optional[str] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., inputs: _Optional[_Iterable[bytes]] = ..., grants: _Optional[_Iterable[_Union[TrainedUnder, _Mapping]]] = ..., height: _Optional[int] = ..., withdrawn_height: _Optional[int] = ...) -> None: ...

class TrainedUnder(_message.Message):
    __slots__ = ("grant", "contract", "version", "offer", "leaf", "content_root", "purpose")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    contract: bytes
    version: int
    offer: bytes
    leaf: bytes
    content_root: bytes
    purpose: str
    def __init__(self, grant: _Optional[bytes] = ..., contract: _Optional[bytes] = ..., version: _Optional[int] = ..., offer: _Optional[bytes] = ..., leaf: _Optional[bytes] = ..., content_root: _Optional[bytes] = ..., purpose: _Optional[str] = ...) -> None: ...
