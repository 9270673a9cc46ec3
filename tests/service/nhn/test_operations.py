"""Every operation of the NHN dialect in every version that has it."""

from __future__ import annotations

import time
import uuid

import pytest

from mien.service.dialects.nhn import answers
from mien.service.dialects.nhn.table import OPERATIONS

ANN, BOB, EVE = 1, 2, 3
OPERATION = {operation.name: operation for operation in OPERATIONS}

ROUTES = [(name, route.version) for name, one in OPERATION.items() for route in one.routes]
BOTH = ("v1.0", "v2.0")
OTHER = {"nhn_confidence_scale": 100, "nhn_min_face": 20}  # one service for both settings


def request_of(nhn, name: str, version: str) -> dict:
    """A request that works, in the form of the version's guide."""
    search = {"limit": 5, "threshold": 50}
    image = {"image": nhn.encoded(nhn.photo(ANN))}
    if name in ("list-groups", "list-faces"):
        return {"params": {"limit": 10}}
    if name == "create-group":
        return {"json": {"groupId": "my-group"}}
    if name in ("detect", "spoofing"):
        return {"json": image}
    if name == "register":
        return {"json": {**image, "limit": 3, "externalImageId": "image01.jpg"}}
    if name == "search-by-face":
        return {"params": search}
    if name == "search-by-image":
        return {"json": image, "params": search} if version == "v1.0" else {"json": image | search}
    if name == "compare":
        both = {
            "sourceImage": nhn.encoded(nhn.photo(ANN)),
            "targetImage": nhn.encoded(nhn.photo(BOB, ANN)),
        }
        if version == "v1.0":
            return {"json": both, "params": {"threshold": 50}}
        return {"json": both | {"threshold": 50}}
    if name == "verify":
        return {"json": {"compareImage": nhn.encoded(nhn.photo(ANN))}}
    return {}


@pytest.fixture
def ann(nhn) -> str:
    """Ann's face in the group."""
    return nhn.register(nhn.photo(ANN))["addedFaces"][0]["faceId"]


@pytest.mark.parametrize(("name", "version"), ROUTES)
def test_every_operation_answers_in_its_shape(nhn, ann, name, version):
    data = nhn.data(name, version, face=ann, **request_of(nhn, name, version))
    operation = OPERATION[name]
    shape = operation.answer
    if version == "v1.0" and operation.answer_v1 is not None:
        shape = operation.answer_v1
    if shape is None:
        assert data is None
    else:
        shape.model_validate(data)
        assert "null" not in str(data)
        assert None not in data.values()


@pytest.mark.parametrize("version", BOTH)
def test_groups_live_and_die(nhn, version):
    nhn.data("create-group", version, json={"groupId": "b"})
    nhn.data("create-group", version, json={"groupId": "a"})
    listed = nhn.data("list-groups", version, params={"limit": 200})
    assert [one["groupId"] for one in listed["groups"]] == ["a", "b", "friends"]
    assert listed["groupCount"] == 3
    assert "nextToken" not in listed
    assert all(("modelVersion" in one) is (version == "v1.0") for one in listed["groups"])
    shown = nhn.data("show-group", version, group="a")
    facts = shown["groups"][0] if version == "v1.0" else shown
    assert (facts["groupId"], facts["faceCount"]) == ("a", 0)
    time.strptime(facts["createTime"], "%Y-%m-%dT%H:%M:%S")
    nhn.data("delete-group", version, group="a")
    assert nhn.code("show-group", version, group="a") == (-40030, "NotFoundGroupError")


def test_detect_normalises_and_sorts(nhn):
    data = nhn.data("detect", json={"image": nhn.encoded(nhn.photo(ANN, BOB, EVE))})
    assert data["faceDetailCount"] == 3
    boxes = [one["bbox"] for one in data["faceDetails"]]
    area = [(b["x1"] - b["x0"]) * (b["y1"] - b["y0"]) for b in boxes]
    assert area == sorted(area, reverse=True)
    assert all(0 <= value <= 1 for box in boxes for value in box.values())
    first = data["faceDetails"][0]
    assert first["orientation"] == pytest.approx({"x": 12.5, "y": -3.25, "z": 1.5}, abs=0.06)
    assert first["mask"] is False
    assert "spoofing" not in first
    points = {one["type"]: one for one in first["landmarks"]}
    assert list(points) == ["leftEye", "rightEye", "nose", "leftLip", "rightLip"]
    assert points["leftEye"]["x"] < points["nose"]["x"] < points["rightEye"]["x"]
    assert points["leftEye"]["y"] < points["nose"]["y"] < points["leftLip"]["y"]
    assert first["confidence"] == pytest.approx(0.99)


def test_a_confidence_may_go_to_100(make_nhn):
    nhn = make_nhn(**OTHER)
    found = nhn.data("detect", json={"image": nhn.encoded(nhn.photo(ANN))})["faceDetails"]
    assert found[0]["confidence"] == pytest.approx(99)
    assert nhn.register(nhn.photo(ANN))["addedFaces"][0]["confidence"] == pytest.approx(99)


@pytest.mark.parametrize("version", BOTH)
def test_what_is_not_asked_for_is_not_answered(nhn, version):
    asked = {"image": nhn.encoded(nhn.photo(ANN)), "orientation": False, "mask": False}
    (face,) = nhn.data("detect", version, json=asked)["faceDetails"]
    assert set(face) == {"bbox", "landmarks", "confidence"}


def test_nobody_is_no_error_for_detect_and_register(nhn):

    nobody = {"image": nhn.encoded(nhn.photo())}
    assert nhn.data("detect", json=nobody) == {"faceDetailCount": 0, "faceDetails": []}
    registered = nhn.data("register", json=nobody | {"limit": 1})
    assert (registered["addedFaceCount"], registered["notAddedFaceCount"]) == (0, 0)


def test_faces_of_60_pixels_are_seen_and_none_that_is_too_small(nhn, make_nhn):
    crowd = {
        "image": nhn.encoded(nhn.photo(*range(1, 8), side=82))
    }  # 82, 78, 74, 70, 66, 62, 58 pixels
    assert nhn.data("detect", json=crowd)["faceDetailCount"] == 6
    assert make_nhn(**OTHER).data("detect", json=crowd)["faceDetailCount"] == 7


def test_registering_keeps_one_image_and_the_largest_faces(nhn):
    made = nhn.register(nhn.photo(ANN, BOB, EVE), limit=2, externalImageId="a_B.9-:")
    assert (made["addedFaceCount"], made["notAddedFaceCount"]) == (2, 1)
    assert len({one["imageId"] for one in made["addedFaces"]}) == 1
    assert len({one["faceId"] for one in made["addedFaces"]}) == 2
    for face, detail in zip(made["addedFaces"], made["addedFaceDetails"], strict=True):
        assert face["bbox"] == pytest.approx(detail["bbox"], abs=1e-4)
        assert face["externalImageId"] == "a_B.9-:"
        assert face["confidence"] == detail["confidence"]
        assert str(uuid.UUID(face["faceId"])) == face["faceId"]
        assert str(uuid.UUID(face["imageId"])) == face["imageId"]
    assert nhn.data("show-group")["faceCount"] == 2
    again = nhn.register(nhn.photo(ANN, BOB, EVE), limit=2)  # NHN knows no duplicates
    assert again["addedFaceCount"] == 2
    assert "externalImageId" not in again["addedFaces"][0]


def test_listing_is_newest_first_with_filters(nhn):
    one = nhn.register(nhn.photo(ANN, BOB), externalImageId="pair")["addedFaces"]
    time.sleep(0.003)  # ids grow with the millisecond
    two = nhn.register(nhn.photo(EVE), externalImageId="eve")["addedFaces"]
    listed = nhn.data("list-faces", params={"limit": 200})["faces"]
    assert listed[0]["faceId"] == two[0]["faceId"]
    assert {face["faceId"] for face in listed[1:]} == {face["faceId"] for face in one}
    assert listed[0] == two[0]

    def ids(**filters):
        given = {name.replace("_", "-"): value for name, value in filters.items()}
        found = nhn.data("list-faces", params={"limit": 200, **given})
        assert found["faceCount"] == len(found["faces"])
        return {face["faceId"] for face in found["faces"]}

    assert ids(external_image_id="eve") == {two[0]["faceId"]}
    assert ids(image_id=one[0]["imageId"]) == {face["faceId"] for face in one}
    assert ids(face_id=one[1]["faceId"]) == {one[1]["faceId"]}
    assert ids(face_id=one[1]["faceId"], external_image_id="eve") == set()
    assert ids(image_id=one[0]["imageId"], external_image_id="eve") == set()
    assert ids(image_id=str(uuid.uuid4())) == set()
    assert ids(image_id="none", face_id="none") == set()


@pytest.mark.parametrize("version", BOTH)
def test_pages_of_faces_pin_their_parameters(nhn, version):
    made = [nhn.register(nhn.photo(i))["addedFaces"][0]["faceId"] for i in (1, 2, 3, 4, 5)]
    params, seen = {"limit": 2}, []
    while True:
        page = nhn.data("list-faces", version, params=params)
        seen += [face["faceId"] for face in page["faces"]]
        if "nextToken" not in page:
            break
        assert page["faceCount"] == 2
        params = {"next-token": page["nextToken"], "limit": 200, "external-image-id": "other"}
    assert sorted(seen) == sorted(made)
    assert len(seen) == 5


def test_pages_of_a_filtered_list_keep_the_filter(nhn):
    for i in (1, 2, 3, 4):
        nhn.register(nhn.photo(i), externalImageId="odd" if i % 2 else "even")
    first = nhn.data("list-faces", params={"limit": 1, "external-image-id": "odd"})
    second = nhn.data("list-faces", params={"limit": 1, "next-token": first["nextToken"]})
    assert {face["externalImageId"] for face in first["faces"] + second["faces"]} == {"odd"}
    assert "nextToken" not in second


def test_pages_of_one_image(nhn):
    made = nhn.register(nhn.photo(1, 2, 3), limit=20)["addedFaces"]
    nhn.register(nhn.photo(4))
    params, seen = {"limit": 2, "image-id": made[0]["imageId"]}, []
    page = nhn.data("list-faces", params=params)
    seen = [face["faceId"] for face in page["faces"]]
    page = nhn.data("list-faces", params={"next-token": page["nextToken"]})
    seen += [face["faceId"] for face in page["faces"]]
    assert sorted(seen) == sorted(face["faceId"] for face in made)


@pytest.mark.parametrize("version", BOTH)
def test_pages_of_groups(nhn, version):
    for name in ("a", "b", "c"):
        nhn.data("create-group", json={"groupId": name})
    first = nhn.data("list-groups", version, params={"limit": 3})
    second = nhn.data("list-groups", version, params={"limit": 1, "next-token": first["nextToken"]})
    names = [one["groupId"] for one in first["groups"] + second["groups"]]
    assert names == ["a", "b", "c", "friends"]


@pytest.mark.parametrize("version", BOTH)
def test_search_by_face_leaves_out_the_face_itself(nhn, ann, version):
    time.sleep(0.003)  # ids grow with the millisecond
    other = nhn.register(nhn.photo(ANN, side=80), externalImageId="other")["addedFaces"][0]
    nhn.register(nhn.photo(BOB))
    params = {"limit": 100, "threshold": 50}
    found = nhn.data("search-by-face", version, face=ann, params=params)
    assert found["matchFaceCount"] == 1
    assert found["matchFaces"][0]["face"] == other
    assert found["matchFaces"][0]["similarity"] > 99


@pytest.mark.parametrize("version", BOTH)
def test_search_by_image(nhn, ann, version):
    nhn.register(nhn.photo(BOB))
    asked = request_of(nhn, "search-by-image", version)
    found = nhn.data("search-by-image", version, **asked)
    assert [one["face"]["faceId"] for one in found["matchFaces"]] == [ann]
    assert found["sourceFace"]["bbox"]["x0"] > 0
    stranger = nhn.encoded(nhn.photo(EVE))
    asked["json"] = asked["json"] | {"image": stranger}
    assert nhn.data("search-by-image", version, **asked)["matchFaceCount"] == 0


def test_search_sees_only_the_largest_face_and_obeys_its_limit(nhn):
    for side in (80, 84, 88):
        nhn.register(nhn.photo(ANN, side=side))
    nhn.register(nhn.photo(BOB))
    asked = {"image": nhn.encoded(nhn.photo(ANN, BOB)), "limit": 2, "threshold": 1}
    found = nhn.data("search-by-image", json=asked)
    assert found["matchFaceCount"] == 2
    alike = [one["similarity"] for one in found["matchFaces"]]
    assert alike == sorted(alike, reverse=True)
    assert all(0 <= one <= 100 for one in alike)


@pytest.mark.parametrize("version", BOTH)
def test_compare(nhn, version):
    found = nhn.data("compare", version, **request_of(nhn, "compare", version))
    assert (found["matchedFaceDetailCount"], found["unmatchedFaceDetailCount"]) == (1, 1)
    (same,), (other,) = found["matchedFaceDetails"], found["unmatchedFaceDetails"]
    assert same["similarity"] > 50 > other["similarity"]
    assert same["faceDetail"]["bbox"]["x0"] > other["faceDetail"]["bbox"]["x0"]
    assert same["faceDetail"]["mask"] is False


@pytest.mark.parametrize("version", BOTH)
def test_verify_leaves_the_decision_to_the_caller(nhn, ann, version):
    same = nhn.data("verify", version, face=ann, json={"compareImage": nhn.encoded(nhn.photo(ANN))})
    assert same["similarity"] > 99
    assert same["face"]["faceId"] == ann
    other = nhn.data(
        "verify", version, face=ann, json={"compareImage": nhn.encoded(nhn.photo(BOB))}
    )
    assert other["similarity"] < 50


def test_deleting_a_face(nhn, ann):
    nhn.data("delete-face", face=ann)
    assert nhn.code("delete-face", face=ann) == (-40050, "NotFoundFaceIDError")
    assert nhn.data("list-faces", params={"limit": 1})["faceCount"] == 0


MULTIPART = [
    ("detect", ["imageFile"], {"orientation": "false"}),
    ("register", ["imageFile"], {"limit": "3", "externalImageId": "image01.jsp"}),
    ("search-by-image", ["imageFile"], {"limit": "100", "threshold": "90"}),
    ("compare", ["sourceImageFile", "targetImageFile"], {"threshold": "90"}),
    ("compare", ["sourceImage", "targetImage"], {"threshold": "90"}),
    ("verify", ["imageFile"], {}),
]


@pytest.mark.parametrize(
    ("name", "files", "fields"), MULTIPART, ids=[f"{one[0]}-{i}" for i, one in enumerate(MULTIPART)]
)
def test_version_2_takes_forms(nhn, ann, name, files, fields):
    sent = {field: ("image.png", nhn.photo(ANN)) for field in files}
    data = nhn.data(name, face=ann, files=sent, data=fields)
    OPERATION[name].answer.model_validate(data)
    if name == "detect":
        assert "orientation" not in data["faceDetails"][0]
    assert nhn.code(name, "v1.0", face=ann, files=sent, data=fields, params=fields) == (
        -40000,
        "InvalidParam",
    )


def test_spoofing_takes_forms(nhn):
    files = {"imageFile": ("image.png", nhn.photo(ANN))}
    data = nhn.data("spoofing", "liveness", files=files, data={"spoofingCondition": "strict"})
    assert set(data["faceDetails"][0]) == {"bbox", "landmarks", "spoofing", "confidence"}


def test_jpeg_and_line_breaks_in_base64(nhn):
    text = nhn.encoded(nhn.photo(ANN, kind="JPEG"))["bytes"]
    broken = "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    assert nhn.data("detect", json={"image": {"bytes": broken}})["faceDetailCount"] == 1


def test_faces_of_another_api_are_listed_and_searched(nhn):
    nhn.engine.enroll(nhn.gallery, "friends", "Ann", [nhn.photo(ANN), nhn.photo(ANN, side=80)])
    listed = nhn.data("list-faces", params={"limit": 10})["faces"]
    assert len(listed) == 2
    assert set(listed[0]) == {"faceId", "imageId"}
    asked = {"image": nhn.encoded(nhn.photo(ANN)), "limit": 10, "threshold": 90}
    assert nhn.data("search-by-image", json=asked)["matchFaceCount"] == 2


def test_the_description_is_its_own_and_complete(nhn):
    described = nhn.http.get("/nhn/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    paths = {(method, path) for path, some in described["paths"].items() for method in some}
    wanted = {(r.method.lower(), f"/nhn{r.path}") for o in OPERATION.values() for r in o.routes}
    assert paths == wanted
    ids = [one["operationId"] for some in described["paths"].values() for one in some.values()]
    assert len(set(ids)) == len(ids)
    assert not any("nhn" in path for path in nhn.http.get("/openapi.json").json()["paths"])
    answers.Envelope.model_validate({"header": nhn.call("detect", json={})["header"]})
