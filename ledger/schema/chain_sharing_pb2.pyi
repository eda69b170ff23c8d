# mypy: disable-error-code="type-arg"
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeployContract(_message.Message):
    __slots__ = ("fleet", "name", "policy", "terms")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    name: str
    policy: str
    terms: Terms
    def __init__(self, fleet: _Optional[bytes] = ..., name: _Optional[str] = ..., policy: _Optional[str] = ..., terms: _Optional[_Union[Terms, _Mapping]] = ...) -> None: ...

class AmendContract(_message.Message):
    __slots__ = ("contract", "policy", "terms")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    contract: bytes
    policy: str
    terms: Terms
    def __init__(self, contract: _Optional[bytes] = ..., policy: _Optional[str] = ..., terms: _Optional[_Union[Terms, _Mapping]] = ...) -> None: ...

class WithdrawContract(_message.Message):
    __slots__ = ("contract",)
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    contract: bytes
    def __init__(self, contract: _Optional[bytes] = ...) -> None: ...

class Terms(_message.Message):
    __slots__ = ("asset", "chunk_price", "record_price", "royalties", "uses", "grant_lifetime", "expiry_height", "max_age_ns", "deposit")
    ASSET_FIELD_NUMBER: _ClassVar[int]
    CHUNK_PRICE_FIELD_NUMBER: _ClassVar[int]
    RECORD_PRICE_FIELD_NUMBER: _ClassVar[int]
    ROYALTIES_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    GRANT_LIFETIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_NS_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    asset: int
    chunk_price: int
    record_price: int
    royalties: _containers.RepeatedCompositeFieldContainer[Royalty]
    uses: int
    grant_lifetime: int
    expiry_height: int
    max_age_ns: int
    deposit: int
    def __init__(self, asset: _Optional[int] = ..., chunk_price: _Optional[int] = ..., record_price: _Optional[int] = ..., royalties: _Optional[_Iterable[_Union[Royalty, _Mapping]]] = ..., uses: _Optional[int] = ..., grant_lifetime: _Optional[int] = ..., expiry_height: _Optional[int] = ..., max_age_ns: _Optional[int] = ..., deposit: _Optional[int] = ...) -> None: ...

class Royalty(_message.Message):
    __slots__ = ("account", "parts")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    parts: int
    def __init__(self, account: _Optional[bytes] = ..., parts: _Optional[int] = ...) -> None: ...

class PostOffer(_message.Message):
    __slots__ = ("contract", "origin", "entry", "index", "path", "qualities")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    QUALITIES_FIELD_NUMBER: _ClassVar[int]
    contract: bytes
    origin: str
    entry: bytes
    index: int
    path: _containers.RepeatedScalarFieldContainer[bytes]
    qualities: _containers.RepeatedCompositeFieldContainer[QualityProof]
    def __init__(self, contract: _Optional[bytes] = ..., origin: _Optional[str] = ..., entry: _Optional[bytes] = ..., index: _Optional[int] = ..., path: _Optional[_Iterable[bytes]] = ..., qualities: _Optional[_Iterable[_Union[QualityProof, _Mapping]]] = ...) -> None: ...

class QualityProof(_message.Message):
    __slots__ = ("kind", "source", "low", "high", "proof")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    kind: int
    source: int
    low: int
    high: int
    proof: bytes
    def __init__(self, kind: _Optional[int] = ..., source: _Optional[int] = ..., low: _Optional[int] = ..., high: _Optional[int] = ..., proof: _Optional[bytes] = ...) -> None: ...

class WithdrawOffer(_message.Message):
    __slots__ = ("offer",)
    OFFER_FIELD_NUMBER: _ClassVar[int]
    offer: bytes
    def __init__(self, offer: _Optional[bytes] = ...) -> None: ...

class ContractRecord(_message.Message):
    __slots__ = ("fleet", "name", "version", "withdrawn_height")
    FLEET_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    fleet: bytes
    name: str
    version: int
    withdrawn_height: int
    def __init__(self, fleet: _Optional[bytes] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., withdrawn_height: _Optional[int] = ...) -> None: ...

class ContractVersion(_message.Message):
    __slots__ = ("policy", "terms", "height")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    policy: str
    terms: Terms
    height: int
    def __init__(self, policy: _Optional[str] = ..., terms: _Optional[_Union[Terms, _Mapping]] = ..., height: _Optional[int] = ...) -> None: ...

class OfferRecord(_message.Message):
    __slots__ = ("contract", "version", "seller", "origin", "leaf", "index", "content_root", "content_size", "kind", "media_type", "tags", "topics", "start_ns", "end_ns", "qualities", "height", "withdrawn_height", "record_id")
    CONTRACT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    START_NS_FIELD_NUMBER: _ClassVar[int]
    END_NS_FIELD_NUMBER: _ClassVar[int]
    QUALITIES_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RECORD_ID_FIELD_NUMBER: _ClassVar[int]
    contract: bytes
    version: int
    seller: bytes
    origin: str
    leaf: bytes
    index: int
    content_root: bytes
    content_size: int
    kind: str
    media_type: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    topics: _containers.RepeatedScalarFieldContainer[str]
    start_ns: int
    end_ns: int
    qualities: _containers.RepeatedCompositeFieldContainer[QualityBound]
    height: int
    withdrawn_height: int
    record_id: bytes
    def __init__(self, contract: _Optional[bytes] = ..., version: _Optional[int] = ..., seller: _Optional[bytes] = ..., origin: _Optional[str] = ..., leaf: _Optional[bytes] = ..., index: _Optional[int] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., kind: _Optional[str] = ..., media_type: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., topics: _Optional[_Iterable[str]] = ..., start_ns: _Optional[int] = ..., end_ns: _Optional[int] = ..., qualities: _Optional[_Iterable[_Union[QualityBound, _Mapping]]] = ..., height: _Optional[int] = ..., withdrawn_height: _Optional[int] = ..., record_id: _Optional[bytes] = ...) -> None: ...

class QualityBound(_message.Message):
    __slots__ = ("kind", "source", "low", "high", "offset", "scale")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    kind: int
    source: int
    low: int
    high: int
    offset: int
    scale: int
    def __init__(self, kind: _Optional[int] = ..., source: _Optional[int] = ..., low: _Optional[int] = ..., high: _Optional[int] = ..., offset: _Optional[int] = ..., scale: _Optional[int] = ...) -> None: ...
