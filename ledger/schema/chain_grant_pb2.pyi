# mypy: disable-error-code="type-arg"
from ledger.schema import chain_sharing_pb2 as _chain_sharing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequestGrant(_message.Message):
    __slots__ = ("offer", "use", "purpose", "time_s", "fleet", "issuer_epoch", "min_level", "role", "revocation_epoch", "presentation")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    TIME_S_FIELD_NUMBER: _ClassVar[int]
    FLEET_FIELD_NUMBER: _ClassVar[int]
    ISSUER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    MIN_LEVEL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRESENTATION_FIELD_NUMBER: _ClassVar[int]
    offer: bytes
    use: int
    purpose: str
    time_s: int
    fleet: bytes
    issuer_epoch: int
    min_level: int
    role: str
    revocation_epoch: int
    presentation: bytes
    def __init__(self, offer: _Optional[bytes] = ..., use: _Optional[int] = ..., purpose: _Optional[str] = ..., time_s: _Optional[int] = ..., fleet: _Optional[bytes] = ..., issuer_epoch: _Optional[int] = ..., min_level: _Optional[int] = ..., role: _Optional[str] = ..., revocation_epoch: _Optional[int] = ..., presentation: _Optional[bytes] = ...) -> None: ...

class PruneGrants(_message.Message):
    __slots__ = ("grants", "nullifiers")
    GRANTS_FIELD_NUMBER: _ClassVar[int]
    NULLIFIERS_FIELD_NUMBER: _ClassVar[int]
    grants: _containers.RepeatedScalarFieldContainer[bytes]
    nullifiers: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, grants: _Optional[_Iterable[bytes]] = ..., nullifiers: _Optional[_Iterable[bytes]] = ...) -> None: ...

class SetRevocationEpoch(_message.Message):
    __slots__ = ("fleet", "epoch")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    epoch: int
    def __init__(self, fleet: _Optional[bytes] = ..., epoch: _Optional[int] = ...) -> None: ...

class GrantRecord(_message.Message):
    __slots__ = ("offer", "contract", "version", "terms", "key", "fleet", "purpose", "expiry_height", "nullifier", "seller", "content_root", "content_size", "erased_height")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    FLEET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    NULLIFIER_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    ERASED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    offer: bytes
    contract: bytes
    version: int
    terms: _chain_sharing_pb2.Terms
    key: bytes
    fleet: bytes
    purpose: str
    expiry_height: int
    nullifier: bytes
    seller: bytes
    content_root: bytes
    content_size: int
    erased_height: int
    def __init__(self, offer: _Optional[bytes] = ..., contract: _Optional[bytes] = ..., version: _Optional[int] = ..., terms: _Optional[_Union[_chain_sharing_pb2.Terms, _Mapping]] = ..., key: _Optional[bytes] = ..., fleet: _Optional[bytes] = ..., purpose: _Optional[str] = ..., expiry_height: _Optional[int] = ..., nullifier: _Optional[bytes] = ..., seller: _Optional[bytes] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., erased_height: _Optional[int] = ...) -> None: ...

class NullifierRecord(_message.Message):
    __slots__ = ("contract",)
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    contract: bytes
    def __init__(self, contract: _Optional[bytes] = ...) -> None: ...

class AnonymousFees(_message.Message):
    __slots__ = ("window", "paid")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    window: int
    paid: int
    def __init__(self, window: _Optional[int] = ..., paid: _Optional[int] = ...) -> None: ...
