"""The challenge of a proof (section 3.7.4).

    c = hash_to_scalar(u64be(R) || (u64be(i) || m_i of each disclosed i)
                       || Ā || B̄ || D || T1 || T2 || more || domain
                       || u64be(length of ph) || ph)

The core draft has no ``more``. An interface that proves more under the same challenge
puts its statement and its first messages there, in a layout of its own that can be
read in one way only; its api_id keeps it apart from all others.
"""

from __future__ import annotations

from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.proof import FirstMessage
from zkproofs.errors import ParameterError
from zkproofs.group import Scalar, group


def proof_challenge(
    domain: Domain,
    disclosure: Disclosure,
    first: FirstMessage,
    presentation_header: bytes,
    more: bytes = b"",
) -> Scalar:
    """ProofChallengeCalculate. Raises `ParameterError` for a header that is not bytes."""
    if not isinstance(presentation_header, bytes):
        raise ParameterError("a presentation header is bytes")
    encode_scalar = group().encode_scalar
    parts = [len(disclosure.indexes).to_bytes(8, "big")]
    for index, message in zip(disclosure.indexes, disclosure.messages, strict=True):
        parts += [index.to_bytes(8, "big"), encode_scalar(message)]
    parts += [
        first.to_bytes(),
        more,
        encode_scalar(domain.scalar),
        len(presentation_header).to_bytes(8, "big"),
        presentation_header,
    ]
    return domain.interface.hash_to_scalar(b"".join(parts))
