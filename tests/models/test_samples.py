"""Sample photos: three people, from the cache once they are there."""

from __future__ import annotations

from mien.models.samples import partial_photos, sample_photos


def test_three_people(people):
    assert {person: len(files) for person, files in people.items()} == {
        "Barack Obama": 3,
        "Joe Biden": 1,
        "Eileen Collins": 1,
    }
    assert all(file.stat().st_size > 100_000 for files in people.values() for file in files)
    assert people["Joe Biden"][0].name == "biden.jpg"


def test_they_are_there_without_a_network(models, people):
    offline = models.settings.model_copy(update={"offline": True})
    assert sample_photos(offline) == people
    (photos,) = partial_photos(offline).values()
    assert [photo.name for photo in photos] == ["obama_partial_face.jpg", "obama_partial_face2.jpg"]
