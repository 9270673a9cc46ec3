"""Archives: what goes out comes back, in any database; what is wrong is refused whole."""

import io
import os
import signal
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import (
    AlreadyExists,
    ArchiveUnusable,
    ConsentMissing,
    EmbeddingMismatch,
    InvalidArgument,
    KeyMismatch,
    KeyMissing,
    LimitExceeded,
    MienError,
    NotFound,
)
from mien.gallery import Gallery, GalleryLimits, GroupSettings
from mien.gallery.archive import Passphrase, inspect, new_file, open_file
from mien.gallery.archive.frames import FrameWriter
from mien.gallery.operations import backup, restore
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.protect.stream import SealedWriter
from mien.gallery.records.kept import image_context
from mien.gallery.records.schema import face_images, faces, persons
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.types import Box, Embeddings

CONTRACT = random_contract(8)
OTHER = random_contract(4)
KEY = Passphrase("correct horse battery", cost=14)
GIVEN = {"purpose": "entry to the gym", "text_version": "2026-11", "language": "ko"}


def add(gallery, group, person, seed, **more):
    faces = Embeddings(unit_vectors(1, 8, seed=seed), np.array([7.5], np.float32))
    return gallery.add_faces(group, person, faces, contract=CONTRACT, create_person=True, **more)


def fill(gallery):
    """One of everything."""
    settings = GroupSettings(consent="required", retain_age_s=999)
    gallery.create_group("gym", contract=CONTRACT, scoring="mean", user_data="group data")
    gallery.create_group("pool", contract=CONTRACT)
    gallery.create_group("other", contract=OTHER)
    gallery.create_group("empty", contract=CONTRACT)
    gallery.add_person("gym", "김민수", user_data="data", external_id="E-1")
    gallery.privacy.give_consent("gym", "김민수", **GIVEN, evidence="form 12")
    gallery.privacy.give_consent("gym", "김민수", **GIVEN, every_group=True)
    gallery.set_group("gym", settings=settings)
    add(
        gallery, "gym", "김민수", 1, source_sha256="a" * 64, boxes=[Box(1.5, 2.25, 30.0, 40.125)],
        qualities=[0.75], external_image_id="IMG-1", user_data="face data",
    )  # fmt: skip
    add(gallery, "gym", "김민수", 2)
    gallery.add_member("pool", "김민수", source="gym", name="Minsu")
    add(gallery, "pool", "Ann", 3)
    add(gallery, "pool", None, 4)  # anonymous
    gallery.add_person("pool", "faceless")
    gallery.add_faces(
        "other", "Ann", Embeddings(unit_vectors(1, 4), np.array([np.nan], np.float32)),
        contract=OTHER, create_person=True,
    )  # fmt: skip
    gallery.privacy.seen([gallery.person("pool", "Ann").id])
    with gallery._database.writing() as connection:
        face = connection.execute(sa.select(faces).order_by(faces.c.seq).limit(1)).one()
        secret = (b"jpeg bytes", image_context(face.id, "crop"))
        (sealed,) = gallery._database.vault.seal_for(connection, face.person_seq, [secret])
        connection.execute(
            face_images.insert().values(
                face_seq=face.seq, kind="crop", media_type="image/jpeg", sealed=sealed
            )
        )


def documents(gallery):
    """All that is kept, as the persons' own exports say it, without the log."""
    found = {}
    for group in gallery.groups():
        people = gallery.persons(group.name) + gallery.persons(group.name, anonymous=True)
        for person in people:
            document = gallery.privacy.export(group.name, person.id)
            del document["log"]
            found[group.name, person.name] = document
    return found, [group.to_dict() for group in gallery.groups()]


def exported(gallery, **options):
    file = io.BytesIO()
    gallery.archive.export(file, key=KEY, **options)
    file.seek(0)
    return file


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """The backup of a gallery with one of everything: made once, restored in one transaction."""
    file, place = io.BytesIO(), tmp_path_factory.mktemp("filled") / "from.db"
    with Gallery.open(f"sqlite:///{place}") as gallery:
        fill(gallery)
        backup(gallery, file)
    return file.getvalue()


@pytest.fixture
def source(filled, url):
    restore(io.BytesIO(filled), url, replace=True)
    with Gallery.open(url) as opened:
        yield opened


@pytest.fixture
def target(databases):
    """Another gallery, under another master key."""
    with Gallery.open(databases(), keys=KeyRing([new_key()])) as opened:
        yield opened


# ---------------------------------------------------------------- there and back


def test_all_that_is_kept_comes_back_under_another_key(source, target):
    before = documents(source)
    imported = target.archive.load(exported(source), key=KEY)
    assert documents(target) == before
    assert (imported.persons, imported.faces, imported.images, imported.consents) == (5, 5, 1, 2)
    probe = unit_vectors(1, 8, seed=3)
    hits = target.search("pool", probe, contract=CONTRACT, k=9)[0]
    assert (hits[0].person, len(hits)) == ("Ann", 3)
    assert target.privacy.verify_audit()
    assert target.privacy.audit()[0].action == "gallery.import"


def test_from_one_kind_of_database_to_the_other(source, tmp_path):
    file = exported(source)
    with Gallery.open(f"sqlite:///{tmp_path / 'there.db'}") as sqlite:
        sqlite.archive.load(file, key=KEY)
        assert documents(sqlite) == documents(source)
        back = exported(sqlite)
    for group in source.groups():
        source.delete_group(group.name)
    source.archive.load(back, key=KEY)
    assert len(documents(source)[0]) == 6


def test_chosen_groups_take_only_their_persons_and_faces(source, target):
    with pytest.raises(NotFound):
        source.archive.export(io.BytesIO(), key=KEY, only=["nosuch"])
    target.archive.load(exported(source, only=["gym"]), key=KEY)
    assert [group.name for group in target.groups()] == ["gym"]
    assert [person.name for person in target.persons("gym")] == ["김민수"]
    assert target.group("gym").faces == 2
    assert len(target.privacy.consents("gym", "김민수")) == 2


def test_an_empty_application(url, target):
    with Gallery.open(url) as gallery:
        file = exported(gallery)
    assert target.archive.load(file, key=KEY).groups == {}


def test_the_log_is_evidence_and_is_not_taken_over(source, target):
    file = exported(source, log=True)
    target.archive.load(file, key=KEY)
    assert "consent.give" not in [entry.action for entry in target.privacy.audit()]
    file.seek(0)
    entries = []
    found = inspect(file, key=KEY, entry=entries.append)
    assert found["counts"]["log"] == len(entries) > 10
    assert [entry["hash"] for entry in entries] == [
        entry.hash for entry in source.privacy.audit(limit=len(entries))
    ]


def test_an_export_sees_one_moment(source, target, monkeypatch):
    """Somebody enrols and deletes between two batches: the archive knows nothing of it."""
    monkeypatch.setattr("mien.gallery.records.portable.PERSONS", 1)
    before = documents(source)
    real = FrameWriter.rows

    def meanwhile(self, kind, rows, *blobs, **facts):
        real(self, kind, rows, *blobs, **facts)
        if kind == "groups":
            source.delete_person("pool", "Ann")
            add(source, "pool", "Zoe", 9)

    monkeypatch.setattr(FrameWriter, "rows", meanwhile)
    target.archive.load(exported(source), key=KEY)
    assert documents(target) == before


# ---------------------------------------------------------------- what is there already


def test_importing_twice_changes_nothing(source, target):
    file = exported(source)
    target.archive.load(file, key=KEY)
    before = documents(target)
    file.seek(0)
    with pytest.raises(AlreadyExists, match="on-conflict"):
        target.archive.load(file, key=KEY)
    assert documents(target) == before
    file.seek(0)
    again = target.archive.load(file, key=KEY, on_conflict="skip")
    assert (again.persons, again.faces, again.skipped_persons) == (0, 0, 5)
    assert documents(target) == before


def test_skip_adds_what_is_missing_and_leaves_the_rest(source, target):
    target.create_group("pool", contract=CONTRACT)
    add(target, "pool", "Ann", 50)
    imported = target.archive.load(exported(source), key=KEY, on_conflict="skip")
    assert (imported.skipped_persons, imported.persons) == (1, 4)
    hits = target.search("pool", unit_vectors(1, 8, seed=50), contract=CONTRACT, k=1)
    assert hits[0][0].person == "Ann"
    assert target.group("pool").persons == 4
    assert target.group("pool").faces == 4


def test_rename_makes_copies(source):
    file = exported(source)
    imported = source.archive.load(file, key=KEY, on_conflict="rename")
    assert imported.groups == {name: f"{name}-2" for name in ("empty", "gym", "other", "pool")}
    assert imported.external_ids_left_out == 1
    mine, copy = (source.person(name, "김민수") for name in ("gym", "gym-2"))
    assert mine.id != copy.id
    assert mine.faces == copy.faces == 2
    (anonymous,) = source.persons("pool-2", anonymous=True)
    assert anonymous.name == anonymous.id
    file.seek(0)
    assert source.archive.load(file, key=KEY, on_conflict="rename").groups["gym"] == "gym-3"


def test_into_another_application_of_the_same_gallery(source):
    """Ids are unique in a gallery: the copies get others, and the same ones again."""
    source.create_application("second")
    second = source.for_application("second")
    file = exported(source)
    assert second.archive.load(file, key=KEY).persons == 5
    assert second.person("gym", "김민수").id != source.person("gym", "김민수").id
    assert second.person("gym", "김민수").external_id == "E-1"
    file.seek(0)
    assert second.archive.load(file, key=KEY, on_conflict="skip").persons == 0


def test_a_group_of_another_model_is_refused_whole(source, target):
    target.create_group("pool", contract=OTHER)
    with pytest.raises(EmbeddingMismatch):
        target.archive.load(exported(source), key=KEY, on_conflict="skip")
    assert [group.name for group in target.groups()] == ["pool"]


def test_a_group_here_that_demands_consent_takes_nobody_without(source, target):
    target.create_group("pool", contract=CONTRACT, settings=GroupSettings(consent="required"))
    with pytest.raises(ConsentMissing):
        target.archive.load(exported(source), key=KEY, on_conflict="skip")
    assert target.group("pool").persons == 0


def test_limits_hold_for_imports(source, databases):
    limits = GalleryLimits(faces_per_group=3)
    with Gallery.open(databases(), limits=limits) as small:
        with pytest.raises(LimitExceeded):
            small.archive.load(exported(source), key=KEY)
        assert small.groups() == []


def test_no_such_way_with_conflicts(source, target):
    with pytest.raises(InvalidArgument, match="refuse, skip, rename"):
        target.archive.load(exported(source), key=KEY, on_conflict="overwrite")


# ---------------------------------------------------------------- what was erased since


def test_the_erased_do_not_come_back_unless_they_should(source):
    file = exported(source)
    source.merge_persons("pool", "Minsu", "Ann")
    source.privacy.erase("gym", "김민수")
    for group in source.groups():
        source.delete_group(group.name)
    imported = source.archive.load(file, key=KEY)
    assert (imported.erased_persons, imported.persons) == (2, 3)  # and who was merged into one
    assert [person.name for person in source.persons("pool")] == ["faceless"]
    for group in source.groups():
        source.delete_group(group.name)
    file.seek(0)
    assert source.archive.load(file, key=KEY, bring_back_erased=True).persons == 5


def test_an_erased_face_does_not_come_back_with_its_former_owner(source):
    file = exported(source)
    face = source.faces("gym", "김민수")[0].id
    source.add_person("pool", "Bob")
    source.move_face("gym", face, "Bob", to_group="pool")
    source.privacy.erase("pool", "Bob")
    for group in source.groups():
        source.delete_group(group.name)
    imported = source.archive.load(file, key=KEY)
    assert imported.erased_faces == 1
    assert source.group("gym").faces == 1


def test_a_consent_that_was_withdrawn_stays_withdrawn(source):
    file = exported(source)
    for consent in source.privacy.consents("gym", "김민수"):
        source.privacy.withdraw_consent(consent.id)
    source.delete_group("gym")
    source.delete_group("pool")
    imported = source.archive.load(file, key=KEY, on_conflict="skip")
    assert imported.withdrawn_consents == 2
    assert source.persons("gym") == []
    assert "Minsu" in [person.name for person in source.persons("pool")]  # asks for none
    assert all(one.withdrawn_at for one in source.privacy.consents("pool", "Minsu"))


def test_persons_to_leave_out_can_be_named(source, target):
    ann = source.person("pool", "Ann").id
    imported = target.archive.load(exported(source), key=KEY, erased=[ann])
    assert imported.erased_persons == 1
    with pytest.raises(NotFound):
        target.person("pool", "Ann")


# ---------------------------------------------------------------- files that are wrong


@pytest.fixture(scope="module")
def archived(filled, tmp_path_factory):
    """The bytes of an archive."""
    url = f"sqlite:///{tmp_path_factory.mktemp('archived') / 'from.db'}"
    restore(io.BytesIO(filled), url)
    with Gallery.open(url) as gallery:
        return exported(gallery).getvalue()


@pytest.fixture
def kept(archived, tmp_path):
    """An archive, and an empty gallery to import into."""
    with Gallery.open(f"sqlite:///{tmp_path / 'to.db'}") as empty:
        yield archived, empty


def refused(empty, data, error=ArchiveUnusable, key=KEY, match=None):
    before = len(empty.privacy.audit())
    with pytest.raises(error, match=match):
        empty.archive.load(io.BytesIO(data), key=key)
    assert empty.groups() == []
    assert len(empty.privacy.audit()) == before
    with empty._database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(persons)).scalar() == 0


def test_truncated_anywhere(kept):
    data, empty = kept
    for length in [0, 1, 7, 11, 12, 40, len(data) // 2, len(data) - 17, len(data) - 1]:
        refused(empty, data[:length])


def test_truncated_at_the_end_of_a_block(tmp_path):
    """Where every block is whole, too: the last one says that it is the last."""
    from mien.gallery.protect import stream

    file = io.BytesIO()
    with SealedWriter(file, KEY) as writer:
        writer.write(bytes(3 * stream.BLOCK))
    whole = file.getvalue()
    cut = whole[: len(whole) - stream.BLOCK - 16]
    reader = stream.SealedReader(io.BytesIO(cut), KEY)
    with pytest.raises(ArchiveUnusable, match="cut off"):
        reader.read(3 * stream.BLOCK)
    more = stream.SealedReader(io.BytesIO(whole + bytes(5)), KEY)
    with pytest.raises(ArchiveUnusable, match="cut off or changed"):
        more.read(3 * stream.BLOCK)


@pytest.mark.parametrize("size", [0, 1, 262_143, 262_144, 262_145, 524_288])
def test_streams_of_every_length_come_back(size):
    from mien.gallery.protect.stream import SealedReader

    content = os.urandom(size)
    file = io.BytesIO()
    with SealedWriter(file, KEY) as writer:
        writer.write(content)
    file.seek(0)
    reader = SealedReader(file, KEY)
    assert reader.read(size) == content
    reader.finish()


def test_a_changed_byte_anywhere(kept):
    data, empty = kept
    for place in [0, 9, 60, 120, 400, len(data) // 2, len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 1
        refused(empty, bytes(changed), MienError)


def test_the_wrong_passphrase_and_the_wrong_key(kept):
    data, empty = kept
    refused(empty, data, KeyMismatch, Passphrase("another passphrase", cost=14), "passphrase")
    refused(empty, data, KeyMismatch, KeyRing([new_key()]), "made with a passphrase")
    file, ring = io.BytesIO(), KeyRing([new_key()])
    empty.archive.export(file, key=ring)
    refused(empty, file.getvalue(), KeyMissing, KeyRing([new_key()]))
    refused(empty, file.getvalue(), KeyMismatch, KEY, "key file")
    assert empty.archive.load(io.BytesIO(file.getvalue()), key=ring).groups == {}


def test_a_file_cannot_demand_more_memory_than_is_allowed(kept):
    data, empty = kept  # made at cost 14
    text = "a long passphrase"
    refused(empty, data, ArchiveUnusable, Passphrase(text, most=13), "takes more memory")
    file = io.BytesIO()
    empty.archive.export(file, key=Passphrase(text, cost=15))
    refused(empty, file.getvalue(), ArchiveUnusable, Passphrase(text, most=14), "more memory")
    assert empty.archive.load(io.BytesIO(file.getvalue()), key=Passphrase(text, most=15))


def test_no_archive_at_all(kept):
    _, empty = kept
    for other in (b"PK\3\4 not ours", os.urandom(4096), b"MIENARC\0\xff\xff\xff\xff"):
        refused(empty, other)


def test_a_newer_format(kept, monkeypatch):
    _, empty = kept
    for place in ("protect.stream", "archive.frames"):
        with monkeypatch.context() as patch:
            patch.setattr(f"mien.gallery.{place}.FORMAT", 2)
            newer = exported(empty).getvalue()
        refused(empty, newer, match="newer Mien")


@pytest.mark.parametrize(
    ("kind", "rows", "facts"),
    [
        ("groups", [{"name": "../x"}], {}),
        ("groups", ["text"], {}),
        ("groups", [None], {}),
        ("persons", [{"id": "short"}], {}),
        ("persons", [[]], {}),
        ("faces", [{}], {"contract": {"model": "m", "dim": 10**9}}),
        ("faces", [{}], {}),
        ("images", [{"face": "0" * 32, "kind": "crop", "media_type": "x", "data": 0}], {}),
        ("images", [{"face": "0" * 32, "kind": "crop", "media_type": "x", "data": -1}], {}),
        ("planets", [{}], {}),
    ],
)
def test_rows_that_cannot_be(kept, kind, rows, facts):
    """Made by somebody who knows the passphrase."""
    file = io.BytesIO()
    with SealedWriter(file, KEY) as sealed:
        writer = FrameWriter(sealed, "archive")
        writer.rows(kind, rows, **facts)
        writer.end()
    refused(kept[1], file.getvalue())


def test_templates_that_cannot_be(kept):
    _, empty = kept
    for vector in (np.full(8, np.nan), np.zeros(8), np.full(8, 5.0)):
        file = io.BytesIO()
        with SealedWriter(file, KEY) as sealed:
            writer = FrameWriter(sealed, "archive")
            facts = {"model": "m", "source_sha256": "0" * 64, "preprocessing": 1, "dim": 8}
            face = {
                "id": "0" * 32, "person": "1" * 32, "norm": None, "source_sha256": None,
                "box": None, "quality": None, "external_image_id": None, "user_data": None,
                "created_at": datetime.now(UTC).isoformat(),
            }  # fmt: skip
            writer.rows("faces", [face], [vector.astype("<f4").tobytes()], contract=facts)
            writer.end()
        refused(empty, file.getvalue(), InvalidArgument)


def test_a_short_passphrase_is_refused():
    with pytest.raises(InvalidArgument, match="12 characters"):
        Passphrase("short")
    assert "horse" not in repr(KEY)


# ---------------------------------------------------------------- size


def test_memory_does_not_grow_with_the_faces(tmp_path, monkeypatch):
    """Ten times the faces, the same peak: a batch, whatever there is (3 MB of templates)."""
    monkeypatch.setattr("mien.gallery.records.portable._FACES", 50)
    peaks = []
    for count in (150, 1500):
        made = random_gallery(f"sqlite:///{tmp_path / f'{count}.db'}", persons=1, dim=512)
        add_many(made, count)
        path = tmp_path / f"{count}.mien"
        with Gallery.open(f"sqlite:///{tmp_path / f'to{count}.db'}") as empty:
            tracemalloc.start()
            with new_file(path) as file:
                made.gallery.archive.export(file, key=KEY)
            with open_file(path) as file:
                assert empty.archive.load(file, key=KEY).faces == 3 + count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        made.gallery.close()
    assert peaks[1] < peaks[0] + 2**20, peaks


def add_many(made, count):
    vectors = unit_vectors(count, 512, seed=5)
    for start in range(0, count, 100):
        own = vectors[start : start + 100]
        part = Embeddings(own, np.ones(len(own), np.float32))
        made.gallery.add_faces("people", "person-00000", part, contract=made.contract)


# ---------------------------------------------------------------- files, disks and kills


def test_a_file_is_not_overwritten_unless_forced(tmp_path):
    path = tmp_path / "there.mien"
    path.write_bytes(b"mine")
    with pytest.raises(ArchiveUnusable, match="--force"), new_file(path):
        pass
    assert path.read_bytes() == b"mine"
    with new_file(path, force=True) as file:
        file.write(b"new")
        assert path.read_bytes() == b"mine"  # until it is complete
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_somebody_else_made_the_file_meanwhile(tmp_path):
    path = tmp_path / "there.mien"
    block = new_file(path)
    block.__enter__().write(b"late")
    path.write_bytes(b"early")
    with pytest.raises(ArchiveUnusable, match="already"):
        block.__exit__(None, None, None)
    assert path.read_bytes() == b"early"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_missing_or_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for place in ("nosuch/a.mien", "file/a.mien"):
        with pytest.raises(ArchiveUnusable, match="cannot be written"), new_file(tmp_path / place):
            pass
    with pytest.raises(ArchiveUnusable, match="cannot be read"), open_file(tmp_path / "nosuch"):
        pass


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_disk_that_is_full(source, tmp_path):
    full = os.open("/dev/full", os.O_WRONLY)  # every write fails with ENOSPC
    (tmp_path / "out").mkdir()

    def export():
        with new_file(tmp_path / "out" / "a.mien") as file:
            os.dup2(full, file.fileno())
            source.archive.export(file, key=KEY)

    with pytest.raises(ArchiveUnusable, match="No space left"):
        export()
    os.close(full)
    assert list((tmp_path / "out").iterdir()) == []
    assert source.archive.export(io.BytesIO(), key=KEY).persons == 5


IMPORT = """
import os, sys
from mien.gallery import Gallery
from mien.gallery.archive import Passphrase, open_file
from mien.gallery.records import arriving
real = arriving.write_faces
def slow(*given, **more):
    written = real(*given, **more)
    print("faces", flush=True)
    sys.stdin.readline()
    return written
arriving.write_faces = slow
with Gallery.open(sys.argv[1]) as gallery, open_file(sys.argv[2]) as file:
    gallery.archive.load(file, key=Passphrase("correct horse battery", cost=14))
"""


def test_killed_in_the_middle_leaves_nothing(source, databases, tmp_path):
    path, url = tmp_path / "a.mien", databases()
    path.write_bytes(exported(source).getvalue())
    with subprocess.Popen(
        [sys.executable, "-c", IMPORT, url, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "faces\n"
        with Gallery.open(url, create=False) as gallery:  # others see nothing of it meanwhile
            assert gallery.groups() == []
        process.send_signal(signal.SIGKILL)
    with Gallery.open(url) as gallery:
        assert gallery.groups() == []
        assert gallery.archive.load(io.BytesIO(path.read_bytes()), key=KEY).persons == 5


def test_retention_goes_on_counting(source, target):
    target.archive.load(exported(source), key=KEY)
    made = source.faces("gym")[0].created_at
    purged = target.privacy.purge(now=made + timedelta(seconds=998))
    assert purged.faces == 0
    assert target.privacy.purge(now=made + timedelta(seconds=1100)).faces == 2
