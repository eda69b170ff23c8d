"""What an acquisition keeps is read as it was written, and nothing else is read."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.codes import ResultCode
from ledger.errors import (
    CorruptStoreError,
    LockedError,
    MalformedError,
    NotFoundError,
    RefusedError,
)
from ledger.exchange.grant import Grant
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_file import (
    STAGES,
    read_state,
    read_wish,
    stage_of,
    write_state,
    write_wish,
)
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Bought,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Kept,
    Refused,
    Requested,
    Stage,
    Streaming,
    Swapping,
    Wished,
)
from ledger.market.wish import Mode, Wish
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import OfferRecord, Terms

OFFER_ID = b"o" * 32
OFFER = OfferRecord(contract=b"c" * 32, leaf=b"l" * 32, origin="sellers/husky", index=3)
RECORD = GrantRecord(
    offer=b"o" * 32,
    contract=b"c" * 32,
    version=2,
    terms=Terms(chunk_price=1, record_price=50),
    key=b"k" * 32,
    fleet=b"f" * 32,
    expiry_height=1_000,
    seller=b"s" * 32,
    content_root=b"r" * 32,
    content_size=600_000,
)
GRANT = Grant.of_record(b"C" * 32, b"g" * 32, RECORD)
FACTS = (OFFER, RECORD, GRANT)
STATES: list[AcquisitionState] = [
    Wished(),
    Requested(OFFER, 7, b"a signed transaction"),
    Refused(ResultCode.POLICY_DENIES, "not for this"),
    Granted(*FACTS),
    Funded(*FACTS, 100),
    Swapping(*FACTS, 100),
    ChannelOpened(*FACTS, 100, b"h" * 32),
    Streaming(*FACTS, 0, b""),
    Bought(*FACTS, 100, b"h" * 32),
    Closed(*FACTS, 100, b"h" * 32, 55),
    Kept(*FACTS, 100, b"h" * 32, 55, b"i" * 16, 9),
    Abandoning(*FACTS, 100, b"h" * 32, 1_020),
    Abandoned(55),
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: type(state).__name__)
def test_states(tmp_path: Path, state: AcquisitionState) -> None:
    path = tmp_path / "state"
    assert read_state(path) is None
    write_state(path, state)
    assert path.stat().st_mode & 0o077 == 0
    assert read_state(path) == state
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(CorruptStoreError):
            read_state(path)
    for end in range(0, len(data), 5):
        path.write_bytes(data[:end])
        with pytest.raises(CorruptStoreError):
            read_state(path)


def test_every_state_has_a_number_and_a_test() -> None:
    assert {stage_of(state) for state in STATES} == set(Stage) == set(STAGES.values())


@given(
    offer=st.binary(min_size=32, max_size=32),
    purpose=st.text(min_size=1, max_size=16).filter(str.isprintable),
    numbers=st.tuples(*[st.none() | st.integers(0, 2**64 - 1)] * 3),
    role=st.none() | st.text(st.characters(exclude_characters="+"), max_size=12),
    mode=st.sampled_from(Mode),
)
@settings(max_examples=50, deadline=None)
def test_wishes(
    tmp_path_factory: pytest.TempPathFactory,
    offer: bytes,
    purpose: str,
    numbers: tuple[Any, Any, Any],
    role: str | None,
    mode: Mode,
) -> None:
    price, level, use = numbers
    wish = Wish(offer, purpose, price, level, role, use, mode)
    path = tmp_path_factory.mktemp("wish") / "wish"
    write_wish(path, b"n" * 16, wish)
    assert read_wish(path) == (b"n" * 16, wish)


def test_a_wish_that_says_no_mode_is_of_a_stream(tmp_path: Path) -> None:
    """As folders have it that were begun before there was another."""
    path, wish = tmp_path / "wish", Wish(OFFER_ID, "training", 5, 3, "scout", 1)
    fields = [b"training", *(number.to_bytes(8, "big") for number in (5, 3)), b"\1scout"]
    fields.append((1).to_bytes(8, "big"))
    old = wish_file(fields)
    write_wish(path, b"n" * 16, wish)
    assert path.read_bytes() == old
    path.write_bytes(wish_file([*fields, (1).to_bytes(8, "big")]))
    assert read_wish(path)[1] == replace(wish, mode=Mode.WHOLE)
    for more in ([(2).to_bytes(8, "big")], [b"\1"], [(1).to_bytes(8, "big"), b""]):
        path.write_bytes(wish_file([*fields, *more]))
        with pytest.raises(CorruptStoreError):
            read_wish(path)


def wish_file(fields: list[bytes]) -> bytes:
    joined = b"".join(len(each).to_bytes(4, "big") + each for each in fields)
    content = b"quipu-wish/v1\n" + b"n" * 16 + OFFER_ID + joined
    return content + sha256(content).digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"offer": b""},
        {"purpose": ""},
        {"purpose": "p" * 65},
        {"purpose": "training\n"},
        {"role": "r" * 64},
        {"role": "courier+"},
        {"max_price": -1},
        {"min_level": 2**64},
    ],
    ids=str,
)
def test_wishes_that_no_request_can_say(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        Wish(**{"offer": bytes(32), "purpose": "training", **changed})


def test_the_folder_is_ones_own_and_one_at_a_time(tmp_path: Path) -> None:
    folder, wish = tmp_path / "all" / "one", Wish(bytes(32), "training")
    with pytest.raises(NotFoundError):
        Acquisition.open(folder)
    with pytest.raises(NotFoundError):
        Acquisition.look(folder)
    with Acquisition.begin(folder, wish) as acquisition:
        assert folder.stat().st_mode & 0o077 == 0
        assert type(acquisition.state) is Wished
        with pytest.raises(LockedError, match="has the acquisition"):
            Acquisition.open(folder)
        assert Acquisition.look(folder) == (wish, Wished())
        acquisition.reach(Abandoned(0))
        name = acquisition.name
    with Acquisition.open(folder) as again:
        assert (again.name, again.wish, again.state) == (name, wish, Abandoned(0))
    with pytest.raises(RefusedError, match="was begun"):
        Acquisition.begin(folder, wish)
    (folder / "wish").write_bytes(b"quipu-wish/v1\n")
    for _ in range(2):
        with pytest.raises(CorruptStoreError):
            Acquisition.open(folder)
