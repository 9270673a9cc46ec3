"""register, search, identify, build_index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import Gallery, errors
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface.connections import gallery_url
from mien.engine import Engine
from mien.testing import drawn_face, drawn_photo

KEYS = [
    "id",
    "img_name",
    "model_name",
    "detector_backend",
    "aligned",
    "l2_normalized",
    "search_method",
    *(f"target_{side}" for side in "xywh"),
    "threshold",
    "distance_metric",
    "distance",
    "confidence",
]


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


@pytest.fixture
def at(tmp_path: Path) -> dict[str, Any]:
    """A gallery with drawn people 1 to 3."""
    where = {"connection_details": str(tmp_path / "faces.db")}
    for identity in range(1, 4):
        assert DeepFace.register(bgr(identity), img_name=f"p{identity}", **where) == {"inserted": 1}
    return where


def search(image: Any, **options: Any) -> list[list[dict[str, Any]]]:
    return DeepFace.search(image, return_type="dict", **options)


def test_who_is_registered_is_found(at: dict[str, Any]) -> None:
    (rows,) = search(bgr(2), **at)
    assert [list(row) for row in rows] == [KEYS]
    (row,) = rows
    assert (row["img_name"], row["model_name"], row["aligned"]) == ("p2", "mock", True)
    assert [row[f"target_{side}"] for side in "xywh"] == [100, 60, 120, 120]
    assert row["distance"] < 0.01
    json.dumps(row)
    assert search(bgr(8), **at) == [[]]


def test_similar_faces_come_closest_first(at: dict[str, Any]) -> None:
    (rows,) = search(bgr(3), similarity_search=True, **at)
    assert rows[0]["img_name"] == "p3"
    assert len(rows) == 3
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    assert len(search(bgr(3), similarity_search=True, k=2, **at)[0]) == 2


@pytest.mark.parametrize("method", ["exact", "ann"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean", "euclidean_l2", "angular"])
def test_every_metric_and_method(at: dict[str, Any], metric: str, method: str) -> None:
    options = {"distance_metric": metric, "search_method": method, **at}
    (rows,) = search(bgr(1), **options)
    assert [row["img_name"] for row in rows] == ["p1"]
    assert rows[0]["search_method"] == method
    expected = DeepFace.verify(bgr(1), bgr(1), distance_metric=metric)
    assert rows[0]["distance"] == pytest.approx(expected["distance"], abs=2e-3)
    (unit,) = search(bgr(1), l2_normalize=True, **options)
    assert unit[0]["distance_metric"] == ("euclidean_l2" if metric == "euclidean" else metric)


def test_several_images_and_faces(at: dict[str, Any], tmp_path: Path) -> None:
    couple = np.ascontiguousarray(
        drawn_photo([(4, 20, 20, 120), (5, 200, 40, 100)], (200, 340))[..., ::-1]
    )
    path = str(tmp_path / "couple.png")
    cv2.imwrite(path, couple)
    assert DeepFace.register([path, bgr(6)], **at) == {"inserted": 3}
    found = search([couple, bgr(1)], **at)
    assert [len(rows) for rows in found] == [1, 1, 1]
    assert [rows[0]["img_name"] for rows in found] == [path, path, "p1"]
    assert found[1][0]["target_x"] == 200


def test_a_face_is_registered_once(at: dict[str, Any]) -> None:
    with pytest.raises(DeepFace.exceptions.DuplicateEntryError) as caught:
        DeepFace.register([bgr(7), bgr(1)], img_name="p1", **at)
    assert isinstance(caught.value, errors.AlreadyExists)
    assert caught.value.details == {"image": 2, "inserted": 1}
    assert len(search(bgr(7), **at)[0]) == 1
    assert DeepFace.register(bgr(1), img_name="p1", **at) == {"inserted": 0}


def test_identify_asks_for_one_face(at: dict[str, Any]) -> None:
    wanted = search(bgr(1), **at)[0][0]["id"]
    couple = drawn_photo([(9, 20, 20, 120), (1, 200, 40, 100)], (200, 340))[..., ::-1]
    answer = DeepFace.identify(couple, wanted, **at)
    assert (answer["verified"], answer["id"], answer["img_name"]) == (True, wanted, "p1")
    assert answer["facial_areas"]["img1"]["x"] == 200
    assert answer["facial_areas"]["img2"] is None
    assert set(answer) == {*DeepFace.verify(bgr(1), bgr(1)), "id", "img_name"}
    assert not DeepFace.identify(bgr(2), wanted, **at)["verified"]
    with pytest.raises(errors.InvalidArgument, match="single image"):
        DeepFace.identify([bgr(1), bgr(2)], wanted, **at)


@pytest.mark.parametrize("identity_id", ["", "f" * 32, 7, None, "'; drop table"])
def test_ids_of_nobody(at: dict[str, Any], identity_id: Any) -> None:
    with pytest.raises(errors.NotFound, match="No embedding found"):
        DeepFace.identify(bgr(1), identity_id, **at)


def test_nothing_is_registered(at: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DeepFace.exceptions.EmptyDatasource, match="register some first"):
        search(bgr(1), align=False, **at)
    with pytest.raises(DeepFace.exceptions.EmptyDatasource):
        DeepFace.build_index(align=False, **at)
    missing = tmp_path / "none.db"
    with pytest.raises(errors.NotFound):
        search(bgr(1), connection_details=str(missing))
    assert not missing.exists()


def test_ways_of_embedding_do_not_mix(at: dict[str, Any]) -> None:
    DeepFace.register(bgr(4), align=False, **at)
    assert search(bgr(4), **at) == [[]]
    assert len(search(bgr(4), align=False, **at)[0]) == 1


def test_a_gallery_of_ones_own_stays_open(at: dict[str, Any]) -> None:
    with Gallery.open(f"sqlite:///{at['connection_details']}") as gallery:
        for _ in range(2):
            assert len(search(bgr(1), connection=gallery)[0]) == 1
        DeepFace.build_index(connection=gallery)
        assert gallery.size("deepface.mock.mock.aligned") == 3
    with pytest.raises(DeepFace.exceptions.DataTypeError, match=r"mien\.Gallery"):
        search(bgr(1), connection="sqlite")


def test_mien_itself_can_search_what_was_registered(
    at: dict[str, Any], drawn: dict[str, Engine]
) -> None:
    with Gallery.open(f"sqlite:///{at['connection_details']}") as gallery:
        found = drawn["mock"].identify(gallery, "deepface.mock.mock.aligned", drawn_face(3))
    assert found.faces[0].candidates[0].person == "p3"


def test_names_come_from_paths(tmp_path: Path, at: dict[str, Any]) -> None:
    path = tmp_path / "안나.png"
    cv2.imwrite(str(tmp_path / "x.png"), bgr(5))
    (tmp_path / "x.png").rename(path)
    DeepFace.register(path, **at)
    assert search(bgr(5), **at)[0][0]["img_name"] == str(path)
    DeepFace.register(bgr(6), **at)
    assert len(search(bgr(6), **at)[0][0]["img_name"]) == 36


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ({"url": "sqlite:////b.db"}, "sqlite:////b.db"),
        ("/x y/a%b?.db", "sqlite:////x y/a%25b%3F.db"),
        (Path("/c.db"), "sqlite:////c.db"),
        ({"database": "/d.db", "timeout": 3}, "sqlite:////d.db"),
        (None, "sqlite:///default.db"),
    ],
)
def test_details_name_a_gallery(
    details: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEEPFACE_SQLITE_PATH", raising=False)
    assert gallery_url("sqlite", details, "sqlite:///default.db") == expected


def test_deepfaces_own_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPFACE_SQLITE_PATH", "/e.db")
    assert gallery_url("mien", None, "sqlite:///default.db") == "sqlite:////e.db"


@pytest.mark.parametrize("details", ["", {}, {"host": "db"}, 7, b"x"])
def test_details_that_name_nothing(details: Any) -> None:
    with pytest.raises(DeepFace.exceptions.DataTypeError, match="connection_details"):
        gallery_url("sqlite", details, "sqlite:///default.db")


@pytest.mark.parametrize("kind", ["postgres", "milvus", "neo4j", "paper", None])
def test_databases_that_are_not_here(kind: Any) -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="Use 'sqlite'"):
        search(bgr(1), database_type=kind)


def test_options_that_cannot_be(at: dict[str, Any]) -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="search method"):
        search(bgr(1), search_method="magic", **at)
    with pytest.raises(errors.InvalidArgument, match="name of a metric"):
        search(bgr(1), distance_metric=lambda a, b: 0, **at)
    with pytest.raises(errors.InvalidArgument, match="printable"):
        DeepFace.register(bgr(1), img_name="\n", **at)
    with pytest.raises(errors.GalleryUnavailable):
        search(bgr(1), connection_details=__file__)
