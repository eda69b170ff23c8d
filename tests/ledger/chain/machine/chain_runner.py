"""Has machines live two chains, and says what they came to, one line a height.

``python chain_runner.py``, with this checkout in PYTHONPATH: for other processes, other
environments and other versions of Python.

The first chain is the frozen one in which everything happens. The second is made by chance
with a known seed: payments, channels, refusals, garbage, and repetitions in any order.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from ledger.chain.channel.identity import channel_id
from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.machine.machine import StateMachine, start_chain
from ledger.chain.machine.proposal import Proposal
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.schema.chain_channel_pb2 import CloseChannel, OpenChannel, VoucherMode
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.storage.memory import MemoryStorage
from tests.ledger.chain.frozen.attachments import attachments
from tests.ledger.chain.machine.small_chain import SmallChain, published_in
from tests.ledger.chain.rules.chain_world import account_of, known_key

FROZEN = Path(__file__).parents[1] / "frozen" / "chain_v1.json"
PEOPLE = ("alice", "bob", "authority", "bank", "carol", "dora")


def frozen_chain(folder: Path) -> Iterator[bytes]:
    """The app hash at every height of the frozen chain."""
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    genesis = Genesis.parse(bytes.fromhex(frozen["genesis"]))
    storage = MemoryStorage()
    vkey = NoteSigner(genesis.origin, known_key("operator")).verifier_key
    log = Log.create(storage, genesis.origin, vkey, published_in(folder, genesis))
    start_chain(storage, log, genesis.encoded)
    machine = StateMachine(storage, log)
    for block in frozen["blocks"]:
        header = Header.parse(bytes.fromhex(block["header"]))
        transactions = [bytes.fromhex(each["transaction"]) for each in block["transactions"]]
        machine.finalize(Proposal(header.height, header.time_ns, transactions, attachments()))
        yield machine.commit().app_hash


def random_chain(folder: Path, blocks: int = 6, size: int = 120) -> Iterator[bytes]:
    """The app hash at every height of a chain made by chance, the same every time."""
    chance, chain = Random(5), SmallChain(folder, min_fee=1, min_challenge=1)
    sequences = dict.fromkeys(PEOPLE, 0)
    sent: list[bytes] = []
    channels: list[tuple[str, bytes]] = []
    for height in range(1, blocks + 1):
        block = []
        for _ in range(size):
            payer, payee = chance.sample(PEOPLE, 2)
            kind = chance.random()
            if kind < 0.1 and sent:
                block.append(chance.choice(sent))
                continue
            if kind < 0.15:
                block.append(chance.randbytes(chance.randrange(90)))
                continue
            sequence = sequences[payer] + (chance.random() < 0.05)
            fields = {"sequence": sequence, "expiry_height": height + chance.randrange(-1, 9)}
            message: Transfer | OpenChannel | CloseChannel = Transfer(
                recipient=account_of(known_key(payee)), amount=chance.choice((1, 50, 10**6, 2**60))
            )
            if kind < 0.3:
                message = OpenChannel(
                    payee=account_of(known_key(payee)),
                    deposit=chance.randrange(1, 900),
                    expiry_height=height + 9,
                    challenge=1 + chance.randrange(3),
                    voucher=VoucherMode(),
                )
                name = channel_id(chain.chain, account_of(known_key(payer)), sequence)
                channels.append((payee, name))
            elif kind < 0.4 and channels:
                payer, name = chance.choice(channels)
                fields["sequence"] = sequence = sequences[payer]
                message = CloseChannel(channel=name)
            block.append(chain.sign(payer, message, **fields))
            sent.append(block[-1])
            if sequence == sequences[payer]:
                sequences[payer] += 1
        prepared = chain.machine.prepare(block, chain.propose([]).time_ns)
        # Some blocks hold what is refused, as an engine's may.
        proposal = chain.propose(block) if height % 2 else prepared.proposal
        chain.machine.finalize(proposal)
        yield chain.machine.commit().app_hash
        rows = chain.rows()
        for person in PEOPLE:
            row = rows.get(b"\x01" + account_of(known_key(person)))
            sequences[person] = int.from_bytes(row[1:9], "big") if row else 0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, chain in (("frozen", frozen_chain), ("random", random_chain)):
            for height, app_hash in enumerate(chain(Path(folder) / name), 1):
                sys.stdout.write(f"{name} {height} {app_hash.hex()}\n")


if __name__ == "__main__":
    main()
