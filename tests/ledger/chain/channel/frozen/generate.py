"""Write the frozen claims again: ``python -m tests.ledger.chain.channel.frozen.generate``.

Vouchers and links that were made once and must be good for ever. Running this must change
nothing.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.ed25519 import PrivateKey

FROZEN = Path(__file__).with_name("claims_v1.json")

AMOUNTS = (1, 255, 256, 1_000_000, 2**63, 2**64 - 1)
COUNTS = (1, 2, 10, 100, 65_536)
SEQUENCES = (0, 1, 2**64 - 1)


def build() -> dict[str, Any]:
    """Channels of one payer on one chain; of each some vouchers, of the first some links."""
    chain = sha256(b"a frozen chain").digest()
    key = PrivateKey.from_seed(sha256(b"a frozen payer").digest())
    payer = bytes(key.public_key)
    channels = []
    for sequence in SEQUENCES:
        channel = channel_id(chain, payer, sequence)
        vouchers = [sign_voucher(chain, channel, key, amount) for amount in AMOUNTS]
        channels.append(
            {
                "sequence": sequence,
                "channel": channel.hex(),
                "vouchers": {str(v.cumulative): v.signature.hex() for v in vouchers},
                "voucher_messages": [v.encode().hex() for v in vouchers],
            }
        )
    first = channel_id(chain, payer, 0)
    chains = []
    for count in COUNTS:
        links = PayWordChain(first, sha256(b"a frozen seed").digest(), count)
        shown = sorted({1, count // 2 or 1, count})
        chains.append(
            {
                "count": count,
                "w0": links.w0.hex(),
                "links": {str(i): links.link(i).link.hex() for i in shown},
                "link_messages": [links.link(i).encode().hex() for i in shown],
            }
        )
    return {"chain": chain.hex(), "payer": payer.hex(), "channels": channels, "payword": chains}


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(build(), indent=1) + "\n")
