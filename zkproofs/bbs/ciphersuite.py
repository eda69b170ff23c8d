"""The two ciphersuites (draft-irtf-cfrg-bbs-signatures-09, section 7).

Both run on BLS12-381 and differ in the hash alone. A suite hashes to scalars and to
points, and has one fixed point P1 that every signature starts from.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from zkproofs.bbs.hash_chain import PointChain
from zkproofs.group import G1, Expander, Scalar, expand_message, group

EXPAND_LEN: Final = 48
"""expand_len: ceil((255 + 128) / 8), so that reducing modulo r shows no bias."""


class Ciphersuite(Enum):
    """A ciphersuite; its value is the expander that RFC 9380 knows it by."""

    SHA_256 = Expander.XMD_SHA256
    SHAKE_256 = Expander.XOF_SHAKE256

    @property
    def id(self) -> bytes:
        """ciphersuite_id."""
        return f"BBS_BLS12381G1_{self.value.value}_SSWU_RO_".encode()

    def hash_to_scalar(self, message: bytes, dst: bytes) -> Scalar:
        """OS2IP(expand_message(message, dst, 48)) mod r (section 4.2.2)."""
        uniform = expand_message(message, dst, EXPAND_LEN, self.value)
        return group().scalar(int.from_bytes(uniform, "big"))

    def hash_to_g1(self, message: bytes, dst: bytes) -> G1:
        """hash_to_curve of the suite."""
        return group().hash_to_g1(message, dst, self.value)

    def base_point(self) -> G1:
        """P1, the same for every interface of the suite (section 7.2)."""
        prefix = self.id + b"H2G_HM2S_"
        chain = PointChain(
            expander=self.value,
            seed=prefix + b"BP_MESSAGE_GENERATOR_SEED",
            seed_dst=prefix + b"SIG_GENERATOR_SEED_",
            point_dst=prefix + b"SIG_GENERATOR_DST_",
        )
        (point,) = chain.points(1)
        return point
