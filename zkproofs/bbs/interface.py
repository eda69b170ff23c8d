"""Interfaces: what makes generators and scalars for the core operations (section 3.8).

An interface is a name, the api_id, that goes into every hash:

    plain       ciphersuite_id || "H2G_HM2S_"
    blind       ciphersuite_id || "BLIND_H2G_HM2S_"
    pseudonym   ciphersuite_id || "H2G_HM2S_PSEUDONYM_"

Who signs scalars as they are, rather than hashes of octets, defines one of their own:
``Interface(Ciphersuite.SHA_256, b"H2G_..._")``. Nothing of one interface verifies under
another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.hash_chain import PointChain
from zkproofs.errors import ParameterError
from zkproofs.group import G1, Scalar


@dataclass(frozen=True, slots=True)
class Interface:
    """A ciphersuite, and the rest of the api_id after the ciphersuite's id.

    Raises `ParameterError` unless ``name`` is printable ASCII that ends with "_", and
    short enough for every tag made of it to be a tag.
    """

    ciphersuite: Ciphersuite
    name: bytes

    def __post_init__(self) -> None:
        legal = isinstance(self.name, bytes) and all(0x21 <= c <= 0x7E for c in self.name)
        if not legal or not self.name.endswith(b"_") or len(self.name) > 128:
            raise ParameterError('an interface is named by up to 128 printable bytes, then "_"')

    @property
    def api_id(self) -> bytes:
        """The octets that separate this interface from all others."""
        return self.ciphersuite.id + self.name

    def generators(self, count: int) -> tuple[G1, ...]:
        """Q_1, H_1, H_2, ...: ``count`` points in all."""
        return self._points(self.api_id, count)

    def blind_generators(self, count: int) -> tuple[G1, ...]:
        """Q_2, J_1, J_2, ...: ``count`` points in all, for messages of the holder."""
        return self._points(b"BLIND_" + self.api_id, count)

    def _points(self, api_id: bytes, count: int) -> tuple[G1, ...]:
        return PointChain(
            expander=self.ciphersuite.value,
            seed=api_id + b"MESSAGE_GENERATOR_SEED",
            seed_dst=api_id + b"SIG_GENERATOR_SEED_",
            point_dst=api_id + b"SIG_GENERATOR_DST_",
        ).points(count)

    def hash_to_scalar(self, message: bytes) -> Scalar:
        """hash_to_scalar under api_id || "H2S_"."""
        return self.ciphersuite.hash_to_scalar(message, self.api_id + b"H2S_")

    def messages_to_scalars(self, messages: Sequence[bytes]) -> tuple[Scalar, ...]:
        """Map each message by its hash (section 4.1.2)."""
        dst = self.api_id + b"MAP_MSG_TO_SCALAR_AS_HASH_"
        return tuple(self.ciphersuite.hash_to_scalar(message, dst) for message in messages)

    def disclosure(self, messages: Mapping[int, bytes]) -> Disclosure:
        """The disclosure of messages mapped by their hashes, by index."""
        if not all(type(index) is int for index in messages):
            raise ParameterError("messages are disclosed by index, from 0")
        scalars = self.messages_to_scalars(tuple(messages.values()))
        return Disclosure.at(dict(zip(messages, scalars, strict=True)))


def plain_interface(ciphersuite: Ciphersuite) -> Interface:
    """The interface of the core draft."""
    return Interface(ciphersuite, b"H2G_HM2S_")


def blind_interface(ciphersuite: Ciphersuite) -> Interface:
    """The interface of the blind draft."""
    return Interface(ciphersuite, b"BLIND_H2G_HM2S_")


def pseudonym_interface(ciphersuite: Ciphersuite) -> Interface:
    """The interface of signatures with a pseudonym."""
    return Interface(ciphersuite, b"H2G_HM2S_PSEUDONYM_")
