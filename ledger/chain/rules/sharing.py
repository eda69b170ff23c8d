"""Rule: sharing contracts. Who may use a fleet's recordings, and what that costs.

A contract is a policy, which Cedar decides (`ledger.chain.policy`), and terms, which the
ledger itself carries out. Its fleet's authority deploys it, amends it and withdraws it.

Every version is a row of its own and never changes. An amendment writes the next one; what
was granted before names its version, and stays under it. The contract's id, which the
nullifiers of grants are made from, stays the same: an amendment gives nobody new uses.

`current_version` and `require_allowed` are what other rules ask.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from google.protobuf.message import Message

from ledger.chain.account import ensure_account
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import governed_fleet
from ledger.chain.genesis import MAX_BLOCKS
from ledger.chain.ids import contract_id
from ledger.chain.policy import Policy, PolicyError, read_policy
from ledger.chain.rules.action import Action, require_id, require_text
from ledger.chain.rules.royalties import WHOLE
from ledger.chain.state_keys import asset_key, contract_key, contract_version_key
from ledger.chain.working_state import WorkingState
from ledger.errors import CorruptStoreError
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CONTRACT_AMENDED,
    EVENT_KIND_CONTRACT_DEPLOYED,
    EVENT_KIND_CONTRACT_WITHDRAWN,
)
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractRecord,
    ContractVersion,
    DeployContract,
    Terms,
    WithdrawContract,
)

MAX_NAME: Final = 64
MAX_ROYALTIES: Final = 16
MAX_USES: Final = 65_536
MAX_VERSIONS: Final = 2**32 - 1


def check_deploy_contract(message: DeployContract) -> None:
    """Refuse a contract without a name, a policy that is none, and terms of no possible form."""
    require_id(message.fleet, "fleet's id")
    require(bool(message.name), ResultCode.FIELD_REFUSED, "a contract needs a name")
    require_text(message.name, MAX_NAME, "contract's name")
    _check_version(message)


def deploy_contract(context: Context, message: DeployContract) -> None:
    """Write down a contract and its first version."""
    governed_fleet(context, message.fleet)
    contract = contract_id(context.chain, context.signer, context.sequence)
    record = ContractRecord(fleet=message.fleet, name=message.name, version=1)
    _write_version(context, contract, record, message)
    context.emit(EVENT_KIND_CONTRACT_DEPLOYED, contract, record.version)


def check_amend_contract(message: AmendContract) -> None:
    """Refuse a policy that is none, and terms of no possible form."""
    require_id(message.contract, "contract's id")
    _check_version(message)


def amend_contract(context: Context, message: AmendContract) -> None:
    """Write down the next version; also of a contract that has expired, which so goes on."""
    record = _governed_contract(context, message.contract)
    require(record.version < MAX_VERSIONS, ResultCode.BAD_TERMS, "a contract of 2^32 versions")
    record.version += 1
    _write_version(context, message.contract, record, message)
    context.emit(EVENT_KIND_CONTRACT_AMENDED, message.contract, record.version)


def check_withdraw_contract(message: WithdrawContract) -> None:
    """Refuse what is no id."""
    require_id(message.contract, "contract's id")


def withdraw_contract(context: Context, message: WithdrawContract) -> None:
    """End a contract for good. What was granted under it stays granted until it expires."""
    record = _governed_contract(context, message.contract)
    record.withdrawn_height = context.height
    context.state.write(contract_key(message.contract), record)
    context.emit(EVENT_KIND_CONTRACT_WITHDRAWN, message.contract, record.version)


# For other rules


def read_contract(state: WorkingState, contract: bytes) -> ContractRecord:
    """The contract of this id. Raises RefusalError `UNKNOWN_CONTRACT`."""
    record = state.read(ContractRecord, contract_key(contract))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_CONTRACT, "there is no such contract")
    return record


def read_version(state: WorkingState, contract: bytes, version: int) -> ContractVersion:
    """A version of a contract that the state names. Raises CorruptStoreError without it."""
    found = state.read(ContractVersion, contract_version_key(contract, version))
    if found is None:
        raise CorruptStoreError("a version of a contract is missing from the state")
    return found


def current_version(context: Context, contract: bytes) -> tuple[ContractRecord, ContractVersion]:
    """A contract under which something may be offered or granted now, with its newest version.

    Raises RefusalError: `UNKNOWN_CONTRACT`, `CONTRACT_OVER`.
    """
    record = read_contract(context.state, contract)
    require(not record.withdrawn_height, ResultCode.CONTRACT_OVER, "the contract was withdrawn")
    version = read_version(context.state, contract, record.version)
    expiry = version.terms.expiry_height
    require(
        not 0 < expiry < context.height,
        ResultCode.CONTRACT_OVER,
        f"the contract was good up to block {expiry}",
    )
    return record, version


def policy_of(version: ContractVersion) -> Policy:
    """The policy of a version that the state holds, parsed. Raises CorruptStoreError."""
    try:
        return read_policy(version.policy)
    except PolicyError as error:
        raise CorruptStoreError(f"a policy in the state is none: {error.message}") from error


def _governed_contract(context: Context, contract: bytes) -> ContractRecord:
    """A contract that is not withdrawn and whose fleet's authority signed."""
    record = read_contract(context.state, contract)
    governed_fleet(context, record.fleet)
    require(not record.withdrawn_height, ResultCode.CONTRACT_OVER, "the contract was withdrawn")
    return record


def _check_version(message: DeployContract | AmendContract) -> None:
    _check_terms(message.terms)
    try:
        read_policy(message.policy)
    except PolicyError as error:
        raise RefusalError(ResultCode.POLICY_REFUSED, error.message, hint=error.hint) from error


def _check_terms(terms: Terms) -> None:
    require(
        1 <= terms.uses <= MAX_USES,
        ResultCode.BAD_TERMS,
        f"a contract gives each member 1 to {MAX_USES} uses",
    )
    require(
        1 <= terms.grant_lifetime <= MAX_BLOCKS,
        ResultCode.BAD_TERMS,
        f"a grant is good for 1 to {MAX_BLOCKS} blocks",
    )
    accounts = [royalty.account for royalty in terms.royalties]
    require(
        len(accounts) <= MAX_ROYALTIES
        and all(before < after for before, after in pairwise(accounts)),
        ResultCode.BAD_TERMS,
        f"royalties are at most {MAX_ROYALTIES}, ascending by account, each once",
    )
    for account in accounts:
        require_id(account, "royalty's account")
    require(
        all(royalty.parts for royalty in terms.royalties)
        and sum(royalty.parts for royalty in terms.royalties) <= WHOLE,
        ResultCode.BAD_TERMS,
        f"royalties are from 1 part of {WHOLE:,}, and all of them at most {WHOLE:,}",
    )


def _write_version(
    context: Context,
    contract: bytes,
    record: ContractRecord,
    message: DeployContract | AmendContract,
) -> None:
    state, terms = context.state, message.terms
    require(
        state.get(asset_key(terms.asset)) is not None,
        ResultCode.UNKNOWN_ASSET,
        "the terms are in an asset that the chain does not have",
    )
    require(
        not 0 < terms.expiry_height < context.height,
        ResultCode.BAD_TERMS,
        "the terms have expired already",
    )
    for royalty in terms.royalties:
        # Else a key that nobody may pay to would hold up every payment to the seller.
        ensure_account(state, royalty.account)
    version = ContractVersion(policy=message.policy, terms=terms, height=context.height)
    state.write(contract_version_key(contract, record.version), version)
    state.write(contract_key(contract), record)


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("deploy_contract", DeployContract, check_deploy_contract, deploy_contract),
    Action("amend_contract", AmendContract, check_amend_contract, amend_contract),
    Action("withdraw_contract", WithdrawContract, check_withdraw_contract, withdraw_contract),
)
