# mypy: disable-error-code="type-arg"
from ledger.schema import chain_sharing_pb2 as _chain_sharing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenChannel(_message.Message):
    __slots__ = ("payee", "asset", "deposit", "expiry_height", "challenge", "voucher", "payword", "grant")
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    payee: bytes
    asset: int
    deposit: int
    expiry_height: int
    challenge: int
    voucher: VoucherMode
    payword: PayWordMode
    grant: bytes
    def __init__(self, payee: _Optional[bytes] = ..., asset: _Optional[int] = ..., deposit: _Optional[int] = ..., expiry_height: _Optional[int] = ..., challenge: _Optional[int] = ..., voucher: _Optional[_Union[VoucherMode, _Mapping]] = ..., payword: _Optional[_Union[PayWordMode, _Mapping]] = ..., grant: _Optional[bytes] = ...) -> None: ...

class VoucherMode(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PayWordMode(_message.Message):
    __slots__ = ("w0", "unit", "count")
    W0_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    w0: bytes
    unit: int
    count: int
    def __init__(self, w0: _Optional[bytes] = ..., unit: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class TopUpChannel(_message.Message):
    __slots__ = ("channel", "amount")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    channel: bytes
    amount: int
    def __init__(self, channel: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class Voucher(_message.Message):
    __slots__ = ("cumulative", "signature")
    CUMULATIVE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    cumulative: int
    signature: bytes
    def __init__(self, cumulative: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...

class PayWord(_message.Message):
    __slots__ = ("index", "link")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    index: int
    link: bytes
    def __init__(self, index: _Optional[int] = ..., link: _Optional[bytes] = ...) -> None: ...

class CloseChannel(_message.Message):
    __slots__ = ("channel", "voucher", "payword")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    channel: bytes
    voucher: Voucher
    payword: PayWord
    def __init__(self, channel: _Optional[bytes] = ..., voucher: _Optional[_Union[Voucher, _Mapping]] = ..., payword: _Optional[_Union[PayWord, _Mapping]] = ...) -> None: ...

class ChallengeClose(_message.Message):
    __slots__ = ("channel", "voucher", "payword")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    channel: bytes
    voucher: Voucher
    payword: PayWord
    def __init__(self, channel: _Optional[bytes] = ..., voucher: _Optional[_Union[Voucher, _Mapping]] = ..., payword: _Optional[_Union[PayWord, _Mapping]] = ...) -> None: ...

class SettleChannel(_message.Message):
    __slots__ = ("channel",)
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    channel: bytes
    def __init__(self, channel: _Optional[bytes] = ...) -> None: ...

class ChannelRecord(_message.Message):
    __slots__ = ("payer", "payee", "asset", "deposit", "expiry_height", "challenge", "voucher", "payword", "claimed", "closing_height", "link", "grant", "royalties")
    PAYER_FIELD_NUMBER: _ClassVar[int]
    PAYEE_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    VOUCHER_FIELD_NUMBER: _ClassVar[int]
    PAYWORD_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    CLOSING_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    ROYALTIES_FIELD_NUMBER: _ClassVar[int]
    payer: bytes
    payee: bytes
    asset: int
    deposit: int
    expiry_height: int
    challenge: int
    voucher: VoucherMode
    payword: PayWordMode
    claimed: int
    closing_height: int
    link: bytes
    grant: bytes
    royalties: _containers.RepeatedCompositeFieldContainer[_chain_sharing_pb2.Royalty]
    def __init__(self, payer: _Optional[bytes] = ..., payee: _Optional[bytes] = ..., asset: _Optional[int] = ..., deposit: _Optional[int] = ..., expiry_height: _Optional[int] = ..., challenge: _Optional[int] = ..., voucher: _Optional[_Union[VoucherMode, _Mapping]] = ..., payword: _Optional[_Union[PayWordMode, _Mapping]] = ..., claimed: _Optional[int] = ..., closing_height: _Optional[int] = ..., link: _Optional[bytes] = ..., grant: _Optional[bytes] = ..., royalties: _Optional[_Iterable[_Union[_chain_sharing_pb2.Royalty, _Mapping]]] = ...) -> None: ...
