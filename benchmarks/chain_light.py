"""What a light client does: an answer of a chain checked from its bytes and a key."""

from __future__ import annotations

from functools import partial
from random import Random

from benchmarks.chain_transfers import Bench, BenchError
from benchmarks.measure import mid, seconds_of
from ledger.chain.account import Account
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.genesis import Genesis
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.trust import Trust
from ledger.chain.machine.home import open_chain
from ledger.chain.state_keys import account_key

ANSWERS = 300
PATIENCE_S = 60.0


def measure_light(bench: Bench) -> dict[str, float]:
    """Figures by name, of answers about accounts of a chain, half of them of nobody."""
    random = Random(1)
    some = [random.choice(bench.senders.everybody) for _ in range(ANSWERS // 2)]
    some += [random.randbytes(32) for _ in range(ANSWERS // 2)]
    with EmbeddedEngine.open(bench.root) as engine:
        (admission,) = engine.submit(bench.senders.transfers(1))
        engine.wait(admission.id, PATIENCE_S)
        receipt = engine.receipt(admission.id)
        answers = [(account_key(name), engine.answer(account_key(name))) for name in some]
        genesis = Genesis.parse(engine.genesis())
    with open_chain(bench.root) as home:
        trust = Trust(genesis.chain, home.vkeys)
    taken = []
    for place, (key, data) in enumerate(answers):
        taken.append(seconds_of(partial(verify_answer, data, key, trust)))
        value = verify_answer(data, key, trust).value
        if (value is None) != (place >= ANSWERS // 2):
            raise BenchError("an answer is of the wrong account")
        if value is not None:
            Account.decode(value)
    receipts = [seconds_of(lambda: verify_receipt(receipt, trust)) for _ in range(ANSWERS)]
    return {
        "light_client_ms": 1000 * mid(taken),
        "receipt_check_ms": 1000 * mid(receipts),
        "answer_bytes": max(len(data) for _, data in answers),
        "receipt_bytes": len(receipt),
    }
