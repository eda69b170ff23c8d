"""A home restored from an old backup comes back to what it had published, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.catch_up import catch_up, read_exported_entries
from ledger.errors import BehindError, LedgerError, NotFoundError, RefusedError, VerificationError
from ledger.experience.erasure import erase
from ledger.experience.growing import abandon_record, interrupted_records
from ledger.experience.ingest import ingest
from ledger.experience.provenance import (
    acquisitions_of,
    record_acquisition,
    record_training,
    trainings_of,
    trainings_on,
)
from ledger.experience.readers import read_recording
from ledger.experience.records import Presence
from ledger.fsck import AuditRequest, FindingKind, audit_home
from ledger.home import HomeWriter, create_home, open_home_to_write
from ledger.key_change import retire_key, rotate_key
from ledger.note import VerifierKey
from tests.ledger.experience.growing_record import GrowingRecord
from tests.ledger.experience.test_provenance import own

Life = Callable[[HomeWriter], object]


@pytest.fixture(autouse=True)
def _published_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


def _ingest(home: HomeWriter, path: Path, text: str) -> bytes:
    path.write_text(text)
    (recording,) = read_recording(path)
    return ingest(home.experiences, recording).record_id


def _export(home: HomeWriter, folder: Path) -> None:
    for name, data in home.log.export_tiles(home.log.size):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "checkpoint").write_bytes(home.log.checkpoint(home.signers()))


def _restored(tmp_path: Path, life: Life) -> tuple[Path, Path, bytes]:
    """A home, backed up after its first recording; ``life`` went on; then it was restored."""
    home, backup, export = tmp_path / "home", tmp_path / "backup", tmp_path / "export"
    create_home(home, "example.com/robot")
    with open_home_to_write(home) as writer:
        first = _ingest(writer, tmp_path / "first.bin", "the first recording" * 1000)
        writer.log.checkpoint(writer.signers())
    shutil.copytree(home, backup)
    with open_home_to_write(home) as writer:
        life(writer)
    with open_home_to_write(home) as writer:
        _export(writer, export)
    return backup, export, first


def test_it_gets_back_what_it_lacked_and_may_sign_again(tmp_path: Path) -> None:
    backup, export, _ = _restored(
        tmp_path,
        lambda home: [_ingest(home, tmp_path / f"{i}.bin", f"later {i}") for i in range(300)],
    )
    with open_home_to_write(backup) as home:
        with pytest.raises(BehindError):
            home.log.checkpoint(home.signers())
        assert catch_up(home, export) == range(1, 301)
        assert home.log.behind is None
        assert home.log.checkpoint(home.signers()) == (export / "checkpoint").read_bytes()


def test_records_that_were_being_written_come_back_as_they_ended(tmp_path: Path) -> None:
    """One was open when the backup was made and sealed later, one was given up later."""
    home, backup, export = tmp_path / "home", tmp_path / "backup", tmp_path / "export"
    create_home(home, "example.com/robot")
    with open_home_to_write(home) as writer:
        sealed, doomed, still = (GrowingRecord(writer.experiences) for _ in range(3))
        for record in (sealed, doomed, still):
            record.write("run_0.mcap", b"before the backup")
            record.commit()
        writer.log.checkpoint(writer.signers())
    shutil.copytree(home, backup)
    with open_home_to_write(home) as writer:
        for record in (sealed, doomed, still):
            record.writer = writer.experiences
            record.write("run_0.mcap", b", and after it")
            record.commit()
        sealed.write("metadata.yaml", b"{}")
        sealed.seal()
        abandon_record(writer.experiences, doomed.id, "no use")
        _export(writer, export)
    with open_home_to_write(backup) as writer:
        catch_up(writer, export)
        experiences = writer.experiences
        assert len(experiences.tables.progress(sealed.id)) == 2
        assert experiences.tables.state(doomed.id).presence is Presence.ERASED
        assert not doomed.folder.is_relative_to(backup)
        assert not experiences.content.recording_folder(doomed.id).exists()
    with open_home_to_write(backup) as writer:
        (left,) = interrupted_records(writer.experiences)
        assert left.record.record_id == still.id
        assert [mark.length for mark in left.marks] == [17, 31]
    report = audit_home(AuditRequest(backup, tmp_path / "published"))
    kinds = {finding.kind for finding in report.findings}
    assert kinds == {FindingKind.CONTENT_MISSING, FindingKind.CHUNKS_ROW}
    assert {finding.entry for finding in report.findings} == {6}


def test_what_was_bought_and_trained_since_the_backup_is_told_again(tmp_path: Path) -> None:
    made: list[bytes] = []

    def life(home: HomeWriter) -> None:
        (first,) = [record_id for record_id, _ in home.experiences.tables.states()]
        model = _ingest(home, tmp_path / "model.bin", "weights")
        record_acquisition(home.experiences, own(first))
        record_training(home.experiences, model, "policy", [first])
        made.append(model)

    backup, export, first = _restored(tmp_path, life)
    with open_home_to_write(backup) as home:
        catch_up(home, export)
        assert [at for at, _ in acquisitions_of(home.experiences, first)] == [2]
        assert [at for at, _ in trainings_on(home.experiences, first)] == [3]
        assert [at for at, _ in trainings_of(home.experiences, made[0])] == [3]
    report = audit_home(AuditRequest(backup, tmp_path / "published"))
    # The model's bytes and key were not in the export; what the entries say of it was.
    kinds = {finding.kind for finding in report.findings}
    assert kinds == {
        FindingKind.CONTENT_MISSING,
        FindingKind.CHUNKS_ROW,
        FindingKind.KEY_MISSING,
    }


def test_what_was_erased_since_the_backup_is_erased_again(tmp_path: Path) -> None:
    erased: list[bytes] = []

    def life(home: HomeWriter) -> None:
        (record_id,) = [r for r, _ in home.experiences.tables.states()]
        erase(home.experiences, [record_id])
        erased.append(record_id)

    backup, export, first = _restored(tmp_path, life)
    assert erased == [first]
    assert b"the first recording" in b"".join(
        path.read_bytes() for path in backup.rglob("*") if path.is_file()
    )
    with open_home_to_write(backup) as home:
        catch_up(home, export)
        assert home.experiences.tables.state(first).presence is Presence.ERASED
        with pytest.raises(LedgerError):
            home.experiences.keys.get(first)
    assert b"the first recording" not in b"".join(
        path.read_bytes() for path in backup.rglob("*") if path.is_file()
    )


def test_a_key_that_came_in_since_signs(tmp_path: Path) -> None:
    new: list[VerifierKey] = []

    def life(home: HomeWriter) -> None:
        new.append(rotate_key(home))
        retire_key(home)

    backup, export, _ = _restored(tmp_path, life)
    # What it published is signed by a key that the backup never heard of.
    with pytest.raises(LedgerError, match="newer key"), open_home_to_write(backup):
        pass
    with open_home_to_write(backup, new) as home:
        catch_up(home, export, tuple(new))
        assert home.vkeys == tuple(new)


def test_entries_that_are_not_the_logs_change_nothing(tmp_path: Path) -> None:
    def life(home: HomeWriter) -> None:
        (record_id,) = [r for r, _ in home.experiences.tables.states()]
        erase(home.experiences, [record_id])

    backup, export, first = _restored(tmp_path, life)
    (bundle,) = (export / "tile" / "entries").rglob("2")
    data = bytearray(bundle.read_bytes())
    data[-1] ^= 1  # in the last entry's signature: it parses, and is not what was signed
    bundle.write_bytes(bytes(data))
    with open_home_to_write(backup) as home:
        with pytest.raises(VerificationError):
            catch_up(home, export)
        assert home.log.size == 1
        assert home.experiences.tables.state(first).presence is Presence.STORED
        home.experiences.keys.get(first)


def test_another_logs_export_is_refused(tmp_path: Path) -> None:
    backup, export, _ = _restored(tmp_path, lambda home: _ingest(home, tmp_path / "x.bin", "x"))
    other = tmp_path / "other"
    create_home(other, "example.com/other")
    with open_home_to_write(other) as home, pytest.raises((RefusedError, VerificationError)):
        catch_up(home, export)
    with pytest.raises(NotFoundError):
        read_exported_entries(tmp_path / "nowhere", 0, 1)
    with open_home_to_write(backup) as home:
        catch_up(home, export)


def test_what_the_backup_lacked_is_named_until_it_is_erased(tmp_path: Path) -> None:
    backup, export, _ = _restored(
        tmp_path, lambda home: _ingest(home, tmp_path / "x.bin", "lost with the disk")
    )
    with open_home_to_write(backup) as home:
        catch_up(home, export)
        (lost,) = [r for r, _ in home.experiences.tables.states() if home.log.record_index(r) == 1]
    request = AuditRequest(backup, tmp_path / "published")
    assert {finding.kind for finding in audit_home(request).findings} == {
        FindingKind.CHUNKS_ROW,
        FindingKind.KEY_MISSING,
        FindingKind.CONTENT_MISSING,
    }
    with open_home_to_write(backup) as home:
        erase(home.experiences, [lost], "lost with the disk")
        home.log.checkpoint(home.signers())
    assert audit_home(request).ok
