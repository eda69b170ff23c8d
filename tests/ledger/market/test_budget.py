"""A budget is never exceeded, whatever is reserved, settled, or killed in between."""

from __future__ import annotations

import stat
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.market.budget import Budget, Limits, OverBudgetError

NAMES = [bytes([n]) * 16 for n in range(4)]
PURPOSES = ["training", "evaluation", "search and rescue"]


def made(tmp_path: Path, **limits: object) -> Budget:
    return Budget.create(tmp_path / "money" / "budget", Limits(**limits))  # type: ignore[arg-type]


def test_what_is_reserved_counts_until_it_is_settled(tmp_path: Path) -> None:
    budget = made(tmp_path, total=100, purchase=60, purposes={"training": 70})
    assert stat.S_IMODE(budget.path.stat().st_mode) == 0o600
    budget.reserve(NAMES[0], "training", 0, 60)
    standing = budget.standing()
    assert (standing.used(), standing.left("training"), standing.left("other")) == (60, 10, 40)
    with pytest.raises(OverBudgetError) as over:
        budget.reserve(NAMES[1], "training", 0, 11)
    assert (over.value.amount, over.value.left) == (11, 10)
    budget.reserve(NAMES[1], "other", 0, 40)
    budget.settle(NAMES[0], 25)
    standing = Budget(budget.path).standing()
    assert (standing.used(), standing.used("training"), standing.left("other")) == (65, 25, 35)
    budget.settle(NAMES[0], 25)
    budget.settle(NAMES[3], 1)
    assert budget.standing() == standing


def test_a_reservation_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    budget = made(tmp_path, total=100)
    for amount in (100, 40, 100):
        budget.reserve(NAMES[0], "training", 0, amount)
        assert budget.standing().used() == amount
    with pytest.raises(OverBudgetError):
        budget.reserve(NAMES[0], "training", 0, 101)
    assert budget.standing().used() == 100


def test_limits_may_change_and_what_was_spent_stays(tmp_path: Path) -> None:
    budget = made(tmp_path)
    budget.reserve(NAMES[0], "training", 0, 2**64 - 1)
    assert budget.standing().left("training") is None
    budget.settle(NAMES[0], 80)
    budget.set_limits(Limits(total=50))
    assert budget.standing().left("training") == 0
    budget.set_limits(Limits(total=100))
    assert budget.standing().left("training") == 20
    with pytest.raises(RefusedError, match="asset 7"):
        budget.reserve(NAMES[0], "training", 7, 1)
    with pytest.raises(RefusedError, match="already"):
        Budget.create(budget.path, Limits())
    with pytest.raises(NotFoundError):
        Budget(tmp_path / "none").standing()


def test_what_spends_is_not_freed_but_settled(tmp_path: Path) -> None:
    budget = made(tmp_path, total=100)
    budget.reserve(NAMES[0], "training", 0, 30)
    budget.reserve(NAMES[1], "training", 0, 30)
    budget.reserve(NAMES[1], "training", 0, 40, spends=True)
    for name in NAMES:
        budget.free(name)
    assert set(budget.standing().reserved) == {NAMES[1]}
    assert budget.standing().used() == 40
    budget.settle(NAMES[1], 35)
    assert budget.standing().used() == 35


def test_a_file_of_before_says_of_nothing_that_its_money_is_still_here(tmp_path: Path) -> None:
    budget = made(tmp_path, total=100)
    budget.reserve(NAMES[0], "training", 0, 30)
    content = budget.path.read_bytes().partition(b"sha256 ")[0].replace(b"/v2", b"/v1")
    budget.path.write_bytes(content + f"sha256 {sha256(content).hexdigest()}\n".encode())
    budget.free(NAMES[0])
    assert budget.standing().used() == 30
    budget.settle(NAMES[0], 1)
    assert budget.standing().used() == 1


@pytest.mark.parametrize("purpose", ["", "a\nspent 1 b", "\0"])
def test_a_purpose_is_one_line(tmp_path: Path, purpose: str) -> None:
    budget = made(tmp_path)
    with pytest.raises(MalformedError):
        budget.reserve(NAMES[0], purpose, 0, 1)
    with pytest.raises(MalformedError):
        Limits(purposes={purpose: 1})


def test_a_file_that_was_altered_says_so(tmp_path: Path) -> None:
    budget = made(tmp_path, total=100, purposes={"training": 5})
    budget.reserve(NAMES[0], "training", 0, 5)
    budget.reserve(NAMES[1], "search and rescue", 0, 7)
    budget.settle(NAMES[1], 6)
    budget.reserve(NAMES[2], "training", 0, 0, spends=True)
    data = budget.path.read_bytes()
    for at in range(len(data)):
        budget.path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(CorruptStoreError):
            budget.standing()
    for end in range(len(data)):
        budget.path.write_bytes(data[:end])
        with pytest.raises(CorruptStoreError):
            budget.standing()


def test_threads_together_reserve_no_more_than_there_is(tmp_path: Path) -> None:
    budget, refused = made(tmp_path, total=10), []

    def reserve(number: int) -> None:
        try:
            Budget(budget.path).reserve(bytes([number]) * 16, "training", 0, 1)
        except OverBudgetError:
            refused.append(number)

    threads = [threading.Thread(target=reserve, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 6
    assert budget.standing().used() == 10


@given(
    total=st.none() | st.integers(0, 2**64 - 1),
    purposes=st.dictionaries(
        st.text(min_size=1).filter(lambda text: text.isprintable()), st.integers(0, 2**64 - 1)
    ),
)
@settings(max_examples=30, deadline=None)
def test_limits_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, total: int | None, purposes: dict[str, int]
) -> None:
    limits = Limits(total, None, purposes)
    budget = Budget.create(tmp_path_factory.mktemp("budget") / "budget", limits)
    assert budget.standing().limits == limits


class Spending(RuleBasedStateMachine):
    """Purchases that come and go against a model that is a list of amounts."""

    tmp: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.tmp / f"{id(self)}"
        self.path.unlink(missing_ok=True)
        self.limits = Limits(total=100, purchase=50, purposes={"training": 60})
        self.budget = Budget.create(self.path, self.limits)
        self.held: dict[bytes, tuple[str, int]] = {}
        self.spent: list[tuple[str, int]] = []

    def used(self, purpose: str | None, without: bytes = b"") -> int:
        rows = [*self.spent, *(row for name, row in self.held.items() if name != without)]
        return sum(amount for each, amount in rows if purpose in (None, each))

    @rule(name=st.sampled_from(NAMES), purpose=st.sampled_from(PURPOSES), amount=st.integers(0, 70))
    def reserve(self, name: bytes, purpose: str, amount: int) -> None:
        fits = amount <= 50 and self.used(None, name) + amount <= 100
        if purpose == "training":
            fits = fits and self.used(purpose, name) + amount <= 60
        if fits:
            self.budget.reserve(name, purpose, 0, amount)
            self.held[name] = (purpose, amount)
        else:
            with pytest.raises(OverBudgetError):
                self.budget.reserve(name, purpose, 0, amount)

    @rule(name=st.sampled_from(NAMES), part=st.integers(0, 100))
    def settle(self, name: bytes, part: int) -> None:
        purpose, amount = self.held.pop(name, ("", 0))
        spent = amount * part // 100
        self.budget.settle(name, spent)
        if purpose:
            self.spent.append((purpose, spent))

    @rule()
    def begin_again(self) -> None:
        self.budget = Budget(self.path)

    @invariant()
    def within_its_limits(self) -> None:
        standing = self.budget.standing()
        assert standing.used() == self.used(None) <= 100
        assert standing.used("training") == self.used("training") <= 60


def test_spending_against_a_model(tmp_path: Path) -> None:
    Spending.tmp = tmp_path
    run_state_machine_as_test(
        Spending, settings=settings(max_examples=15, stateful_step_count=20, deadline=None)
    )
