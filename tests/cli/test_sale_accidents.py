"""What happens to buyers and sellers at the command line: nothing is lost, nothing paid twice."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.robot import CommandServer, Robot

CHUNKS = 120
PRICE = 500_000 + CHUNKS * 10_000
_MEMBER = ("--role", "scout", "--level", "3", "--until", "2035-01-01")
BUY = ("--purpose", "training", "--credential", "h7", "--wallet", "theirs", "--max-price", "9")


@pytest.fixture(scope="module")
def shop(server: CommandServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    """Two fleets on a chain that is served, and a recording of many chunks that is offered."""
    made = Robot(tmp_path_factory.mktemp("shop"), server)
    (made.work / "long.bin").write_bytes(os.urandom(CHUNKS << 18))
    made.did("chain", "init")
    made.did("init", "--origin", "example.com/couriers/c1")
    made.did("ingest", "long.bin", "--reward", "0.93", "--by", "task")
    made.did("checkpoint")
    for wallet in ("../wallet", "theirs"):
        account = made.told("wallet", "new", "--wallet", wallet)["account"]
        made.did("chain", "mint", account, 100)
    made.did("chain", "fleet", "create", "couriers")
    made.did("chain", "fleet", "register", "couriers", "--robot", "../home")
    made.did("chain", "anchor", "--robot", "../home", "--wallet", "../wallet")
    made.did("contract", "new", "paid", "--template", "paid-dataset")
    terms = made.work / "paid" / "terms.yaml"
    terms.write_text(terms.read_text().replace("uses: 3", "uses: 90"))
    contract = made.told("contract", "deploy", "paid", "--fleet", "couriers")["contract"]
    prove = ("--prove", "reward>=0.8", "--wallet", "../wallet")
    offer = made.told("offer", "post", 0, "--contract", contract, *prove)["offer"]
    (made.work / "OFFER").write_text(offer)
    theirs = ("--wallet", "theirs")
    made.did("chain", "fleet", "create", "huskies", *theirs)
    made.did("wallet", "pay", "pool:huskies", 90, *theirs)
    made.did("chain", "fleet", "sponsor", "huskies", 1, "--anonymous", 1, *theirs)
    made.did("credential", "new", "issuer", "--fleet", "huskies")
    made.did("chain", "fleet", "issuer", "huskies", "--issuer", "issuer", *theirs)
    made.did("credential", "enroll", "issuer", "h7", "--robot", 7, *_MEMBER)
    with made.start("chain", "serve", "--empty-blocks", "0.2") as engine:
        _wait_for((made.folder / "chain" / "chain.sock").exists)
        yield made
        engine.send_signal(signal.SIGTERM)
        engine.wait(30)


@contextmanager
def selling(shop: Robot) -> Iterator[subprocess.Popen[bytes]]:
    """The storefront; whoever enters may kill it."""
    with shop.start("sales", "serve", "../home", "--wallet", "../wallet") as process:
        assert process.stdout is not None
        assert b"selling" in process.stdout.readline()
        yield process
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)


def _wait_for(what: object, patience_s: float = 60.0) -> None:
    deadline = time.monotonic() + patience_s
    while not what():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def offer_of(shop: Robot) -> str:
    return (shop.work / "OFFER").read_text()


def units_of(shop: Robot) -> int:
    """Bytes of the newest purchase that are here."""
    sizes = [path.stat().st_size for path in shop.folder.rglob("purchase/units")]
    return max(sizes, default=0)


def check_bought(shop: Robot, name: str) -> None:
    """The files are what was sold, and the whole was paid once."""
    assert (shop.work / name / "long.bin").read_bytes() == (shop.work / "long.bin").read_bytes()
    last = shop.told("buy", "list")["purchases"][-1]
    assert last["stage"] == "closed"
    assert PRICE < last["spent"] < PRICE + 100


def test_ctrl_c_stops_between_chunks_and_the_same_command_goes_on(shop: Robot) -> None:
    words = ("buy", offer_of(shop), *BUY, "--again", "--into", "first")
    with selling(shop):
        with shop.start(*words, "--json") as process:
            _wait_for(lambda: units_of(shop) > 0)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert process.returncode == 130, (out, err)
        told = json.loads(out)
        assert told["ok"] is False
        assert 0 < told["chunks_here"] < told["chunks"] == CHUNKS
        assert told["paid"] <= 500_000 + (told["chunks_here"] + 1) * 10_000
        line = err.decode().splitlines()[-1]
        assert re.fullmatch(r"quipu: stopped, \d+ of 120 chunks are here, .+ is paid \(.+\)", line)
        assert not (shop.work / "first").exists()
        shop.run("buy", offer_of(shop), *BUY, "--into", "first")
    check_bought(shop, "first")


def test_who_asks_for_another_challenge(shop: Robot) -> None:
    serve = ("sales", "serve", "../home", "--wallet", "../wallet", "--challenge")
    refused = shop.run(*serve, "1")
    assert refused.code == 5
    assert "a challenge of 1 blocks is less than the chain's least" in refused.err
    words = ("buy", offer_of(shop), *BUY, "--into", "none")
    with shop.start(*serve, "301") as process:
        assert process.stdout is not None
        assert b"selling" in process.stdout.readline()
        refused = shop.run(*words, "--again")
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert refused.code == 5
    assert not (shop.work / "none").exists()
    assert "too little time" in refused.err
    assert units_of(shop) == 0
    # Who asks for as much as buyers give sells, and the purchase goes on.
    with selling(shop):
        assert shop.run(*words).code == 0
    check_bought(shop, "none")


def test_killed_buyers_and_sellers_go_on(shop: Robot) -> None:
    words = ("buy", offer_of(shop), *BUY, "--into", "second")
    with selling(shop) as front:
        with shop.start(*words, "--again") as process:
            _wait_for(lambda: units_of(shop) > 0)
            process.kill()
        assert shop.told("buy", "list")["purchases"][-1]["stage"] == "streaming"
        with shop.start(*words) as process:
            before = units_of(shop)
            _wait_for(lambda: units_of(shop) > before)
            front.kill()
            _, err = process.communicate(timeout=120)
        assert process.returncode == 4, err
        assert b"quipu sales serve" in err
    with selling(shop):
        assert shop.run(*words).code == 0
    check_bought(shop, "second")
    sales = shop.told("sales")["sales"]
    assert all(sale["earned"] == PRICE for sale in sales)


def test_where_files_cannot_be_put_nothing_is_lost(shop: Robot) -> None:
    (shop.work / "taken").write_text("mine")
    again = ("buy", offer_of(shop), *BUY)
    # A place that is taken is refused before anything is paid.
    before = len(shop.told("buy", "list")["purchases"])
    for options in (("--again",), ()):
        line = shop.refused(*again, *options, "--into", "taken", code=5)
        assert "taken is there already" in line
    assert len(shop.told("buy", "list")["purchases"]) == before
    # Copies that were deleted come back for nothing.
    for name in ("first", "second"):
        shutil.rmtree(shop.work / name, ignore_errors=True)
    earned = len(shop.told("sales")["sales"])
    limits = {"RLIMIT_FSIZE": 1_000_000}
    outcome = shop.run(*again, "--into", "third", limits=limits)
    assert outcome.code == 4
    assert "it is bought, and not yet in its place" in outcome.err
    assert not (shop.work / "third").exists()
    assert shop.run(*again, "--into", "third").code == 0
    check_bought(shop, "third")
    assert len(shop.told("sales")["sales"]) == earned


def test_what_a_home_cannot_keep_is_bought_all_the_same(shop: Robot) -> None:
    shop.did("init", "--home", "kept", "--origin", "example.com/huskies/h7")
    again = ("buy", offer_of(shop), *BUY, "--into", "seventh")
    with selling(shop):
        # Before anything is paid, where that can be known.
        before = len(shop.told("buy", "list")["purchases"])
        words = (*again, "--again", "--home", "nowhere")
        assert "nowhere is not a home" in shop.refused(*words, code=4)
        assert len(shop.told("buy", "list")["purchases"]) == before
        shop.run(*again, "--again")
    shutil.rmtree(shop.work / "seventh")
    earned = len(shop.told("sales")["sales"])
    words = ("buy", offer_of(shop), *BUY, "--home", "kept")
    line = shop.run(*words, limits={"RLIMIT_FSIZE": 1_000_000}).err.splitlines()[-1]
    assert line.startswith("quipu: it is bought, and not yet kept: "), line
    assert "the same command, without --again, keeps it and pays nothing" in line
    assert "kept as entry 0" in shop.run(*words).out
    assert len(shop.told("sales")["sales"]) == earned


def test_one_storefront_and_one_process_a_purchase(shop: Robot) -> None:
    with selling(shop):
        line = shop.refused("sales", "serve", "../home", "--wallet", "../wallet", code=4)
        assert "a storefront runs at" in line
        with shop.start("buy", offer_of(shop), *BUY, "--again", "--into", "fourth") as process:
            _wait_for(lambda: units_of(shop) > 0)
            process.send_signal(signal.SIGSTOP)
            line = shop.run("buy", offer_of(shop), *BUY, "--into", "other").err
            assert "one at a time can go on with it" in line
            process.send_signal(signal.SIGCONT)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    check_bought(shop, "fourth")


def _on_a_terminal(
    shop: Robot, answer: bytes, *words: object, before: Callable[[], object] = lambda: None
) -> tuple[int, str]:
    """Exit status and all that was shown to somebody who types ``answer`` when asked.

    ``before`` the answer something may happen elsewhere.
    """
    ours, theirs = os.openpty()
    shop.extra.update({"TERM": "xterm", "COLUMNS": "120"})
    try:
        with shop.start(*words, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            said = b""
            with suppress(OSError):  # EIO: the last of them has gone
                while piece := os.read(ours, 1 << 16):
                    said += piece
                    if answer and b"[y/N]" in said:
                        shop.extra.clear()
                        before()
                        os.write(ours, answer + b"\n")
                        answer = b""
            process.wait(60)
    finally:
        os.close(ours)
        shop.extra.clear()
    return process.returncode, said.decode("utf-8", "replace")


def test_a_terminal_asks_for_the_price_and_shows_how_far_it_is(shop: Robot) -> None:
    words = ("buy", offer_of(shop), *BUY[:-2], "--again", "--into", "sixth")
    code, said = _on_a_terminal(shop, b"n", *words)
    assert code == 5
    assert "of couriers/c1 for 1.700000 QPU? [y/N]" in said
    assert "nothing was bought" in said
    with selling(shop):
        code, said = _on_a_terminal(shop, b"y", *words)
    assert code == 0, said
    assert re.search(r"buying .*\b[1-9]\d*/120 chunks .*MiB.*B/s.*paid .*QPU", said), said
    assert "bought long.bin" in said
    check_bought(shop, "sixth")


def test_the_price_that_was_said_is_the_most(shop: Robot) -> None:
    """Though the contract is amended while a person thinks about it."""
    (contract,) = shop.told("contract", "list")["contracts"]
    terms = shop.work / "paid" / "terms.yaml"
    cheap = terms.read_text()
    words = ("buy", offer_of(shop), *BUY[:-2], "--again", "--into", "eighth")

    def amend(text: str) -> None:
        terms.write_text(text)
        shop.did("contract", "amend", contract["contract"][:8], "paid")

    with selling(shop):
        dear = cheap.replace('chunk_price: "0.01"', 'chunk_price: "0.02"')
        assert dear != cheap
        try:
            code, said = _on_a_terminal(shop, b"y", *words, before=lambda: amend(dear))
        finally:
            amend(cheap)
        assert (code, "for 1.700000 QPU? [y/N]" in said) == (5, True), said
        assert "--max-price is 1.700000 QPU" in said
        assert not (shop.work / "eighth").exists()
        code, said = _on_a_terminal(shop, b"y", *words)
    assert code == 0, said
    check_bought(shop, "eighth")


def test_who_stops_reading_has_bought_all_the_same(shop: Robot) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with selling(shop):
        words = ("buy", offer_of(shop), *BUY, "--again", "--into", "fifth")
        with shop.start(*words, stdout=writing) as process:
            os.close(writing)
            _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    check_bought(shop, "fifth")


@contextmanager
def _a_seller_that_goes_away(place: Path) -> Iterator[None]:
    """Somebody listens there, and ends every connection."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def end_all() -> None:
            with suppress(OSError):
                while True:
                    listening.accept()[0].close()

        thread = threading.Thread(target=end_all, daemon=True)
        thread.start()
        yield
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_who_gives_up_is_told_what_is_waited_for(shop: Robot) -> None:
    apart = ("--purchases", "apart")
    with _a_seller_that_goes_away(shop.work / "away"):
        assert shop.run("buy", offer_of(shop), *BUY, *apart, "--from", "away").code == 4
    words = ("buy", "give-up", offer_of(shop), *BUY[2:6], *apart)
    with shop.start(*words) as process:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert re.fullmatch(
        r"the channel is closing: waiting up to 60 s for the seller to agree, or for block \d+\n",
        line,
    )


def test_places_that_are_damaged_or_in_the_way(shop: Robot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for option, words in (
        ("--purchases", ("buy", offer_of(shop), *BUY)),
        ("--purchases", ("buy", "budget", "set", "--total", "5")),
    ):
        line = shop.refused(*words, option, tmp_path / "file" / "below", code=4)
        assert str(tmp_path / "file") in line
    budget = ("--purchases", tmp_path / "mine")
    shop.did("buy", "budget", "set", "--total", "5", *budget)
    (kept,) = (tmp_path / "mine").glob("*/budget-0")
    kept.write_text(kept.read_text().replace("total", "total 9"))
    assert "is damaged" in shop.refused("buy", "budget", "show", *budget, code=4)
    shutil.copy(shop.work / "h7", tmp_path / "h7")
    (tmp_path / "h7").chmod(0o600)
    elsewhere = ("buy", offer_of(shop), "--purpose", "training", "--credential", tmp_path / "h7")
    line = shop.refused(*elsewhere, "--wallet", "theirs", "--again", "--yes", code=3)
    assert "h7.gaps is not a file" in line
