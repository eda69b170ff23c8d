"""The errors that leave this package.

Every public function of ``zkproofs`` raises members of one family, `ProofError`. The
message is one line, says what is wrong and never holds a secret. Errors of the
libraries underneath never pass a boundary.
"""

from __future__ import annotations


class ProofError(Exception):
    """Base of every error raised by ``zkproofs``."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class DecodingError(ProofError):
    """Bytes that are not the canonical encoding of anything: nothing can be verified."""


class VerificationError(ProofError):
    """A well-formed proof, signature or opening whose claim does not hold."""


class ParameterError(ProofError):
    """The caller's own mistake: a bound, a length, a count, a wrong kind of object."""


class IssuanceError(ProofError):
    """A credential that cannot be issued: the request does not fit what was agreed."""
