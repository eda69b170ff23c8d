# mypy: disable-error-code="type-arg"
from ledger.schema import chain_payment_pb2 as _chain_payment_pb2
from ledger.schema import chain_identity_pb2 as _chain_identity_pb2
from ledger.schema import chain_anchor_pb2 as _chain_anchor_pb2
from ledger.schema import chain_channel_pb2 as _chain_channel_pb2
from ledger.schema import chain_consent_pb2 as _chain_consent_pb2
from ledger.schema import chain_sharing_pb2 as _chain_sharing_pb2
from ledger.schema import chain_grant_pb2 as _chain_grant_pb2
from ledger.schema import chain_exchange_pb2 as _chain_exchange_pb2
from ledger.schema import chain_learning_pb2 as _chain_learning_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_FLEET_CREATED: _ClassVar[EventKind]
    EVENT_KIND_ROBOT_REGISTERED: _ClassVar[EventKind]
    EVENT_KIND_KEY_ROTATED: _ClassVar[EventKind]
    EVENT_KIND_ROBOT_RETIRED: _ClassVar[EventKind]
    EVENT_KIND_RECOVERY_BEGUN: _ClassVar[EventKind]
    EVENT_KIND_ANCHORED: _ClassVar[EventKind]
    EVENT_KIND_FROZEN: _ClassVar[EventKind]
    EVENT_KIND_CHANNEL_OPENED: _ClassVar[EventKind]
    EVENT_KIND_CHANNEL_CLOSING: _ClassVar[EventKind]
    EVENT_KIND_CHANNEL_CLOSED: _ClassVar[EventKind]
    EVENT_KIND_CONSENT_GRANTED: _ClassVar[EventKind]
    EVENT_KIND_CONSENT_WITHDRAWN: _ClassVar[EventKind]
    EVENT_KIND_ERASURE_REPORTED: _ClassVar[EventKind]
    EVENT_KIND_MINTED: _ClassVar[EventKind]
    EVENT_KIND_PAID: _ClassVar[EventKind]
    EVENT_KIND_CHANNEL_TOPPED_UP: _ClassVar[EventKind]
    EVENT_KIND_ERASURE_CONFIRMED: _ClassVar[EventKind]
    EVENT_KIND_CONSENT_ACKNOWLEDGED: _ClassVar[EventKind]
    EVENT_KIND_ROYALTY_PAID: _ClassVar[EventKind]
    EVENT_KIND_CONTRACT_DEPLOYED: _ClassVar[EventKind]
    EVENT_KIND_CONTRACT_AMENDED: _ClassVar[EventKind]
    EVENT_KIND_CONTRACT_WITHDRAWN: _ClassVar[EventKind]
    EVENT_KIND_OFFER_POSTED: _ClassVar[EventKind]
    EVENT_KIND_OFFER_WITHDRAWN: _ClassVar[EventKind]
    EVENT_KIND_GRANTED: _ClassVar[EventKind]
    EVENT_KIND_SALE_PROPOSED: _ClassVar[EventKind]
    EVENT_KIND_SALE_LOCKED: _ClassVar[EventKind]
    EVENT_KIND_KEY_REVEALED: _ClassVar[EventKind]
    EVENT_KIND_SALE_COMPLAINED: _ClassVar[EventKind]
    EVENT_KIND_SALE_REFUNDED: _ClassVar[EventKind]
    EVENT_KIND_SALE_SETTLED: _ClassVar[EventKind]
    EVENT_KIND_MODEL_REGISTERED: _ClassVar[EventKind]
    EVENT_KIND_MODEL_WITHDRAWN: _ClassVar[EventKind]
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_FLEET_CREATED: EventKind
EVENT_KIND_ROBOT_REGISTERED: EventKind
EVENT_KIND_KEY_ROTATED: EventKind
EVENT_KIND_ROBOT_RETIRED: EventKind
EVENT_KIND_RECOVERY_BEGUN: EventKind
EVENT_KIND_ANCHORED: EventKind
EVENT_KIND_FROZEN: EventKind
EVENT_KIND_CHANNEL_OPENED: EventKind
EVENT_KIND_CHANNEL_CLOSING: EventKind
EVENT_KIND_CHANNEL_CLOSED: EventKind
EVENT_KIND_CONSENT_GRANTED: EventKind
EVENT_KIND_CONSENT_WITHDRAWN: EventKind
EVENT_KIND_ERASURE_REPORTED: EventKind
EVENT_KIND_MINTED: EventKind
EVENT_KIND_PAID: EventKind
EVENT_KIND_CHANNEL_TOPPED_UP: EventKind
EVENT_KIND_ERASURE_CONFIRMED: EventKind
EVENT_KIND_CONSENT_ACKNOWLEDGED: EventKind
EVENT_KIND_ROYALTY_PAID: EventKind
EVENT_KIND_CONTRACT_DEPLOYED: EventKind
EVENT_KIND_CONTRACT_AMENDED: EventKind
EVENT_KIND_CONTRACT_WITHDRAWN: EventKind
EVENT_KIND_OFFER_POSTED: EventKind
EVENT_KIND_OFFER_WITHDRAWN: EventKind
EVENT_KIND_GRANTED: EventKind
EVENT_KIND_SALE_PROPOSED: EventKind
EVENT_KIND_SALE_LOCKED: EventKind
EVENT_KIND_KEY_REVEALED: EventKind
EVENT_KIND_SALE_COMPLAINED: EventKind
EVENT_KIND_SALE_REFUNDED: EventKind
EVENT_KIND_SALE_SETTLED: EventKind
EVENT_KIND_MODEL_REGISTERED: EventKind
EVENT_KIND_MODEL_WITHDRAWN: EventKind

class Genesis(_message.Message):
    __slots__ = ("version", "origin", "time_ns", "parameters", "governors", "assets", "allocations")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    GOVERNORS_FIELD_NUMBER: _ClassVar[int]
    ASSETS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    version: int
    origin: str
    time_ns: int
    parameters: Parameters
    governors: Governors
    assets: _containers.RepeatedCompositeFieldContainer[_chain_payment_pb2.Asset]
    allocations: _containers.RepeatedCompositeFieldContainer[Allocation]
    def __init__(self, version: _Optional[int] = ..., origin: _Optional[str] = ..., time_ns: _Optional[int] = ..., parameters: _Optional[_Union[Parameters, _Mapping]] = ..., governors: _Optional[_Union[Governors, _Mapping]] = ..., assets: _Optional[_Iterable[_Union[_chain_payment_pb2.Asset, _Mapping]]] = ..., allocations: _Optional[_Iterable[_Union[Allocation, _Mapping]]] = ...) -> None: ...

class Parameters(_message.Message):
    __slots__ = ("min_fee", "treasury", "max_block_transactions", "max_block_bytes", "cap_delay", "recovery_delay", "max_overlap", "min_challenge", "policy_engine")
    MIN_FEE_FIELD_NUMBER: _ClassVar[int]
    TREASURY_FIELD_NUMBER: _ClassVar[int]
    MAX_BLOCK_TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_BLOCK_BYTES_FIELD_NUMBER: _ClassVar[int]
    CAP_DELAY_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_DELAY_FIELD_NUMBER: _ClassVar[int]
    MAX_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    MIN_CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    POLICY_ENGINE_FIELD_NUMBER: _ClassVar[int]
    min_fee: int
    treasury: bytes
    max_block_transactions: int
    max_block_bytes: int
    cap_delay: int
    recovery_delay: int
    max_overlap: int
    min_challenge: int
    policy_engine: int
    def __init__(self, min_fee: _Optional[int] = ..., treasury: _Optional[bytes] = ..., max_block_transactions: _Optional[int] = ..., max_block_bytes: _Optional[int] = ..., cap_delay: _Optional[int] = ..., recovery_delay: _Optional[int] = ..., max_overlap: _Optional[int] = ..., min_challenge: _Optional[int] = ..., policy_engine: _Optional[int] = ...) -> None: ...

class Governors(_message.Message):
    __slots__ = ("threshold", "keys")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    threshold: int
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, threshold: _Optional[int] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Allocation(_message.Message):
    __slots__ = ("account", "asset", "amount")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    account: bytes
    asset: int
    amount: int
    def __init__(self, account: _Optional[bytes] = ..., asset: _Optional[int] = ..., amount: _Optional[int] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("body", "signature")
    BODY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    signature: bytes
    def __init__(self, body: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class TransactionBody(_message.Message):
    __slots__ = ("version", "signer", "sequence", "expiry_height", "fee", "sponsor", "attachments", "transfer", "mint", "create_asset", "set_spending_cap", "create_fleet", "change_authority", "set_issuer_key", "pay_from_pool", "set_sponsorship", "set_witness_policy", "register_robot", "rotate_key", "retire_key", "retire_robot", "begin_recovery", "cancel_recovery", "complete_recovery", "anchor_checkpoint", "report_fork", "open_channel", "top_up_channel", "close_channel", "challenge_close", "settle_channel", "grant_consent", "withdraw_consent", "report_erasure", "confirm_erasure", "acknowledge_consent", "deploy_contract", "amend_contract", "withdraw_contract", "post_offer", "withdraw_offer", "request_grant", "prune_grants", "set_revocation_epoch", "propose_sale", "lock_sale", "reveal_key", "complain_sale", "refund_sale", "settle_sale", "register_model", "withdraw_model")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    SPONSOR_FIELD_NUMBER: _ClassVar[int]
    ATTACHMENTS_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    MINT_FIELD_NUMBER: _ClassVar[int]
    CREATE_ASSET_FIELD_NUMBER: _ClassVar[int]
    SET_SPENDING_CAP_FIELD_NUMBER: _ClassVar[int]
    CREATE_FLEET_FIELD_NUMBER: _ClassVar[int]
    CHANGE_AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SET_ISSUER_KEY_FIELD_NUMBER: _ClassVar[int]
    PAY_FROM_POOL_FIELD_NUMBER: _ClassVar[int]
    SET_SPONSORSHIP_FIELD_NUMBER: _ClassVar[int]
    SET_WITNESS_POLICY_FIELD_NUMBER: _ClassVar[int]
    REGISTER_ROBOT_FIELD_NUMBER: _ClassVar[int]
    ROTATE_KEY_FIELD_NUMBER: _ClassVar[int]
    RETIRE_KEY_FIELD_NUMBER: _ClassVar[int]
    RETIRE_ROBOT_FIELD_NUMBER: _ClassVar[int]
    BEGIN_RECOVERY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_RECOVERY_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_RECOVERY_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FORK_FIELD_NUMBER: _ClassVar[int]
    OPEN_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    TOP_UP_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CLOSE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_CLOSE_FIELD_NUMBER: _ClassVar[int]
    SETTLE_CHANNEL_FIELD_NUMBER: _ClassVar[int]
    GRANT_CONSENT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_CONSENT_FIELD_NUMBER: _ClassVar[int]
    REPORT_ERASURE_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_ERASURE_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_CONSENT_FIELD_NUMBER: _ClassVar[int]
    DEPLOY_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    AMEND_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    POST_OFFER_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_OFFER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_GRANT_FIELD_NUMBER: _ClassVar[int]
    PRUNE_GRANTS_FIELD_NUMBER: _ClassVar[int]
    SET_REVOCATION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_SALE_FIELD_NUMBER: _ClassVar[int]
    LOCK_SALE_FIELD_NUMBER: _ClassVar[int]
    REVEAL_KEY_FIELD_NUMBER: _ClassVar[int]
    COMPLAIN_SALE_FIELD_NUMBER: _ClassVar[int]
    REFUND_SALE_FIELD_NUMBER: _ClassVar[int]
    SETTLE_SALE_FIELD_NUMBER: _ClassVar[int]
    REGISTER_MODEL_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_MODEL_FIELD_NUMBER: _ClassVar[int]
    version: int
    signer: bytes
    sequence: int
    expiry_height: int
    fee: int
    sponsor: bytes
    attachments: _containers.RepeatedCompositeFieldContainer[Attachment]
    transfer: _chain_payment_pb2.Transfer
    mint: _chain_payment_pb2.Mint
    create_asset: _chain_payment_pb2.CreateAsset
    set_spending_cap: _chain_payment_pb2.SetSpendingCap
    create_fleet: _chain_identity_pb2.CreateFleet
    change_authority: _chain_identity_pb2.ChangeAuthority
    set_issuer_key: _chain_identity_pb2.SetIssuerKey
    pay_from_pool: _chain_identity_pb2.PayFromPool
    set_sponsorship: _chain_identity_pb2.SetSponsorship
    set_witness_policy: _chain_identity_pb2.SetWitnessPolicy
    register_robot: _chain_identity_pb2.RegisterRobot
    rotate_key: _chain_identity_pb2.RotateKey
    retire_key: _chain_identity_pb2.RetireKey
    retire_robot: _chain_identity_pb2.RetireRobot
    begin_recovery: _chain_identity_pb2.BeginRecovery
    cancel_recovery: _chain_identity_pb2.CancelRecovery
    complete_recovery: _chain_identity_pb2.CompleteRecovery
    anchor_checkpoint: _chain_anchor_pb2.AnchorCheckpoint
    report_fork: _chain_anchor_pb2.ReportFork
    open_channel: _chain_channel_pb2.OpenChannel
    top_up_channel: _chain_channel_pb2.TopUpChannel
    close_channel: _chain_channel_pb2.CloseChannel
    challenge_close: _chain_channel_pb2.ChallengeClose
    settle_channel: _chain_channel_pb2.SettleChannel
    grant_consent: _chain_consent_pb2.GrantConsent
    withdraw_consent: _chain_consent_pb2.WithdrawConsent
    report_erasure: _chain_consent_pb2.ReportErasure
    confirm_erasure: _chain_consent_pb2.ConfirmErasure
    acknowledge_consent: _chain_consent_pb2.AcknowledgeConsent
    deploy_contract: _chain_sharing_pb2.DeployContract
    amend_contract: _chain_sharing_pb2.AmendContract
    withdraw_contract: _chain_sharing_pb2.WithdrawContract
    post_offer: _chain_sharing_pb2.PostOffer
    withdraw_offer: _chain_sharing_pb2.WithdrawOffer
    request_grant: _chain_grant_pb2.RequestGrant
    prune_grants: _chain_grant_pb2.PruneGrants
    set_revocation_epoch: _chain_grant_pb2.SetRevocationEpoch
    propose_sale: _chain_exchange_pb2.ProposeSale
    lock_sale: _chain_exchange_pb2.LockSale
    reveal_key: _chain_exchange_pb2.RevealKey
    complain_sale: _chain_exchange_pb2.ComplainSale
    refund_sale: _chain_exchange_pb2.RefundSale
    settle_sale: _chain_exchange_pb2.SettleSale
    register_model: _chain_learning_pb2.RegisterModel
    withdraw_model: _chain_learning_pb2.WithdrawModel
    def __init__(self, version: _Optional[int] = ..., signer: _Optional[bytes] = ..., sequence: _Optional[int] = ..., expiry_height: _Optional[int] = ..., fee: _Optional[int] = ..., sponsor: _Optional[bytes] = ..., attachments: _Optional[_Iterable[_Union[Attachment, _Mapping]]] = ..., transfer: _Optional[_Union[_chain_payment_pb2.Transfer, _Mapping]] = ..., mint: _Optional[_Union[_chain_payment_pb2.Mint, _Mapping]] = ..., create_asset: _Optional[_Union[_chain_payment_pb2.CreateAsset, _Mapping]] = ..., set_spending_cap: _Optional[_Union[_chain_payment_pb2.SetSpendingCap, _Mapping]] = ..., create_fleet: _Optional[_Union[_chain_identity_pb2.CreateFleet, _Mapping]] = ..., change_authority: _Optional[_Union[_chain_identity_pb2.ChangeAuthority, _Mapping]] = ..., set_issuer_key: _Optional[_Union[_chain_identity_pb2.SetIssuerKey, _Mapping]] = ..., pay_from_pool: _Optional[_Union[_chain_identity_pb2.PayFromPool, _Mapping]] = ..., set_sponsorship: _Optional[_Union[_chain_identity_pb2.SetSponsorship, _Mapping]] = ..., set_witness_policy: _Optional[_Union[_chain_identity_pb2.SetWitnessPolicy, _Mapping]] = ..., register_robot: _Optional[_Union[_chain_identity_pb2.RegisterRobot, _Mapping]] = ..., rotate_key: _Optional[_Union[_chain_identity_pb2.RotateKey, _Mapping]] = ..., retire_key: _Optional[_Union[_chain_identity_pb2.RetireKey, _Mapping]] = ..., retire_robot: _Optional[_Union[_chain_identity_pb2.RetireRobot, _Mapping]] = ..., begin_recovery: _Optional[_Union[_chain_identity_pb2.BeginRecovery, _Mapping]] = ..., cancel_recovery: _Optional[_Union[_chain_identity_pb2.CancelRecovery, _Mapping]] = ..., complete_recovery: _Optional[_Union[_chain_identity_pb2.CompleteRecovery, _Mapping]] = ..., anchor_checkpoint: _Optional[_Union[_chain_anchor_pb2.AnchorCheckpoint, _Mapping]] = ..., report_fork: _Optional[_Union[_chain_anchor_pb2.ReportFork, _Mapping]] = ..., open_channel: _Optional[_Union[_chain_channel_pb2.OpenChannel, _Mapping]] = ..., top_up_channel: _Optional[_Union[_chain_channel_pb2.TopUpChannel, _Mapping]] = ..., close_channel: _Optional[_Union[_chain_channel_pb2.CloseChannel, _Mapping]] = ..., challenge_close: _Optional[_Union[_chain_channel_pb2.ChallengeClose, _Mapping]] = ..., settle_channel: _Optional[_Union[_chain_channel_pb2.SettleChannel, _Mapping]] = ..., grant_consent: _Optional[_Union[_chain_consent_pb2.GrantConsent, _Mapping]] = ..., withdraw_consent: _Optional[_Union[_chain_consent_pb2.WithdrawConsent, _Mapping]] = ..., report_erasure: _Optional[_Union[_chain_consent_pb2.ReportErasure, _Mapping]] = ..., confirm_erasure: _Optional[_Union[_chain_consent_pb2.ConfirmErasure, _Mapping]] = ..., acknowledge_consent: _Optional[_Union[_chain_consent_pb2.AcknowledgeConsent, _Mapping]] = ..., deploy_contract: _Optional[_Union[_chain_sharing_pb2.DeployContract, _Mapping]] = ..., amend_contract: _Optional[_Union[_chain_sharing_pb2.AmendContract, _Mapping]] = ..., withdraw_contract: _Optional[_Union[_chain_sharing_pb2.WithdrawContract, _Mapping]] = ..., post_offer: _Optional[_Union[_chain_sharing_pb2.PostOffer, _Mapping]] = ..., withdraw_offer: _Optional[_Union[_chain_sharing_pb2.WithdrawOffer, _Mapping]] = ..., request_grant: _Optional[_Union[_chain_grant_pb2.RequestGrant, _Mapping]] = ..., prune_grants: _Optional[_Union[_chain_grant_pb2.PruneGrants, _Mapping]] = ..., set_revocation_epoch: _Optional[_Union[_chain_grant_pb2.SetRevocationEpoch, _Mapping]] = ..., propose_sale: _Optional[_Union[_chain_exchange_pb2.ProposeSale, _Mapping]] = ..., lock_sale: _Optional[_Union[_chain_exchange_pb2.LockSale, _Mapping]] = ..., reveal_key: _Optional[_Union[_chain_exchange_pb2.RevealKey, _Mapping]] = ..., complain_sale: _Optional[_Union[_chain_exchange_pb2.ComplainSale, _Mapping]] = ..., refund_sale: _Optional[_Union[_chain_exchange_pb2.RefundSale, _Mapping]] = ..., settle_sale: _Optional[_Union[_chain_exchange_pb2.SettleSale, _Mapping]] = ..., register_model: _Optional[_Union[_chain_learning_pb2.RegisterModel, _Mapping]] = ..., withdraw_model: _Optional[_Union[_chain_learning_pb2.WithdrawModel, _Mapping]] = ...) -> None: ...

class Attachment(_message.Message):
    __slots__ = ("hash", "size")
    HASH_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    hash: bytes
    size: int
    def __init__(self, hash: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class Header(_message.Message):
    __slots__ = ("version", "chain", "height", "time_ns", "previous", "log_size", "log_root", "transactions", "results_root", "state_root")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOG_ROOT_FIELD_NUMBER: _ClassVar[int]
    TRANSACTIONS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    STATE_ROOT_FIELD_NUMBER: _ClassVar[int]
    version: int
    chain: bytes
    height: int
    time_ns: int
    previous: bytes
    log_size: int
    log_root: bytes
    transactions: int
    results_root: bytes
    state_root: bytes
    def __init__(self, version: _Optional[int] = ..., chain: _Optional[bytes] = ..., height: _Optional[int] = ..., time_ns: _Optional[int] = ..., previous: _Optional[bytes] = ..., log_size: _Optional[int] = ..., log_root: _Optional[bytes] = ..., transactions: _Optional[int] = ..., results_root: _Optional[bytes] = ..., state_root: _Optional[bytes] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("transaction", "code", "events")
    TRANSACTION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    transaction: bytes
    code: int
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, transaction: _Optional[bytes] = ..., code: _Optional[int] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("kind", "subject", "amount")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    kind: EventKind
    subject: bytes
    amount: int
    def __init__(self, kind: _Optional[_Union[EventKind, str]] = ..., subject: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...
