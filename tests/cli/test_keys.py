"""The robot's key: kept, brought back, changed, and what old proofs say then."""

from __future__ import annotations

from tests.cli.robot import Robot


def test_proofs_verify_with_the_key_of_their_time(veteran: Robot, nobody: Robot) -> None:
    old = veteran.vkey()
    proofs = {name: nobody.work / name for name in ("before", "during", "after")}
    veteran.did("prove", 0, "-o", proofs["before"])
    new = veteran.told("key", "rotate")["vkey"]
    assert veteran.told("key", "show") == {"ok": True, "active": [old, new], "known": [old, new]}
    veteran.did("prove", 0, "-o", proofs["during"])
    assert veteran.told("key", "retire")["retired"] == old
    (veteran.work / "late.log").write_text("after the change")
    late = veteran.told("ingest", "late.log")["entries"][0]["index"]
    veteran.did("checkpoint")
    veteran.did("prove", late, "-o", proofs["after"])

    def holds(name: str, key: str) -> bool:
        code = nobody.run("verify", proofs[name], "--key", key).code
        assert code in {0, 1}
        return code == 0

    assert holds("before", old)
    assert not holds("before", new)
    assert holds("during", old)
    assert not holds("after", old)
    assert holds("after", new)
    assert holds("before", old)
    # An old entry under the new key: its signer must be trusted besides.
    veteran.did("prove", 0, "-o", proofs["during"])
    assert not holds("during", old)
    nobody.did("verify", proofs["during"], "--key", new, "--key", old)

    assert veteran.told("key", "show")["active"] == [new]
    keys = [path.name for path in (veteran.home / "keys" / "signing").iterdir()]
    assert len(keys) == 1, "the retired private key is destroyed"
    veteran.is_whole()


def test_a_backup_brings_the_key_back_and_nothing_else(veteran: Robot) -> None:
    folder = veteran.home / "keys" / "signing"
    (key,) = folder.iterdir()
    original = key.read_bytes()
    (veteran.work / "phrase").write_bytes(b"correct horse\nsecond line is ignored\n")
    veteran.did("key", "backup", "saved", "--passphrase-file", "phrase")
    saved = veteran.work / "saved"
    assert saved.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE" not in saved.read_bytes()
    restore = ("key", "restore", "saved", "--passphrase-file")

    # Missing, damaged, readable by others: named, and mended.
    key.unlink()
    assert "key restore BACKUP" in veteran.refused("checkpoint", code=4)
    veteran.did(*restore, "phrase")
    assert key.read_bytes() == original
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(original[:-20])
    assert "key restore BACKUP --force" in veteran.refused("checkpoint", code=4)
    veteran.refused(*restore, "phrase", code=4)
    veteran.did(*restore, "phrase", "--force")
    assert key.read_bytes() == original
    key.chmod(0o644)
    assert "chmod 600" in veteran.refused("checkpoint", code=4)
    key.chmod(0o600)
    veteran.did("checkpoint")

    (veteran.work / "wrong").write_bytes(b"correct horse \n")
    assert "wrong passphrase" in veteran.refused(*restore, "wrong", code=4)
    (veteran.work / "none").write_bytes(b"")
    assert "passphrase" in veteran.refused(
        "key", "backup", "more", "--passphrase-file", "none", code=4
    )
    damaged = bytearray(saved.read_bytes())
    damaged[-1] ^= 1
    saved.write_bytes(damaged)
    veteran.refused(*restore, "phrase", code=4)
    saved.write_bytes(damaged[:40])
    veteran.refused(*restore, "phrase", code=3)
    assert key.read_bytes() == original
    veteran.is_whole()


def test_another_robots_backup_is_refused(veteran: Robot, nobody: Robot) -> None:
    nobody.did("init")
    (nobody.work / "phrase").write_text("x")
    nobody.did("key", "backup", veteran.work / "theirs", "--passphrase-file", "phrase")
    phrase = nobody.work / "phrase"
    line = veteran.refused("key", "restore", "theirs", "--passphrase-file", phrase, code=5)
    assert "another robot's key" in line
    veteran.did("checkpoint")
