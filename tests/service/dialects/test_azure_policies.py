"""What a group or the server asks holds for Azure's clients too.

Liveness, look-alikes, consent, kept images, and the log of searches.
"""

from __future__ import annotations

import pytest

from mien import config
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, mock_engine


def started(start_service, folder, score, **settings):
    """A service whose liveness net gives every face this score."""
    given = config.load(data_dir=folder, cache_dir=folder, offline=True, **settings)
    engine = mock_engine(given, liveness=PassiveLiveness([MockLivenessNet(score)]))
    return start_service(folder, engine=engine, **settings)


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_group_that_enforces_liveness_takes_live_faces_only(start_service, tmp_path, photo_of):
    with started(start_service, tmp_path, 0.05) as (azure, _, _):
        azure.ok("PUT", "/persongroups/strict", json={"name": "N"})
        person = azure.person("/persongroups/strict", 1)
        azure.gallery.set_group("azure.persongroup.strict", settings={"liveness": "enforce"})
        faces = f"/persongroups/strict/persons/{person}/persistedfaces"
        assert code(azure.send("POST", faces, content=photo_of.one(1))) == (400, "InvalidImage")
        azure.gallery.set_group("azure.persongroup.strict", settings={"liveness": "observe"})
        azure.ok("POST", faces, content=photo_of.one(1))


@pytest.fixture(scope="module")
def watched(start_service, tmp_path_factory):
    """A service to which every face is live, and which keeps a log of searches."""
    folder = tmp_path_factory.mktemp("watched")
    with started(start_service, folder, 0.95, audit_searches="on") as (azure, _, _):
        yield azure


@pytest.fixture(scope="module")
def enforcing(start_service, tmp_path_factory):
    """The same, and no face is detected that is not live."""
    folder = tmp_path_factory.mktemp("enforcing")
    with started(start_service, folder, 0.95, liveness="enforce") as (azure, _, _):
        yield azure


@pytest.fixture
def make(watched):
    """Makes a container with settings of Mien's; its path and its group."""
    made = []

    def new(kind, **settings):
        one = f"policy-{len(made)}"
        made.append(f"/{kind}/{one}")
        watched.ok("PUT", made[-1], json={"name": "N"})
        group = f"azure.{kind[:-1]}.{one}"
        watched.gallery.set_group(group, settings=settings)
        return made[-1], group

    yield new
    for path in made:
        watched.ok("DELETE", path)


@pytest.mark.parametrize("server", ["watched", "enforcing"])
def test_such_a_group_is_searched_where_detection_has_looked(request, server):
    azure = request.getfixturevalue(server)
    azure.ok("PUT", "/persongroups/strict", json={"name": "N"})
    person = azure.person("/persongroups/strict", 1)
    azure.ok("POST", "/persongroups/strict/train", status=202)
    azure.gallery.set_group(
        "azure.persongroup.strict",
        settings={"liveness": "enforce", "liveness_condition": "balanced"},
    )
    face, scope = azure.detect(1, "recognition_01"), {"personGroupId": "strict"}
    for path, body in (
        ("/identify", {"faceIds": [face], **scope}),
        ("/verify", {"faceId": face, "personId": person, **scope}),
    ):
        answer = azure.send("POST", path, json=body)
        if server == "enforcing":
            assert answer.status_code == 200
        else:
            assert code(answer) == (403, "UnsupportedFeature")


def test_a_server_that_enforces_liveness_detects_live_faces_only(start_service, tmp_path, photo_of):
    with started(start_service, tmp_path, 0.05, liveness="enforce") as (azure, _, _):
        answer = azure.send("POST", "/detect", content=photo_of.one(1))
        assert code(answer) == (400, "InvalidImage")


def test_searches_are_in_the_log_where_the_server_keeps_one(watched, make):
    path, group = make("persongroups")
    person = watched.person(path, 1)
    watched.ok("POST", f"{path}/train", status=202)
    faces = [watched.detect(one, "recognition_01") for one in (1, 2)]
    scope = {"personGroupId": path.split("/")[2]}
    watched.ok("POST", "/identify", json={"faceIds": faces, **scope})
    watched.ok("POST", "/verify", json={"faceId": faces[1], "personId": person, **scope})
    entries = watched.gallery.privacy.audit(limit=1000)
    searches = [one for one in entries if one.details.get("group") == group]
    searches = [one for one in searches if one.action.startswith("search.")]
    assert [one.action for one in searches] == ["search.identify", "search.verify"]
    assert all(one.subject == person.replace("-", "") for one in searches)
    assert searches[1].details["match"] == "no"
    assert all(one.actor.startswith("key ") for one in searches)


def test_who_is_recognised_is_not_let_go_as_idle(watched, make):
    path, group = make("persongroups")
    ann, bea, carl = (watched.person(path, one, f"p{one}").replace("-", "") for one in (1, 2, 3))
    watched.gallery.set_group(group, settings={"retain_idle_s": 3600})
    watched.ok("POST", f"{path}/train", status=202)
    before = {one: watched.gallery.person(group, one).last_seen_at for one in (ann, bea, carl)}
    scope = {"personGroupId": path.split("/")[2]}
    face = watched.detect(1, "recognition_01")
    body = {"faceIds": [face], "confidenceThreshold": 0, **scope}
    (found,) = watched.ok("POST", "/identify", json=body)
    assert len(found["candidates"]) == 3
    face = watched.detect(2, "recognition_01")
    for person in (bea, carl):
        watched.ok("POST", "/verify", json={"faceId": face, "personId": person, **scope})
    after = {one: watched.gallery.person(group, one).last_seen_at for one in (ann, bea, carl)}
    assert before[ann] != after[ann]
    assert before[bea] != after[bea]
    assert before[carl] == after[carl]


# ---------------------------------------------------------------------- images that are kept


@pytest.mark.parametrize("kind", ["persongroups", "facelists"])
@pytest.mark.parametrize(("policy", "kept"), [("none", 0), ("crops", 1), ("photos", 2)])
def test_a_group_keeps_the_images_it_asks_for(watched, make, photo_of, kind, policy, kept):
    path, group = make(kind, images=policy)
    faces = f"{path}/persistedfaces"
    if kind == "persongroups":
        person = watched.ok("POST", f"{path}/persons", json={"name": "A"})["personId"]
        faces = f"{path}/persons/{person}/persistedfaces"
    photo = photo_of.one(1)
    one = watched.ok("POST", faces, content=photo)["persistedFaceId"].replace("-", "")
    assert watched.gallery.usage().images == kept
    if policy == "photos":
        assert watched.gallery.image(group, one, kind="photo").data == photo


# ---------------------------------------------------------------------- nobody twice


def test_a_person_who_looks_like_another_is_refused_where_the_group_says_so(
    watched, make, photo_of
):
    path, _ = make("persongroups", duplicates="refuse")
    ann = watched.person(path, 1, "Ann")
    watched.ok("POST", f"{path}/persons/{ann}/persistedfaces", content=photo_of.one(1))
    watched.person(path, 2, "Bea")
    carl = watched.ok("POST", f"{path}/persons", json={"name": "Carl"})["personId"]
    answer = watched.send("POST", f"{path}/persons/{carl}/persistedfaces", content=photo_of.one(1))
    assert code(answer) == (400, "InvalidImage")
    assert ann in answer.json()["error"]["message"]
    assert watched.ok("GET", f"{path}/persons/{carl}")["persistedFaceIds"] == []


def test_a_list_that_wants_nobody_twice(watched, make, photo_of):
    path, group = make("facelists", duplicates="refuse")
    faces = f"{path}/persistedfaces"
    for identity in (1, 2):
        watched.ok("POST", faces, content=photo_of.one(identity))
    answer = watched.send("POST", faces, content=photo_of.one(1))
    assert code(answer) == (400, "InvalidImage")
    for policy in ("warn", "allow"):
        watched.gallery.set_group(group, settings={"duplicates": policy})
        watched.ok("POST", faces, content=photo_of.one(1))


def test_a_person_of_the_directory_who_is_there_already(watched, photo_of):
    def person():
        one = watched.ok("POST", "/persons", status=202, json={"name": "D"})["personId"]
        return f"/persons/{one}/recognitionModels/recognition_04/persistedfaces"

    first, second = person(), person()
    group = next(one.name for one in watched.gallery.groups() if "directory" in one.name)
    watched.gallery.set_group(group, settings={"duplicates": "refuse"})
    watched.ok("POST", first, status=202, content=photo_of.one(1))
    answer = watched.send("POST", second, content=photo_of.one(1))
    assert code(answer) == (400, "InvalidImage")


# ---------------------------------------------------------------------- consent


def test_without_consent_nobody_is_registered_where_it_is_required(watched, make, photo_of):
    path, group = make("persongroups", consent="required")
    person = watched.ok("POST", f"{path}/persons", json={"name": "A"})["personId"]
    faces = f"{path}/persons/{person}/persistedfaces"
    assert code(watched.send("POST", faces, content=photo_of.one(1))) == (403, "ConsentMissing")
    given = {"purpose": "door", "text_version": "1", "language": "en"}
    watched.gallery.privacy.give_consent(group, person.replace("-", ""), **given)
    watched.ok("POST", faces, content=photo_of.one(1))
