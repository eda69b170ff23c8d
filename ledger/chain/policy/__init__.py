"""Policies of sharing contracts: who may use what, for which purpose, until when.

A policy is Cedar text. Cedar decides and does nothing else: it holds no state and moves no
money, and what it sees is `attributes` and nothing more. So that all replicas come to the
same decision, and none is brought down by a text, a policy is held to these before anything
is decided by it:

================  =================================================================
`text`            looked at before Cedar parses it: size, nesting, operators
`tree`            the parsed policy: only what is known here, of limited depth and size
`hidden_level`    how a policy may ask for a level that nobody is told
`schema`          the types of everything a policy can name
`cedar`           the library: parsing, strict validation, decisions
`engine`          which version of it decides, as a chain's genesis says
`policy`          all of it together
`explain`         a policy in plain words
================  =================================================================
"""

from ledger.chain.policy.attributes import Member, Quality, Recording, Use
from ledger.chain.policy.engine import PolicyEngine, require_engine
from ledger.chain.policy.errors import PolicyError
from ledger.chain.policy.policy import Policy, read_policy

__all__ = [
    "Member",
    "Policy",
    "PolicyEngine",
    "PolicyError",
    "Quality",
    "Recording",
    "Use",
    "read_policy",
    "require_engine",
]
