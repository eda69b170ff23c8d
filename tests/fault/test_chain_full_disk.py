"""A disk without room, or that cannot be written: the engine says so and nothing is lost."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.fault.private_mount import run_with_tmpfs

COMMON = """
    import os, pathlib, subprocess, sys, tempfile
    from ledger.chain.engines.embedded import EmbeddedEngine
    from ledger.chain.engines.service import EngineStoppedError
    from ledger.chain.machine.home import open_chain
    from ledger.chain.machine.writer import open_chain_to_write
    from ledger.chain.state.check import check_state
    from ledger.errors import ReadOnlyError, StorageError, StorageFullError
    from tests.ledger.chain.engines.engine_world import PATIENCE_S, QUICK, EngineWorld

    place = pathlib.Path(sys.argv[1])
    published = pathlib.Path(tempfile.mkdtemp())
    os.environ["QUIPU_PUBLISHED"] = str(published)
    world = EngineWorld()
    root = world.create(place / "chain")

    def pay_until_it_stops():
        # The ids of what is durable, and what stopped it.
        included = []
        with EmbeddedEngine.open(root, QUICK) as engine:
            world.sequences = [engine_sequence(engine)] * 4
            try:
                while True:
                    admissions = engine.submit(world.transfers(50))
                    assert all(each.ok for each in admissions), admissions
                    ids = [each.id for each in admissions]
                    engine.wait_all(ids, PATIENCE_S)
                    included += ids
            except EngineStoppedError as error:
                return included, error

    def engine_sequence(engine):
        from ledger.chain.account import Account
        from ledger.chain.state.store import open_state
        from ledger.chain.state_keys import account_key
        from tests.ledger.chain.engines.engine_world import name_of
        with engine._home.storage.read() as transaction:
            row = open_state(transaction).get(account_key(name_of(world.people[0])))
        return Account.decode(row).sequence

    def check(included):
        with open_chain_to_write(root) as home:
            with home.storage.read() as transaction:
                check_state(transaction)
            from ledger.chain.machine.block_rows import find_transaction
            with home.storage.read() as transaction:
                for each in included:
                    find_transaction(transaction, each)
"""


def run(directory: Path, size: str, tail: str) -> str:
    return run_with_tmpfs(directory, size, textwrap.dedent(COMMON) + textwrap.dedent(tail))


def test_a_disk_that_fills_up(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        "1500k",
        """
        kept, error = pay_until_it_stops()
        assert kept and "no space" in error.message and "make room" in error.hint, error
        check(kept)
        # No room yet: it says so at once, or when it first writes; nothing changes.
        try:
            more, error = pay_until_it_stops()
            assert len(more) < 200, len(more)
            kept += more
        except (StorageFullError, EngineStoppedError):
            pass
        check(kept)
        subprocess.run(["mount", "-o", "remount,size=4m", str(place)], check=True)
        with EmbeddedEngine.open(root, QUICK) as engine:
            world.sequences = [engine_sequence(engine)] * 4
            ids = [each.id for each in engine.submit(world.transfers(100))]
            engine.wait_all(ids, PATIENCE_S)
            kept += ids
        check(kept)
        print("done", len(kept))
        """,
    )
    assert printed.startswith("done")


def test_no_room_for_the_published_checkpoint(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        "2m",
        """
        # The chain has room elsewhere; the place of published checkpoints has none.
        import shutil
        elsewhere = pathlib.Path(tempfile.mkdtemp()) / "chain"
        shutil.move(root, elsewhere)
        root = elsewhere
        os.environ["QUIPU_PUBLISHED"] = str(place)
        filler = open(place / "filler", "wb", buffering=0)
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
        try:
            kept, error = pay_until_it_stops()
            assert "no space" in error.message, error
        except (EngineStoppedError, StorageFullError):
            kept = []
        check(kept)
        os.unlink(place / "filler")
        filler.close()
        with EmbeddedEngine.open(root, QUICK) as engine:
            world.sequences = [engine_sequence(engine)] * 4
            (admission,) = engine.submit([world.transfer()])
            engine.wait(admission.id, PATIENCE_S)
            engine.receipt(admission.id)
        shutil.rmtree(root)
        print("done")
        """,
    )
    assert printed.startswith("done")


def test_a_read_only_mount(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        "4m",
        """
        with EmbeddedEngine.open(root, QUICK) as engine:
            (admission,) = engine.submit([world.transfer()])
            engine.wait(admission.id, PATIENCE_S)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        try:
            EmbeddedEngine.open(root, QUICK)
        except ReadOnlyError as error:
            assert error.hint
        else:
            raise SystemExit("an engine opened it")
        with open_chain(root) as chain:
            assert chain.log.size >= 4
        print("done")
        """,
    )
    assert printed.startswith("done")
