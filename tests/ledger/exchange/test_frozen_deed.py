"""A deed as it was once written and sealed; it is read and opened for ever.

Nothing here is made again: other bytes are another format, and want another version.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from ledger.exchange.deed import Deed, Promise, ProvenBound, check_deed, open_deed
from ledger.exchange.session import Session
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import CommitmentKind, Experience, RewardSource
from tests.ledger.exchange.test_purchase import grant

SESSION = Session(bytes(16), b"m" * 32, b"k" * 32)
SALT = bytes(range(32))
DEED = bytes.fromhex(
    "0aa3030ade02080112205b6489c9c7fd0dcf50545e7c164886ef40491ec06c7f1b123041797e8117535e180742b5"
    "020a10000102030405060708090a0b0c0d0e0f1880d88ee16f2220df30a2e6f6ddcd05681451c57582933adc4aa8"
    "ce1b05d8d3a9cc7d174f6157cd281032110a0d6d657461646174612e79616d6c1007320e0a0a6261672f302e6d63"
    "617010093a156170706c69636174696f6e2f782d726f73626167325243080110021a308ed5e6d9e3f99ba6ce405c"
    "ee782fe618e64374593763c8d1ccdd960f35f3418476f1856f504af6a097d260462ab7ddc520ffffb3ccd4dfc603"
    "28c0843d5238080210021a30aefd0ba4826e501eac89cc4110a5f22d584b868b25537c685e21aab78293c1c6a5ef"
    "3df51b2349fd1ec699da579481db2801523708031a30b2bea9c17fff403c0fb0fae3ad544346bde69a0d8d6615d9"
    "0febd439a2c60bcd1d7d7ad176cfc32d979e749d834518e528e8076a05647269766512407768277b384678a3942b"
    "8c6a334735dbd9ce282c4175f03fefd117fefcc4ccbad145281ccd39fa91082136a031a70c16998d1cd59d36494c"
    "7fccacad60833206122f0801100218c0eea1cdd4dfc6032220097824c5c5327b88dea03667f5f24fdf2523e0d7a1"
    "304cb513e198581cff62a3122808021002180222205fac4b48467e1fd0cb8ed72d332660893e98c468946b8d1e3d"
    "421b4df69568f51228080318e0d403222033c49caaaff96b10d2498f8323a25293f795cc1a1f57a8facf250d98ce"
    "b62339"
)
SEALED_DIGEST = "160c2242c5e880796cd6a9d6cbab429f5f0f61af40f619ea7b71d6a536ca262e"
REWARD = 1_000_000_000_900_000


def test_it_is_read_and_true() -> None:
    deed = Deed.decode(DEED)
    assert deed.encode() == DEED
    said = parse_entry(deed.entry).kind
    assert isinstance(said, Experience)
    opening = deed.opening(CommitmentKind.REWARD, RewardSource.TASK)
    assert opening is not None
    assert opening.value == REWARD
    granted = replace(grant(), content_root=said.content_root, content_size=said.content_size)
    leaf = sha256(b"\0" + deed.entry).digest()
    bound = ProvenBound(CommitmentKind.REWARD, RewardSource.TASK, REWARD - 100_000, REWARD)
    check_deed(deed, granted, Promise(leaf, (bound,)))


def test_it_opens_by_the_equations() -> None:
    info = b"quipu/stream-deed/v1" + SALT
    key = HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(SESSION.unit_key)
    granted = grant()
    sealed = AESGCM(key).encrypt(bytes(12), DEED, granted.grant + granted.content_root)
    assert sha256(sealed).hexdigest() == SEALED_DIGEST
    assert open_deed(sealed, SALT, granted, SESSION) == Deed.decode(DEED)
