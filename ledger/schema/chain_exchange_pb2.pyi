# mypy: disable-error-code="type-arg"
from ledger.schema import chain_sharing_pb2 as _chain_sharing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProposeSale(_message.Message):
    __slots__ = ("grant", "unit_root", "key_hash", "lock_height", "reveal_blocks", "complaint_blocks")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    UNIT_ROOT_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    LOCK_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REVEAL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    unit_root: bytes
    key_hash: bytes
    lock_height: int
    reveal_blocks: int
    complaint_blocks: int
    def __init__(self, grant: _Optional[bytes] = ..., unit_root: _Optional[bytes] = ..., key_hash: _Optional[bytes] = ..., lock_height: _Optional[int] = ..., reveal_blocks: _Optional[int] = ..., complaint_blocks: _Optional[int] = ...) -> None: ...

class LockSale(_message.Message):
    __slots__ = ("sale",)
    SALE_FIELD_NUMBER: _ClassVar[int]
    sale: bytes
    def __init__(self, sale: _Optional[bytes] = ...) -> None: ...

class RevealKey(_message.Message):
    __slots__ = ("sale", "key")
    SALE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    sale: bytes
    key: bytes
    def __init__(self, sale: _Optional[bytes] = ..., key: _Optional[bytes] = ...) -> None: ...

class ComplainSale(_message.Message):
    __slots__ = ("sale", "index", "unit", "unit_path", "leaf", "leaf_path")
    SALE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    UNIT_PATH_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    LEAF_PATH_FIELD_NUMBER: _ClassVar[int]
    sale: bytes
    index: int
    unit: bytes
    unit_path: _containers.RepeatedScalarFieldContainer[bytes]
    leaf: bytes
    leaf_path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, sale: _Optional[bytes] = ..., index: _Optional[int] = ..., unit: _Optional[bytes] = ..., unit_path: _Optional[_Iterable[bytes]] = ..., leaf: _Optional[bytes] = ..., leaf_path: _Optional[_Iterable[bytes]] = ...) -> None: ...

class RefundSale(_message.Message):
    __slots__ = ("sale",)
    SALE_FIELD_NUMBER: _ClassVar[int]
    sale: bytes
    def __init__(self, sale: _Optional[bytes] = ...) -> None: ...

class SettleSale(_message.Message):
    __slots__ = ("sale",)
    SALE_FIELD_NUMBER: _ClassVar[int]
    sale: bytes
    def __init__(self, sale: _Optional[bytes] = ...) -> None: ...

class SaleRecord(_message.Message):
    __slots__ = ("grant", "seller", "buyer", "asset", "price", "deposit", "royalties", "content_root", "content_size", "unit_root", "key_hash", "lock_height", "reveal_blocks", "complaint_blocks", "reveal_height", "complaint_height", "key")
    GRANT_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    BUYER_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    ROYALTIES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    UNIT_ROOT_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    LOCK_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REVEAL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    REVEAL_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    COMPLAINT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    grant: bytes
    seller: bytes
    buyer: bytes
    asset: int
    price: int
    deposit: int
    royalties: _containers.RepeatedCompositeFieldContainer[_chain_sharing_pb2.Royalty]
    content_root: bytes
    content_size: int
    unit_root: bytes
    key_hash: bytes
    lock_height: int
    reveal_blocks: int
    complaint_blocks: int
    reveal_height: int
    complaint_height: int
    key: bytes
    def __init__(self, grant: _Optional[bytes] = ..., seller: _Optional[bytes] = ..., buyer: _Optional[bytes] = ..., asset: _Optional[int] = ..., price: _Optional[int] = ..., deposit: _Optional[int] = ..., royalties: _Optional[_Iterable[_Union[_chain_sharing_pb2.Royalty, _Mapping]]] = ..., content_root: _Optional[bytes] = ..., content_size: _Optional[int] = ..., unit_root: _Optional[bytes] = ..., key_hash: _Optional[bytes] = ..., lock_height: _Optional[int] = ..., reveal_blocks: _Optional[int] = ..., complaint_blocks: _Optional[int] = ..., reveal_height: _Optional[int] = ..., complaint_height: _Optional[int] = ..., key: _Optional[bytes] = ...) -> None: ...
