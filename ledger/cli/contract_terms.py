"""Terms of a contract between how people write them and how a chain has them."""

from __future__ import annotations

from ledger.chain.rules.allowed_use import SECOND
from ledger.cli.amounts import format_amount, parse_amount
from ledger.cli.chain_access import ChainAccess
from ledger.cli.chain_names import asset_of, find_asset, parse_account
from ledger.cli.contract_folder import RoyaltyText, TermsText
from ledger.schema.chain_sharing_pb2 import Royalty, Terms


def terms_message(access: ChainAccess, written: TermsText) -> Terms:
    """The terms as a transaction has them. Raises MalformedError, NotFoundError."""
    asset = find_asset(access, written.asset)
    royalties = sorted(
        (parse_account(royalty.account, access.chain), royalty.parts)
        for royalty in written.royalties
    )
    return Terms(
        asset=asset.id,
        chunk_price=parse_amount(written.chunk_price, asset.decimals),
        record_price=parse_amount(written.record_price, asset.decimals),
        royalties=[Royalty(account=account, parts=parts) for account, parts in royalties],
        uses=written.uses,
        grant_lifetime=written.grant_blocks,
        expiry_height=written.until_block,
        max_age_ns=written.max_age_s * SECOND,
        deposit=parse_amount(written.deposit, asset.decimals),
    )


def terms_text(access: ChainAccess, name: str, terms: Terms) -> TermsText:
    """Terms of the chain as people write them."""
    asset = asset_of(access, terms.asset)

    def amount(units: int) -> str:
        return format_amount(units, asset.decimals)

    return TermsText(
        name=name,
        asset=asset.symbol,
        chunk_price=amount(terms.chunk_price),
        record_price=amount(terms.record_price),
        deposit=amount(terms.deposit),
        royalties=tuple(
            RoyaltyText(royalty.account.hex(), royalty.parts) for royalty in terms.royalties
        ),
        uses=terms.uses,
        grant_blocks=terms.grant_lifetime,
        until_block=terms.expiry_height,
        max_age_s=terms.max_age_ns // SECOND,
    )
