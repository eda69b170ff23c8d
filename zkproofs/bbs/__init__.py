"""BBS signatures: signed once over many messages, shown message by message.

Three drafts are implemented, bit for bit: draft-irtf-cfrg-bbs-signatures-09, its blind
issuance (draft-irtf-cfrg-bbs-blind-signatures-02), and pseudonyms of a single secret.
"""

from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import Interface
from zkproofs.bbs.keys import PublicKey, SecretKey
from zkproofs.bbs.proof import BatchableProof, Proof
from zkproofs.bbs.prover import prove
from zkproofs.bbs.signature import Signature, sign, verify
from zkproofs.bbs.verifier import verify_proof

__all__ = [
    "BatchableProof",
    "Ciphersuite",
    "Disclosure",
    "Domain",
    "Interface",
    "Proof",
    "PublicKey",
    "SecretKey",
    "Signature",
    "prove",
    "sign",
    "verify",
    "verify_proof",
]
