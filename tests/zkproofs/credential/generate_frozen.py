"""Make ``frozen_v1_range_v2.json``: ``python -m tests.zkproofs.credential.generate_frozen``.

It is frozen: presentations, credentials and gaps of version 1 verify for ever, with range
proofs of version 2 as well as, in ``frozen_v1.json``, of version 1. This program shows how
the file came to be; it prints new ones, since every proof is fresh.
"""

from __future__ import annotations

import json
import sys

from tests.zkproofs.credential.fleet import (
    BINDING,
    EPOCH,
    EVERYTHING,
    FLEET,
    NONCE,
    NOW,
    REVOKED,
    SMALL,
    USUAL,
)
from zkproofs.bbs import Ciphersuite, SecretKey
from zkproofs.credential import (
    Attributes,
    IssuerKey,
    Policy,
    find_gap,
    issue,
    present,
    request_credential,
    sign_gaps,
)

POLICIES = {"nothing": Policy(), "small": SMALL, "usual": USUAL, "everything": EVERYTHING}


def make() -> dict[str, object]:
    """One of everything, of a key that anyone may know."""
    key = IssuerKey.of(SecretKey.derive(Ciphersuite.SHA_256, b"frozen credentials of version 1!"))
    asking = request_credential(key.issuer, NONCE)
    attributes = Attributes(FLEET, "courier", 4, NOW, 200)
    response, registration = issue(key, asking.request, attributes, NONCE)
    credential = asking.complete(response)
    gap = find_gap(sign_gaps(key, FLEET, EPOCH, REVOKED), 200)
    return {
        "issuer": key.issuer.to_bytes().hex(),
        "request": asking.request.to_bytes().hex(),
        "response": response.to_bytes().hex(),
        "registration": registration.to_bytes().hex(),
        "credential": credential.to_bytes().hex(),
        "gap": gap.to_bytes().hex(),
        "presentations": {
            name: present(credential, policy, BINDING, gap if policy.epoch else None)
            .to_bytes(policy)
            .hex()
            for name, policy in POLICIES.items()
        },
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(make(), indent=1) + "\n")
