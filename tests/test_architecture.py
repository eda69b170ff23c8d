"""Holds the tree to its dependency direction and its house rules, by reading the source.

Every rule is a function from sources to complaints, so that the tests at the end can
plant a violation of each and see it found.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_LINES = 450
MAX_TEST_LINES = 600  # tables of cases read well at length

# Which part of `ledger` may import which other parts. The longest matching name counts;
# a part may always import itself. Reading downwards, everything builds on what is above.
BASE = {"ledger.errors"}
TEXT = BASE | {"ledger.canonical", "ledger.ed25519"}
NOTES = TEXT | {"ledger.note", "ledger.checkpoint"}
FILES = BASE | {"ledger.closing", "ledger.durable_file", "ledger.storage"}
LOG = NOTES | FILES | {"ledger.merkle", "ledger.log", "ledger.log_reader", "ledger.published"}
EXPERIENCE = LOG | {"ledger.schema", "ledger.experience", "ledger.experience.readers"}
CHAIN = NOTES | {"ledger.merkle", "ledger.schema", "ledger.chain", "ledger.chain.state"}
CHAIN |= {"ledger.chain.channel"}
ALLOWED: Mapping[str, set[str]] = {
    "ledger.errors": set(),
    "ledger.schema": BASE,
    "ledger.closing": set(),
    "ledger.durable_file": set(),
    "ledger.canonical": BASE,
    "ledger.ed25519": BASE,
    "ledger.merkle": BASE,
    "ledger.note": TEXT,
    "ledger.checkpoint": TEXT | {"ledger.note"},
    "ledger.tlog_proof": NOTES,
    "ledger.storage": FILES,
    "ledger.published": FILES,
    "ledger.unix_socket": FILES,
    "ledger.signing_keys": NOTES | FILES,
    "ledger.witness": NOTES | {"ledger.merkle", "ledger.storage"},
    "ledger.log_reader": NOTES | {"ledger.merkle", "ledger.storage"},
    "ledger.restart": NOTES | {"ledger.merkle", "ledger.storage", "ledger.log_reader"},
    "ledger.log": LOG | {"ledger.restart", "ledger.witness"},
    "ledger.log_home": LOG,
    "ledger.experience.readers": BASE,
    "ledger.experience": EXPERIENCE,
    "ledger.witnessing": NOTES | FILES | {"ledger.merkle", "ledger.log_reader", "ledger.witness"},
    "ledger.verifier": NOTES
    | {"ledger.merkle", "ledger.schema", "ledger.experience", "ledger.tlog_proof"},
    "ledger.prover": EXPERIENCE | {"ledger.tlog_proof"},
    "ledger.fsck": EXPERIENCE,
    "ledger.home": EXPERIENCE | {"ledger.log_home", "ledger.signing_keys"},
    "ledger.key_change": EXPERIENCE | {"ledger.signing_keys", "ledger.home"},
    "ledger.catch_up": EXPERIENCE | {"ledger.home"},
    "ledger.memory": EXPERIENCE | {"ledger.home", "ledger.prover", "ledger.unix_socket"},
    "ledger.memory.anchoring": EXPERIENCE
    | CHAIN
    | {
        "ledger.chain.engines",
        "ledger.chain.light",
        "ledger.chain.machine",
        "ledger.chain.proven",
        "ledger.chain.rules",
        "ledger.home",
        "ledger.memory",
        "ledger.signing_keys",
        "ledger.witnessing",
    },
    "ledger.recording": EXPERIENCE | {"ledger.memory"},
    "ledger.follow": EXPERIENCE | {"ledger.home", "ledger.memory"},
    "ledger.fleet": EXPERIENCE
    | CHAIN
    | {
        "ledger.chain.engines",
        "ledger.chain.light",
        "ledger.chain.machine",
        "ledger.chain.proven",
        "ledger.chain.rules",
        "ledger.credentials",
        "ledger.exchange",
        "ledger.home",
        "ledger.market",
        "ledger.memory",
        "ledger.memory.anchoring",
        "ledger.signing_keys",
        "ledger.wallet",
        "ledger.witnessing",
    },
    "ledger.chain": NOTES | {"ledger.merkle", "ledger.schema"},
    "ledger.chain.channel": TEXT | {"ledger.schema", "ledger.chain"},
    "ledger.chain.sale": BASE
    | {"ledger.merkle", "ledger.schema", "ledger.chain", "ledger.experience"},
    "ledger.chain.state": BASE | {"ledger.storage"},
    "ledger.chain.light": CHAIN | {"ledger.witnessing"},
    "ledger.chain.proven": CHAIN
    | FILES
    | {"ledger.chain.engines", "ledger.chain.light", "ledger.chain.machine"},
    "ledger.chain.policy": BASE,
    "ledger.chain.rules": CHAIN
    | {"ledger.chain.policy", "ledger.chain.sale", "ledger.experience", "ledger.witnessing"},
    "ledger.chain.machine": CHAIN
    | LOG
    | {
        "ledger.chain.light",
        "ledger.chain.policy",
        "ledger.chain.rules",
        "ledger.log_home",
        "ledger.signing_keys",
    },
    "ledger.chain.engines": CHAIN | LOG | {"ledger.chain.machine", "ledger.unix_socket"},
    "ledger.chain.chronicle": CHAIN
    | {"ledger.chain.rules", "ledger.chain.sale", "ledger.experience"},
    "ledger.chain.audit": CHAIN
    | EXPERIENCE
    | {
        "ledger.chain.chronicle",
        "ledger.chain.machine",
        "ledger.chain.policy",
        "ledger.chain.rules",
        "ledger.chain.sale",
        "ledger.fsck",
    },
    "ledger.credentials": CHAIN | FILES,
    "ledger.wallet": CHAIN | FILES,
    "ledger.lineage": EXPERIENCE | CHAIN | {"ledger.chain.rules"},
    "ledger.offering": EXPERIENCE | CHAIN | {"ledger.chain.rules"},
    "ledger.exchange": EXPERIENCE
    | CHAIN
    | {"ledger.chain.sale", "ledger.unix_socket", "ledger.wallet"},
    "ledger.market": EXPERIENCE
    | CHAIN
    | {
        "ledger.chain.engines",
        "ledger.chain.light",
        "ledger.chain.machine",
        "ledger.chain.policy",
        "ledger.chain.proven",
        "ledger.chain.rules",
        "ledger.credentials",
        "ledger.exchange",
        "ledger.home",
        "ledger.offering",
        "ledger.signing_keys",
        "ledger.wallet",
    },
    "ledger.report": EXPERIENCE
    | CHAIN
    | {
        "ledger.chain.audit",
        "ledger.chain.chronicle",
        "ledger.chain.policy",
        "ledger.chain.rules",
        "ledger.fsck",
        "ledger.offering",
    },
    "ledger.cli": EXPERIENCE
    | {
        "ledger.catch_up",
        "ledger.chain",
        "ledger.chain.audit",
        "ledger.chain.channel",
        "ledger.chain.engines",
        "ledger.chain.light",
        "ledger.chain.machine",
        "ledger.chain.policy",
        "ledger.chain.proven",
        "ledger.chain.rules",
        "ledger.credentials",
        "ledger.exchange",
        "ledger.fleet",
        "ledger.fsck",
        "ledger.home",
        "ledger.key_change",
        "ledger.follow",
        "ledger.lineage",
        "ledger.market",
        "ledger.memory",
        "ledger.memory.anchoring",
        "ledger.offering",
        "ledger.prover",
        "ledger.recording",
        "ledger.report",
        "ledger.signing_keys",
        "ledger.tlog_proof",
        "ledger.verifier",
        "ledger.wallet",
        "ledger.witness",
        "ledger.witnessing",
    },
    "zkproofs": set(),
}

# Libraries that only one place may know.
CONFINED: Mapping[str, tuple[str, ...]] = {
    "lmdb": ("ledger.storage.lmdb", "ledger.storage.lmdb_pages"),
    "google": ("ledger.schema", "ledger.experience", "ledger.chain"),
    "pyarrow": ("ledger.experience.readers",),
    "click": ("ledger.cli",),
    "rich": ("ledger.cli",),
    "cedarpy": ("ledger.chain.policy",),
    "rclpy": (),
    "mujoco": (),
    "rosbags": ("ledger.experience.readers",),
    "mcap": ("ledger.experience.readers",),
    # Tables take the wheel's bare decoder of scalars, for their limbs: hundreds a sum.
    "py_arkworks_bls12381": ("zkproofs.group.arkworks", "zkproofs.group.tables"),
    "py_ecc": ("zkproofs.group.py_ecc",),
}

CATCH_ALL_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}

Sources = Mapping[str, str]


def read_sources(*folders: str) -> dict[str, str]:
    """Source text by module name, generated code left out."""
    sources: dict[str, str] = {}
    for folder in folders:
        base = (ROOT / folder).parent
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.stem.endswith("_pb2"):
                parts = path.relative_to(base).with_suffix("").parts
                name = ".".join(parts).removesuffix(".__init__")
                sources[name] = path.read_text(encoding="utf-8")
    return sources


def imports_of(module: str, sources: Sources) -> Iterator[str]:
    """Everything ``module`` imports at any depth, `if TYPE_CHECKING` and functions included."""
    tree = ast.parse(sources[module])
    is_package = any(other.startswith(module + ".") for other in sources)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + is_package]
                origin = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield name if name in sources else origin


def part_of(module: str) -> str | None:
    """The longest name in `ALLOWED` that ``module`` is or lies in."""
    names = [name for name in ALLOWED if module == name or module.startswith(name + ".")]
    return max(names, key=len, default=None)


def wrong_directions(sources: Sources) -> Iterator[str]:
    for module in sources:
        if module == "ledger":
            continue
        part = part_of(module)
        if part is None:
            yield f"{module}: no line in ALLOWED; say which parts it may import"
            continue
        for imported in imports_of(module, sources):
            top = imported.split(".")[0]
            if top == "ledger" and imported != "ledger":
                target = part_of(imported)
                if target != part and target not in ALLOWED[part]:
                    yield f"{module} imports {imported}: {part} may not import {target}"
            elif top == "ledger" and part == "zkproofs":
                yield f"{module} imports {imported}: zkproofs stands alone"
            elif top == "zkproofs" and not module.startswith(("ledger.", "zkproofs")):
                yield f"{module} imports {imported}"


def escaped_libraries(sources: Sources) -> Iterator[str]:
    for module in sources:
        for imported in imports_of(module, sources):
            places = CONFINED.get(imported.split(".")[0])
            if places is not None and not any(
                module == place or module.startswith(place + ".") for place in places
            ):
                yield f"{module} imports {imported}, which belongs in {' or '.join(places) or '-'}"


# What a third party runs: bytes and public keys in, a verdict out.
VERIFIERS = (
    "ledger.verifier",
    "ledger.chain.channel.payword",
    "ledger.chain.channel.voucher",
    "ledger.chain.sale.complaint",
    "ledger.chain.state.proof",
    "ledger.chain.light.receipt",
    "ledger.chain.light.answer",
    "ledger.chain.light.client",
    "ledger.chain.light.snapshot",
)


def storage_behind_a_verifier(sources: Sources) -> Iterator[str]:
    """Follow what `VERIFIERS` import, through packages' ``__init__`` too."""
    for verifier in VERIFIERS:
        yield from storage_behind(verifier, sources)


def storage_behind(verifier: str, sources: Sources) -> Iterator[str]:
    seen: set[str] = set()
    waiting = [verifier]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        if module in sources:
            waiting.extend(imports_of(module, sources))
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    for module in sorted(seen):
        if module.split(".")[0] == "lmdb" or module.startswith("ledger.storage"):
            yield f"{verifier} reaches {module}"


def merkle_beyond_the_standard_library(sources: Sources) -> Iterator[str]:
    for module in sources:
        if module.startswith("ledger.merkle"):
            for imported in imports_of(module, sources):
                top = imported.split(".")[0]
                if top != "ledger" and top not in sys.stdlib_module_names:
                    yield f"{module} imports {imported}: only the standard library is allowed"


def overlong_modules(sources: Sources) -> Iterator[str]:
    for module, source in sources.items():
        lines = source.count("\n")
        limit = MAX_TEST_LINES if module.startswith("tests.") else MAX_LINES
        if lines > limit:
            yield f"{module} has {lines} lines; {limit} at most: split it by idea"


def catch_all_names(sources: Sources) -> Iterator[str]:
    for module in sources:
        bad = CATCH_ALL_NAMES.intersection(module.split("."))
        if bad:
            yield f"{module}: '{bad.pop()}' says nothing; name it after its idea"


def bare_asserts(sources: Sources) -> Iterator[str]:
    for module, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assert):
                yield f"{module}:{node.lineno}: assert disappears under python -O"


def stray_prints(sources: Sources) -> Iterator[str]:
    for module, source in sources.items():
        if module.startswith("ledger.cli"):
            continue
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
            ):
                yield f"{module}:{node.lineno}: print outside ledger.cli"


Rule = Callable[[Sources], Iterator[str]]

PRODUCT_RULES: tuple[Rule, ...] = (
    wrong_directions,
    escaped_libraries,
    storage_behind_a_verifier,
    merkle_beyond_the_standard_library,
    overlong_modules,
    catch_all_names,
    bare_asserts,
    stray_prints,
)
SIMULATION_RULES: tuple[Rule, ...] = (overlong_modules, catch_all_names, bare_asserts)


@pytest.fixture(scope="module")
def product() -> dict[str, str]:
    return read_sources("ledger", "zkproofs")


@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_its_rules(rule: Rule, product: Sources) -> None:
    assert "ledger.merkle.hashing" in product
    assert not list(rule(product))


@pytest.mark.parametrize("rule", SIMULATION_RULES, ids=lambda rule: rule.__name__)
def test_the_simulation_keeps_its_rules(rule: Rule) -> None:
    sources = read_sources("ros_ws/src/quipu_sim/quipu_sim")
    assert "quipu_sim.world" in sources
    assert not list(rule(sources))


@pytest.mark.parametrize(
    "rule", [overlong_modules, catch_all_names], ids=lambda rule: rule.__name__
)
def test_tests_and_benchmarks_keep_their_size_and_names(rule: Rule) -> None:
    assert not list(rule(read_sources("tests", "benchmarks")))


def test_the_table_has_no_circle() -> None:
    building: dict[str, set[str]] = {
        part: {target for target in targets if target != part} for part, targets in ALLOWED.items()
    }
    while building:
        free = [part for part, targets in building.items() if not targets & building.keys()]
        assert free, f"a circle among {sorted(building)}"
        for part in free:
            del building[part]


def test_every_line_of_the_table_is_in_use(product: Sources) -> None:
    used = {part_of(module) for module in product} | {"ledger.schema"}
    assert set(ALLOWED) <= used


def test_launch_is_no_python_package() -> None:
    # It would shadow ROS's own `launch`.
    assert not (ROOT / "launch" / "__init__.py").exists()


@pytest.mark.parametrize("module", [*VERIFIERS, "zkproofs"])
def test_what_really_gets_imported(module: str) -> None:
    forbidden = "('lmdb', 'rclpy', 'ledger.storage', 'ledger.log', 'ledger.cli')"
    if module == "zkproofs":
        forbidden = "('lmdb', 'rclpy', 'google.protobuf', 'ledger')"
    program = (
        f"import sys, {module}\n"
        f"found = [name for name in sys.modules if name.startswith({forbidden})]\n"
        "sys.exit(', '.join(found) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


CLEAN = {
    "ledger": "",
    "ledger.errors": "",
    "ledger.merkle": "",
    "ledger.merkle.hashing": "import hashlib\nfrom ledger.errors import MalformedError\n",
    "ledger.storage": "",
    "ledger.storage.lmdb": "import lmdb\n",
    "ledger.experience": "",
    "ledger.experience.entry": "",
    "ledger.log": "from ledger.merkle.hashing import leaf_hash\n",
    "ledger.verifier": "from ledger.experience import entry\n",
    "ledger.chain": "",
    "ledger.chain.state": "",
    "ledger.chain.state.hashing": "import hashlib\n",
    "ledger.chain.state.proof": "from ledger.chain.state.hashing import path_of\n",
    "ledger.chain.state.store": "from ledger.storage import Table\n",
    "ledger.cli": "",
    "ledger.cli.log": "from ledger.log import Log\nprint(1)\n",
    "zkproofs": "",
    "zkproofs.group": "",
    "zkproofs.group.arkworks": "import py_arkworks_bls12381 as wheel\n",
    "zkproofs.group.py_ecc": "from py_ecc.bls import point_compression\n",
    "zkproofs.sigma": "from zkproofs.group.py_ecc import PyEccGroup\n",
}


def test_a_clean_tree_has_no_complaint() -> None:
    assert [complaint for rule in PRODUCT_RULES for complaint in rule(CLEAN)] == []


@pytest.mark.parametrize(
    ("rule", "module", "source"),
    [
        (wrong_directions, "ledger.merkle.hashing", "from ledger.log import Log"),
        (wrong_directions, "ledger.merkle.hashing", "from ledger import log"),
        (wrong_directions, "ledger.merkle.hashing", "from .. import log"),
        (wrong_directions, "ledger.merkle.hashing", "from ..log import Log"),
        (wrong_directions, "ledger.merkle", "from ..log import Log"),
        (wrong_directions, "ledger.merkle.hashing", "def f():\n    import ledger.log"),
        (wrong_directions, "ledger.log", "import ledger.cli.log"),
        (wrong_directions, "ledger.log", "from ledger.experience.entry import Entry"),
        (wrong_directions, "ledger.verifier", "from ledger.storage import Storage"),
        (wrong_directions, "ledger.verifier", "from ledger.log import Log"),
        (wrong_directions, "ledger.brand_new", ""),
        (wrong_directions, "zkproofs", "from ledger.errors import LedgerError"),
        (wrong_directions, "zkproofs", "import ledger"),
        (escaped_libraries, "zkproofs", "from google.protobuf import message"),
        (escaped_libraries, "zkproofs", "import rclpy.node"),
        (escaped_libraries, "zkproofs", "import lmdb"),
        (escaped_libraries, "ledger.log", "import lmdb"),
        (escaped_libraries, "ledger.storage", "import lmdb"),
        (escaped_libraries, "ledger.cli.log", "from rclpy import node"),
        (escaped_libraries, "ledger.log", "import click"),
        (escaped_libraries, "ledger.log", "import py_ecc"),
        (escaped_libraries, "zkproofs.sigma", "import py_arkworks_bls12381"),
        (escaped_libraries, "zkproofs.sigma", "def f():\n    from py_ecc.bls import hash"),
        (escaped_libraries, "zkproofs.group", "from py_arkworks_bls12381 import Scalar"),
        (escaped_libraries, "zkproofs.group.arkworks", "import py_ecc"),
        (escaped_libraries, "zkproofs.group.py_ecc", "import py_arkworks_bls12381"),
        (storage_behind_a_verifier, "ledger.experience.entry", "import ledger.storage"),
        (storage_behind_a_verifier, "ledger.experience", "from ledger.storage.lmdb import x"),
        (storage_behind_a_verifier, "ledger.experience.entry", "import lmdb"),
        (storage_behind_a_verifier, "ledger.chain.state.hashing", "import ledger.storage"),
        (storage_behind_a_verifier, "ledger.chain.state.proof", "from . import store"),
        (wrong_directions, "ledger.chain.state.store", "from ledger.log import Log"),
        (escaped_libraries, "ledger.chain.state.store", "import rclpy"),
        (escaped_libraries, "ledger.chain.state.store", "import cedarpy"),
        (merkle_beyond_the_standard_library, "ledger.merkle.hashing", "import numpy"),
        (overlong_modules, "ledger.log", "\n" * (MAX_LINES + 1)),
        (catch_all_names, "ledger.merkle.utils", ""),
        (catch_all_names, "ledger.common.things", ""),
        (bare_asserts, "ledger.log", "def f(x):\n    assert x"),
        (stray_prints, "ledger.log", "print('hello')"),
    ],
)
def test_a_planted_violation_is_found(rule: Rule, module: str, source: str) -> None:
    assert list(rule({**CLEAN, module: source}))
