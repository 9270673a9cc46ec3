"""Which restricted attributes an application may have, and galleries made before there were any."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from mien.errors import InvalidArgument, NotFound
from mien.gallery import DEFAULT_APPLICATION, RESTRICTED_ATTRIBUTES, Gallery
from mien.gallery.records.database import Database


def test_nothing_is_allowed_at_first(gallery):
    assert gallery.application(DEFAULT_APPLICATION).attributes == frozenset()
    assert gallery.create_application("shop").attributes == frozenset()


def test_what_is_allowed_is_exactly_what_was_said_last(gallery, url):
    gallery.create_application("shop")
    assert gallery.allow_attributes("shop", ["age", "gender"]).attributes == {"age", "gender"}
    assert gallery.allow_attributes("shop", ["emotion", "emotion"]).attributes == {"emotion"}
    assert gallery.application(DEFAULT_APPLICATION).attributes == frozenset()
    with Gallery.open(url) as other:
        assert other.application("shop").attributes == {"emotion"}
        assert [a.attributes for a in other.applications()] == [frozenset(), {"emotion"}]
    assert gallery.allow_attributes("shop", RESTRICTED_ATTRIBUTES).to_dict()["attributes"] == [
        "age",
        "emotion",
        "gender",
        "race",
    ]
    assert gallery.allow_attributes("shop", []).attributes == frozenset()


@pytest.mark.parametrize("wanted", [["mask"], ["ages"], [""], "", ["age", 7], [None]])
def test_what_is_not_restricted_cannot_be_allowed(gallery, wanted):
    gallery.allow_attributes(DEFAULT_APPLICATION, ["age"])
    with pytest.raises(InvalidArgument, match="age, gender, emotion, race"):
        gallery.allow_attributes(DEFAULT_APPLICATION, wanted)
    assert gallery.application(DEFAULT_APPLICATION).attributes == {"age"}


def test_an_application_that_is_not_there(gallery):
    with pytest.raises(NotFound):
        gallery.allow_attributes("nobody", ["age"])


def test_a_gallery_of_the_first_schema_is_brought_up_to_date(tmp_path):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    database = Database(url, create=True)
    database.prepare()
    with database.writing() as connection:
        old = Config(attributes={"connection": connection})
        old.set_main_option("script_location", "mien.gallery.records:migrations")
        command.upgrade(old, "0001")
        connection.execute(
            sa.text("INSERT INTO applications (id, name, created_at) VALUES ('a', 'old', 5)")
        )
    database.close()
    with Gallery.open(url) as gallery:
        assert [a.name for a in gallery.applications()] == [DEFAULT_APPLICATION, "old"]
        assert gallery.application("old").attributes == frozenset()
        assert gallery.allow_attributes("old", ["age"]).attributes == {"age"}
