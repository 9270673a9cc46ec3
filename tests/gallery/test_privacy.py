"""Consent, retention, export and erasure, on every kind of database."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import ConsentMissing, InvalidArgument, NotFound
from mien.gallery import Gallery, GroupSettings
from mien.gallery.records.schema import face_images, faces, persons
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

CONTRACT = random_contract(8)
GIVEN = {"purpose": "entry to the gym", "text_version": "2026-11", "language": "ko"}


def enrol(gallery, group, person, seed=0):
    gallery.ensure_group(group, contract=CONTRACT)
    vector = unit_vectors(1, 8, seed=seed)
    gallery.add_faces(
        group, person, Embeddings(vector, np.ones(1, np.float32)), contract=CONTRACT,
        create_person=True,
    )  # fmt: skip
    return vector


def names(gallery, group, vector):
    return [hit.person for hit in gallery.search(group, vector, contract=CONTRACT)[0]]


# ---------------------------------------------------------------- consent


def test_a_group_that_demands_consent_takes_nobody_without(gallery):
    gallery.create_group("gym", contract=CONTRACT)
    gallery.set_group("gym", settings=GroupSettings(consent="required"))
    with pytest.raises(ConsentMissing, match="record it first"):
        enrol(gallery, "gym", "Ann")
    assert gallery.persons("gym") == []  # the person was not made either
    gallery.add_person("gym", "Ann")
    gallery.privacy.give_consent("gym", "Ann", **GIVEN, evidence="form 12")
    enrol(gallery, "gym", "Ann")
    (consent,) = gallery.privacy.consents("gym", "Ann")
    assert (consent.evidence, consent.language, consent.group) == ("form 12", "ko", "gym")
    assert consent.holds(datetime.now(UTC))


def test_an_expired_consent_is_none(gallery):
    gallery.create_group("gym", contract=CONTRACT)
    gallery.set_group("gym", settings=GroupSettings(consent="required"))
    gallery.add_person("gym", "Ann")
    with pytest.raises(InvalidArgument):
        gallery.privacy.give_consent("gym", "Ann", **GIVEN, expires=datetime.now(UTC))
    gallery.privacy.give_consent(
        "gym", "Ann", **GIVEN, expires=datetime.now(UTC) + timedelta(milliseconds=300)
    )
    while gallery.privacy.consents("gym", "Ann")[0].holds(datetime.now(UTC)):
        pass
    with pytest.raises(ConsentMissing):
        enrol(gallery, "gym", "Ann")


def test_withdrawal_ends_recognition_at_once_and_erases_who_is_nowhere_else(gallery):
    gallery.create_group("gym", contract=CONTRACT)
    gallery.set_group("gym", settings=GroupSettings(consent="required"))
    gallery.add_person("gym", "Ann")
    consent = gallery.privacy.give_consent("gym", "Ann", **GIVEN)
    vector = enrol(gallery, "gym", "Ann")
    assert names(gallery, "gym", vector) == ["Ann"]
    assert gallery.privacy.withdraw_consent(consent.id).withdrawn_at is not None
    assert names(gallery, "gym", vector) == []
    with gallery._database.reading() as connection:
        assert connection.execute(sa.select(persons.c.seq)).all() == []


def test_withdrawal_leaves_groups_that_do_not_ask_and_those_with_another_consent(gallery):
    for group in ("gym", "pool", "office"):
        gallery.create_group(group, contract=CONTRACT)
    for group in ("gym", "pool"):
        gallery.set_group(group, settings=GroupSettings(consent="required"))
    vector = enrol(gallery, "office", "Ann")
    with pytest.raises(ConsentMissing):
        gallery.add_member("gym", "Ann", source="office")
    everywhere = gallery.privacy.give_consent("office", "Ann", **GIVEN, every_group=True)
    gallery.add_member("gym", "Ann", source="office")
    gallery.add_member("pool", "Ann", source="office")
    gallery.privacy.give_consent("pool", "Ann", **GIVEN)
    gallery.privacy.withdraw_consent(everywhere.id)
    assert names(gallery, "gym", vector) == []
    assert names(gallery, "pool", vector) == ["Ann"]
    assert names(gallery, "office", vector) == ["Ann"]


@pytest.mark.parametrize(
    "wrong",
    [{"purpose": " "}, {"text_version": ""}, {"language": "x" * 36}, {"evidence": ""},
     {"expires": datetime(2000, 1, 1)}],  # without a zone
)  # fmt: skip
def test_a_consent_without_substance_is_refused(gallery, wrong):
    enrol(gallery, "gym", "Ann")
    with pytest.raises(InvalidArgument):
        gallery.privacy.give_consent("gym", "Ann", **{**GIVEN, **wrong})
    assert gallery.privacy.consents("gym", "Ann") == []


def test_another_application_cannot_withdraw_a_consent(gallery):
    enrol(gallery, "gym", "Ann")
    consent = gallery.privacy.give_consent("gym", "Ann", **GIVEN)
    gallery.create_application("other")
    with pytest.raises(NotFound):
        gallery.for_application("other").privacy.withdraw_consent(consent.id)


# ---------------------------------------------------------------- erasure and export


def test_after_erasure_no_byte_of_a_template_is_left(tmp_path):
    """Neither bare nor sealed: in the file, its log, or anything else beside it."""
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as gallery:
        kept = [enrol(gallery, "people", f"other {i}", i) for i in range(20)]
        vector = enrol(gallery, "people", "Ann", 99)
        gallery.search("people", vector, contract=CONTRACT)
        with gallery._database.reading() as connection:
            query = sa.select(faces.c.vector).order_by(faces.c.seq.desc()).limit(1)
            sealed = bytes(connection.execute(query).scalar_one())
        assert sealed in everything(tmp_path)
        erased = gallery.privacy.erase("people", "Ann")
        assert (erased.faces, erased.groups) == (1, 1)
        assert sealed[13:] not in everything(tmp_path)
        assert vector.astype("<f4").tobytes() not in everything(tmp_path)
        assert "Ann" not in names(gallery, "people", vector)
        assert "other 3" in names(gallery, "people", kept[3])


def everything(folder):
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def test_erasure_takes_everything_but_the_logs_entry(gallery):
    enrol(gallery, "people", "Ann")
    gallery.privacy.give_consent("people", "Ann", **GIVEN)
    person = gallery.person("people", "Ann").id
    erased = gallery.privacy.erase("people", "Ann")
    assert (erased.person_id, erased.consents) == (person, 1)
    with pytest.raises(NotFound):
        gallery.person("people", person)
    assert gallery.privacy.audit()[-1].action == "person.erase"
    assert gallery.privacy.audit()[-1].subject == person


def test_export_gives_a_person_all_that_is_kept(gallery):
    vector = enrol(gallery, "people", "Ann")
    gallery.privacy.give_consent("people", "Ann", **GIVEN)
    with gallery._database.writing() as connection:
        face = connection.execute(sa.select(faces.c.seq, faces.c.id, faces.c.person_seq)).one()
        (sealed,) = gallery._database.vault.seal_for(
            connection, face.person_seq, [(b"jpeg", f"mien crop of face {face.id}".encode())]
        )
        connection.execute(
            face_images.insert().values(
                face_seq=face.seq, kind="crop", media_type="image/jpeg", sealed=sealed
            )
        )
    document = json.loads(json.dumps(gallery.privacy.export("people", "Ann")))
    assert np.array_equal(np.float32(document["faces"][0]["template"]), vector[0])
    assert document["groups"] == [{"group": "people", "name": "Ann"}]
    assert document["images"][0]["data"] == "anBlZw=="
    assert document["consents"][0]["text_version"] == "2026-11"
    assert [entry["action"] for entry in document["log"]] == [
        "person.create", "faces.add", "consent.give",
    ]  # fmt: skip
    assert gallery.privacy.audit()[-1].action == "person.export"


# ---------------------------------------------------------------- retention


def test_old_faces_and_idle_persons_go_and_the_others_stay(gallery):
    for group, settings in (
        ("aging", GroupSettings(retain_age_s=3600)),
        ("idle", GroupSettings(retain_idle_s=3600)),
        ("kept", GroupSettings()),
    ):
        gallery.create_group(group, contract=CONTRACT)
        gallery.set_group(group, settings=settings)
        for i in range(3):
            enrol(gallery, group, f"{group} {i}", i)
    now = datetime.now(UTC)
    assert gallery.privacy.purge(now=now).to_dict() == {"faces": 0, "persons": 0}
    later = now + timedelta(hours=2)
    seen = gallery.person("idle", "idle 1").id
    gallery.privacy.seen([seen], now=later - timedelta(minutes=5))
    purged = gallery.privacy.purge(now=later)
    assert purged.to_dict() == {"faces": 3, "persons": 2}
    assert [person.name for person in gallery.persons("idle")] == ["idle 1"]
    assert gallery.size("aging") == 0
    assert gallery.group("aging").persons == 3  # they stay, without templates
    assert gallery.size("kept") == 3
    assert gallery.privacy.purge(now=later).to_dict() == {"faces": 0, "persons": 0}


def test_the_edge_of_retention_is_exact(gallery):
    gallery.create_group("aging", contract=CONTRACT)
    gallery.set_group("aging", settings=GroupSettings(retain_age_s=60))
    enrol(gallery, "aging", "Ann")
    made = gallery.faces("aging")[0].created_at
    almost = made + timedelta(seconds=60) - timedelta(microseconds=1)
    assert gallery.privacy.purge(now=almost).faces == 0
    assert gallery.privacy.purge(now=made + timedelta(seconds=60)).faces == 1


def test_more_than_one_round_of_old_faces_goes(gallery, monkeypatch):
    monkeypatch.setattr("mien.gallery.records.kept._AT_ONCE", 4)
    gallery.create_group("aging", contract=CONTRACT)
    gallery.set_group("aging", settings=GroupSettings(retain_age_s=1))
    for i in range(10):
        enrol(gallery, "aging", f"person {i}", i)
    assert gallery.privacy.purge(now=datetime.now(UTC) + timedelta(hours=1)).faces == 10


def test_being_seen_is_written_once_an_hour(gallery):
    enrol(gallery, "people", "Ann")
    person = gallery.person("people", "Ann").id
    first = datetime.now(UTC)
    gallery.privacy.seen([person], now=first)
    gallery.privacy.seen([person], now=first + timedelta(minutes=59))
    assert gallery.person("people", "Ann").last_seen_at == first
    gallery.privacy.seen([person, "nobody"], now=first + timedelta(minutes=61))
    assert gallery.person("people", "Ann").last_seen_at == first + timedelta(minutes=61)
