"""Grants through the engine, beside the proofs in them verified by themselves.

A part of the ``fleet`` benchmark. The engine is given blocks of 64 requests: it admits them,
checks keys, policy and quota, verifies the proofs together, and keeps grants and nullifiers
durably. The peer reads the same presentations from their bytes and verifies them as one batch.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.fleet_market import EXPIRY_HEIGHT, GIB, GrantMarket, open_market
from benchmarks.measure import mid, ratios, seconds_of, take_turns
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.ids import grant_id
from ledger.chain.presentation_claim import PresentationClaim, scope_of, unbound_hash
from ledger.chain.presentations import verify_claims
from ledger.chain.transaction import sign_transaction
from ledger.ed25519 import PrivateKey
from ledger.experience.content_root import chunk_count
from ledger.schema.chain_channel_pb2 import CloseChannel, OpenChannel, PayWord, PayWordMode
from ledger.schema.chain_identity_pb2 import PayFromPool
from ledger.schema.chain_pb2 import Transaction, TransactionBody

BLOCK = 64
PRICE = 10


def measure_grants(folder: Path, rounds: int, block: int = BLOCK) -> dict[str, float]:
    """``grant_vs_bare_proof``, ``grants_per_s``, and ``settle_bytes_per_gib``.

    ``folder`` must not be there yet: it becomes the chain's home.
    """
    with open_market(folder) as market:

        def one_round(_: int) -> dict[str, float]:
            requests = market.requests(market.member(), block)
            claims = [_claim(market, each) for each in requests]
            bare = seconds_of(lambda: _verify(claims))
            return {"bare": bare, "engine": seconds_of(lambda: market.carry_out(requests))}

        market.carry_out(market.requests(market.member(), 1))
        turns = take_turns(rounds, one_round)
        return {
            "grant_vs_bare_proof": mid(ratios(turns["bare"], turns["engine"])),
            "grants_per_s": block / mid(turns["engine"]),
            "settle_bytes_per_gib": float(_settle(market)),
        }


def _verify(claims: list[PresentationClaim]) -> None:
    if not all(verify_claims(claims)):
        raise RuntimeError("a presentation of the benchmark does not verify")


def _claim(market: GrantMarket, request: bytes) -> PresentationClaim:
    body = TransactionBody.FromString(Transaction.FromString(request).body)
    message = body.request_grant
    return PresentationClaim(
        issuer=market.issuer.issuer.to_bytes(),
        fleet="buyers",
        min_level=message.min_level,
        role="",
        time_s=message.time_s,
        revocation_epoch=0,
        scope=scope_of(market.chain, market.contract, message.use),
        chain=market.chain,
        transaction=unbound_hash(body),
        presentation=message.presentation,
    )


def _settle(market: GrantMarket) -> int:
    """Bytes of the leaves by which one GiB is sold: nobody else's transactions among them.

    The grant, money from the fleet's pool, a channel opened by the grant's key and closed by
    the seller; with a header each, as if the chain were otherwise idle.
    """
    chunks = chunk_count(GIB)
    before = market.engine.info().height
    key = PrivateKey.generate()
    account = bytes(key.public_key)
    market.carry_out(market.requests(market.member(), 1, key))
    paid = PayFromPool(fleet=market.fleet, recipient=account, amount=chunks * PRICE + 1)
    market.do(paid, "pay_from_pool")
    channel = channel_id(market.chain, account, 1)
    words = PayWordChain(channel, os.urandom(32), chunks)
    body = TransactionBody(sequence=1, expiry_height=EXPIRY_HEIGHT, fee=1)
    body.open_channel.CopyFrom(
        OpenChannel(
            payee=bytes(market.robot.public_key),
            deposit=chunks * PRICE,
            expiry_height=1_000_000,
            challenge=100,
            payword=PayWordMode(w0=words.w0, unit=PRICE, count=chunks),
            grant=grant_id(market.chain, account),
        )
    )
    market.carry_out([sign_transaction(market.chain, key, body)])
    link = words.link(chunks)
    body = TransactionBody(sequence=1, expiry_height=EXPIRY_HEIGHT, fee=1)
    closed = CloseChannel(channel=channel, payword=PayWord(index=link.index, link=link.link))
    body.close_channel.CopyFrom(closed)
    market.carry_out([sign_transaction(market.chain, market.robot, body)])
    total = 0
    for height in range(before + 1, market.engine.info().height + 1):
        block = market.engine.block(height)
        total += len(block.header.leaf) + sum(map(len, block.transactions))
    return total
