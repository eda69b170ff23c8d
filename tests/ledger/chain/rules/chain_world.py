"""A chain of one dict for the tests of rules: known keys, a small genesis, no store.

::

    world = ChainWorld()
    alice, bob = world.key("alice"), world.key("bob")
    result = world.do(alice, Transfer(recipient=account_of(bob), amount=5))
    assert result.code == ResultCode.OK

Whatever is done, `ChainWorld` itself checks that a refused transaction left the state as it
was, that money is conserved, and that a sequence rises by one with each success and never
else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Final

from google.protobuf.message import Message

from ledger.chain.account import Account, read_account
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.fleets import fleet_id
from ledger.chain.genesis import Genesis
from ledger.chain.leaf import LeafKind, leaf_id
from ledger.chain.machine.execution import carry_out, check_form
from ledger.chain.result import Result
from ledger.chain.robots import read_robot
from ledger.chain.rules.robot import register_message, rotate_message
from ledger.chain.state_keys import robot_key
from ledger.chain.transaction import Transaction, parse_transaction, sign_transaction
from ledger.chain.working_state import WorkingState
from ledger.ed25519 import PrivateKey, is_signed
from ledger.schema import chain_channel_pb2, chain_exchange_pb2, chain_payment_pb2, chain_pb2
from ledger.schema.chain_identity_pb2 import (
    CreateFleet,
    RegisterRobot,
    RobotRecord,
    RobotStatus,
    RotateKey,
)
from ledger.schema.chain_payment_pb2 import Transfer

SECOND: Final = 1_000_000_000
START_NS: Final = 1_700_000_000 * SECOND
BANK_MONEY: Final = 10**15
"""What the account `bank` has of asset 0 and of asset 1 at the start."""
PEOPLE_MONEY: Final = 1_000_000
"""What `alice`, `bob` and `authority` have of asset 0 at the start."""

ACTION_FIELDS: Final[dict[str, str]] = {
    field.message_type.name: field.name
    for field in chain_pb2.TransactionBody.DESCRIPTOR.oneofs_by_name["action"].fields
    if field.message_type is not None
}
"""Field of `TransactionBody.action` by the name of its message."""


def known_key(name: str) -> PrivateKey:
    """The key of this name, the same in every run."""
    return PrivateKey.from_seed(sha256(b"a key of a test\0" + name.encode()).digest())


def account_of(key: PrivateKey) -> bytes:
    """The account that a key signs for."""
    return bytes(key.public_key)


def body_of(message: Message, **fields: Any) -> chain_pb2.TransactionBody:
    """A body that asks for ``message``: the action is found by the message's type."""
    body = chain_pb2.TransactionBody(**fields)
    action: Message = getattr(body, ACTION_FIELDS[message.DESCRIPTOR.name])
    action.SetInParent()
    action.CopyFrom(message)
    return body


def make_genesis(governors: int = 3, **parameters: Any) -> Genesis:
    """Two assets, governors of whom two are enough, and parameters to override."""
    people = {known_key(name): PEOPLE_MONEY for name in ("alice", "bob", "authority")}
    given = [(account_of(key), 0, amount) for key, amount in people.items()]
    given += [(account_of(known_key("bank")), asset, BANK_MONEY) for asset in (0, 1)]
    values = {
        "min_fee": 0,
        "treasury": account_of(known_key("treasury")),
        "max_block_transactions": 1_000,
        "max_block_bytes": 1 << 20,
        "cap_delay": 10,
        "recovery_delay": 20,
        "max_overlap": 30,
        "min_challenge": 5,
        **parameters,
    }
    keys = sorted(account_of(known_key(f"governor {number}")) for number in range(governors))
    return Genesis.make(
        chain_pb2.Genesis(
            version=1,
            origin="chain.example/test",
            time_ns=START_NS,
            parameters=chain_pb2.Parameters(**values),
            governors=chain_pb2.Governors(threshold=min(2, governors), keys=keys),
            assets=[
                chain_payment_pb2.Asset(id=0, symbol="QPU", decimals=6),
                chain_payment_pb2.Asset(id=1, symbol="EUR", decimals=2),
            ],
            allocations=[
                chain_pb2.Allocation(account=account, asset=asset, amount=amount)
                for account, asset, amount in sorted(given)
            ],
        )
    )


class ChainWorld:
    """A chain at work in its block ``height`` (from 1), whose time is ``time_ns``."""

    def __init__(self, governors: int = 3, **parameters: Any) -> None:
        self.genesis: Final = make_genesis(governors, **parameters)
        self.chain: Final = self.genesis.chain
        self.parameters: Final = self.genesis.parameters
        self.height = 1
        self.time_ns = START_NS + SECOND
        self._base = {key: row for key, row in self.genesis.state().items() if row is not None}
        self.state = WorkingState(self._base.get)

    def key(self, name: str) -> PrivateKey:
        """The key of this name; `alice`, `bob`, `authority` and `bank` have money."""
        return known_key(name)

    def rows(self) -> dict[bytes, bytes]:
        """Every row of the state."""
        merged = {**self._base, **self.state.changes}
        return {key: row for key, row in merged.items() if row is not None}

    def advance(self, blocks: int = 1) -> None:
        """Go on to a later block, a second each."""
        self._base = self.rows()
        self.state = WorkingState(self._base.get)
        self.height += blocks
        self.time_ns += blocks * SECOND

    def context(self) -> Context:
        """What a rule is given, for functions that are tested by themselves."""
        return Context(self.chain, self.parameters, self.height, self.time_ns, self.state)

    # Doing

    def sign(
        self, key: PrivateKey, message: Message, *, chain: bytes | None = None, **fields: Any
    ) -> bytes:
        """A transaction: next sequence, the lowest fee and no haste, unless fields say more."""
        account = self.account(key)
        values = {
            "sequence": account.sequence if account else 0,
            "expiry_height": self.height + 100,
            "fee": self.parameters.min_fee,
            **fields,
        }
        return sign_transaction(chain or self.chain, key, body_of(message, **values))

    def submit(self, encoded: bytes, attachments: Sequence[bytes] = ()) -> Result:
        """Take in a stranger's bytes as a block would, and hold the chain to its promises."""
        before = self.rows()
        result = self._take_in(encoded, {sha256(each).digest(): each for each in attachments})
        # Whatever a refusal left behind would be kept now.
        self.state.keep()
        after = self.rows()
        if result.code != ResultCode.OK:
            _insist(after == before, f"refused with {result.code}, and yet the state changed")
            _insist(not result.events, "a refused transaction has events")
        _insist(Result.parse(result.encode()) == result, "a result is not read back as written")
        _insist(self.money() == self.minted(), "money was made or lost")
        return result

    def do(
        self, key: PrivateKey, message: Message, given: Sequence[bytes] = (), **fields: Any
    ) -> Result:
        """Sign ``message`` as a transaction, with ``fields`` of its body, and carry it out.

        ``given`` are attachments that come along; a body that does not say otherwise
        names them.
        """
        if given and "attachments" not in fields:
            fields["attachments"] = name_attachments(given)
        sequences = self._sequences()
        result = self.submit(self.sign(key, message, **fields), given)
        if result.code == ResultCode.OK:
            # Who asks anonymously had no account until now.
            sequences[account_of(key)] = sequences.get(account_of(key), 0) + 1
            changed = {name: self._sequences()[name] for name in sequences}
            _insist(changed == sequences, "a sequence did not rise by one, for the signer alone")
        return result

    def fund(self, key: PrivateKey | bytes, amount: int = 1_000, asset: int = 0) -> None:
        """Give an account money of the bank's; it comes into being by that."""
        recipient = key if isinstance(key, bytes) else account_of(key)
        self.must(self.key("bank"), Transfer(asset=asset, recipient=recipient, amount=amount))

    def create_fleet(self, name: str = "fleet", authority: str = "authority") -> bytes:
        """Found a fleet; its id."""
        self.must(self.key(authority), CreateFleet(name=name))
        return fleet_id(self.chain, name)

    def register(
        self, fleet: bytes, origin: str, authority: str = "authority", **fields: Any
    ) -> PrivateKey:
        """Register a robot, whose key is the one named like its origin."""
        key = self.key(origin)
        message = register_message(self.chain, fleet, account_of(key), origin)
        self.must(
            self.key(authority),
            RegisterRobot(
                fleet=fleet,
                origin=origin,
                key=account_of(key),
                signature=key.sign(message),
                **fields,
            ),
        )
        return key

    def rotation(self, origin: str, signer: str, new: str, overlap: int = 0) -> RotateKey:
        """A rotation that `signer` asks for, which the new key has signed."""
        key, old = self.key(new), account_of(self.key(signer))
        signed = rotate_message(self.chain, old, account_of(key), origin)
        return RotateKey(
            origin=origin, new_key=account_of(key), new_signature=key.sign(signed), overlap=overlap
        )

    def robot(self, origin: str) -> RobotRecord:
        """What the state says of a robot."""
        return read_robot(self.state, origin)

    def set_status(self, origin: str, status: RobotStatus) -> None:
        """Write a robot's status behind the rules' back, as a report of a fork would."""
        robot = self.robot(origin)
        robot.status = status
        self.state.write(robot_key(origin), robot)
        self.state.keep()

    def must(self, key: PrivateKey, message: Message, **fields: Any) -> Result:
        """Do what has to succeed."""
        result = self.do(key, message, **fields)
        _insist(result.code == ResultCode.OK, f"{type(message).__name__}: {result.code!r}")
        return result

    def _take_in(self, encoded: bytes, attachments: dict[bytes, bytes]) -> Result:
        try:
            transaction = parse_transaction(self.chain, encoded)
        except RefusalError as refusal:
            return Result(leaf_id(LeafKind.TRANSACTION, encoded), refusal.code)
        form = _code_of_form(transaction)
        context = self.context()
        result = carry_out(context, transaction, is_signed(*transaction.claim), attachments)
        if form != ResultCode.OK:
            _insist(result.code != ResultCode.OK, "a transaction of bad form was carried out")
            return Result(transaction.id, form)
        return result

    # Looking

    def account(self, key: PrivateKey | bytes) -> Account | None:
        """An account, by its key or its name."""
        return read_account(self.state, key if isinstance(key, bytes) else account_of(key))

    def balance(self, key: PrivateKey | bytes, asset: int = 0) -> int:
        """What an account has of an asset."""
        account = self.account(key)
        return account.amount(asset) if account else 0

    def money(self) -> dict[int, int]:
        """Of each asset, what there is: balances, deposits of channels, and what sales hold."""
        total = dict.fromkeys(self.minted(), 0)
        for key, row in self.rows().items():
            if key[:1] == b"\x01":
                for asset, amount in Account.decode(row).holdings:
                    _insist(amount > 0, "an account holds nothing of an asset")
                    total[asset] += amount
            elif key[:1] == b"\x30":
                channel = chain_channel_pb2.ChannelRecord.FromString(row)
                total[channel.asset] += channel.deposit
            elif key[:1] == b"\x70":
                sale = chain_exchange_pb2.SaleRecord.FromString(row)
                locked = sale.price if sale.reveal_height else 0
                total[sale.asset] += sale.deposit + locked
        return total

    def minted(self) -> dict[int, int]:
        """Of each asset, how much was ever made."""
        return {
            int.from_bytes(key[1:], "big"): chain_payment_pb2.AssetRecord.FromString(row).minted
            for key, row in self.rows().items()
            if key[:1] == b"\x02"
        }

    def _sequences(self) -> dict[bytes, int]:
        return {
            key[1:]: Account.decode(row).sequence
            for key, row in self.rows().items()
            if key[:1] == b"\x01"
        }


def name_attachments(given: Iterable[bytes]) -> list[chain_pb2.Attachment]:
    """How a body names attachments: ascending by hash."""
    named = sorted((sha256(each).digest(), len(each)) for each in given)
    return [chain_pb2.Attachment(hash=name, size=size) for name, size in named]


def _code_of_form(transaction: Transaction) -> ResultCode:
    try:
        check_form(transaction)
    except RefusalError as refusal:
        return refusal.code
    return ResultCode.OK


def _insist(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
