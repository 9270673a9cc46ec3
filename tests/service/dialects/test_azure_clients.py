"""The official Python clients, unmodified, against a server on a real socket: the gym's story.

A group is made, persons with faces are added, it is trained and polled; then a member at the door
is named and a stranger is not. The photos and the weights are real. The clients are in the
dependency group ``dialects``.
"""

from __future__ import annotations

import io
import time
from typing import NamedTuple

import pytest

MEMBERS = ("Barack Obama", "Joe Biden")
STRANGER = "Eileen Collins"
WHY = "the official client is not installed: pip install --group dialects"


class Door(NamedTuple):
    """A running service, its address and a key."""

    azure: object
    endpoint: str
    key: str


@pytest.fixture(scope="module")
def door(engine, start_service, tmp_path_factory):
    with start_service(tmp_path_factory.mktemp("gym"), engine=engine) as made:
        yield Door(*made)


@pytest.fixture(scope="module")
def new(door):
    """The clients of ``azure-ai-vision-face``."""
    face = pytest.importorskip("azure.ai.vision.face", reason=WHY)
    from azure.core.credentials import AzureKeyCredential

    key = AzureKeyCredential(door.key)
    with (
        face.FaceClient(door.endpoint, key) as client,
        face.FaceAdministrationClient(door.endpoint, key) as administration,
    ):
        yield client, administration


@pytest.fixture(scope="module")
def old(door):
    """The client of ``azure-cognitiveservices-vision-face``."""
    face = pytest.importorskip("azure.cognitiveservices.vision.face", reason=WHY)
    from msrest.authentication import CognitiveServicesCredentials

    with face.FaceClient(door.endpoint, CognitiveServicesCredentials(door.key)) as client:
        yield client


def test_the_gym_with_azure_ai_vision_face(new, people):
    from azure.ai.vision.face.models import FaceDetectionModel, FaceRecognitionModel

    client, administration = new
    members = administration.large_person_group
    model = {
        "detection_model": FaceDetectionModel.DETECTION03,
        "recognition_model": FaceRecognitionModel.RECOGNITION04,
    }
    members.create("gym", name="Gym", recognition_model=model["recognition_model"])
    persons = {}
    for name in MEMBERS:
        person = members.create_person("gym", name=name)
        photo = people[name][0].read_bytes()
        added = members.add_face(
            "gym", person.person_id, photo, detection_model=model["detection_model"]
        )
        assert added.persisted_face_id
        persons[name] = person.person_id
    began = time.monotonic()
    poller = members.begin_train("gym")
    poller.wait(60)
    assert poller.status() == "succeeded"
    assert time.monotonic() - began < 25  # without Retry-After it polls each 30 seconds

    def who(photo):
        found = client.detect(photo.read_bytes(), return_face_id=True, **model)
        (answer,) = client.identify_from_large_person_group(
            face_ids=[found[0].face_id], large_person_group_id="gym"
        )
        return [each.person_id for each in answer.candidates]

    assert who(people["Barack Obama"][1]) == [persons["Barack Obama"]]
    assert who(people["Barack Obama"][2]) == [persons["Barack Obama"]]
    assert who(people[STRANGER][0]) == []
    members.delete("gym")


def test_detect_and_verify_with_azure_ai_vision_face(new, people):
    from azure.ai.vision.face import models

    client, _ = new
    photos = people["Barack Obama"]
    wanted = [
        models.FaceAttributeTypeDetection03.HEAD_POSE,
        models.FaceAttributeTypeDetection03.MASK,
        models.FaceAttributeTypeDetection03.BLUR,
        models.FaceAttributeTypeRecognition04.QUALITY_FOR_RECOGNITION,
    ]
    found = [
        client.detect(
            photo.read_bytes(),
            detection_model=models.FaceDetectionModel.DETECTION03,
            recognition_model=models.FaceRecognitionModel.RECOGNITION04,
            return_face_id=True,
            return_face_attributes=wanted,
            return_face_landmarks=True,
            return_recognition_model=True,
            face_id_time_to_live=60,
        )[0]
        for photo in photos[:2]
    ]
    told = found[0]
    assert told.recognition_model == models.FaceRecognitionModel.RECOGNITION04
    looks = told.face_attributes
    assert looks.mask.type == models.MaskType.NO_MASK
    assert looks.mask.nose_and_mouth_covered is False
    assert looks.blur.blur_level in list(models.BlurLevel)
    assert looks.quality_for_recognition in list(models.QualityForRecognition)
    assert abs(looks.head_pose.yaw) < 40
    points, box = told.face_landmarks, told.face_rectangle
    assert len(points.as_dict()) == 27
    assert points.pupil_left.x < points.nose_tip.x < points.pupil_right.x  # sides of the image
    assert points.eyebrow_left_outer.y < points.mouth_left.y
    assert box.left < points.pupil_left.x < points.pupil_right.x < box.left + box.width
    same = client.verify_face_to_face(face_id1=found[0].face_id, face_id2=found[1].face_id)
    assert same.is_identical
    assert same.confidence > 0.9


def test_errors_become_the_exceptions_of_azure_ai_vision_face(door, new):
    from azure.ai.vision.face import FaceAdministrationClient
    from azure.core import exceptions
    from azure.core.credentials import AzureKeyCredential

    _, administration = new
    members = administration.large_person_group
    with pytest.raises(exceptions.ResourceNotFoundError) as missing:
        members.get("gone")
    assert missing.value.error.code == "LargePersonGroupNotFound"
    members.create("twice", name="N")
    with pytest.raises(exceptions.ResourceExistsError) as there:
        members.create("twice", name="N")
    assert there.value.error.code == "LargePersonGroupExists"
    wrong = FaceAdministrationClient(door.endpoint, AzureKeyCredential("wrong"))
    with wrong, pytest.raises(exceptions.ClientAuthenticationError):
        wrong.large_person_group.get("twice")
    members.delete("twice")


def test_the_rest_of_azure_ai_vision_face(new, people):
    """Every other method that the client has, but for liveness sessions."""
    from azure.ai.vision.face import models

    client, administration = new
    photo = people["Barack Obama"][0].read_bytes()
    model = {
        "detection_model": models.FaceDetectionModel.DETECTION03,
        "recognition_model": models.FaceRecognitionModel.RECOGNITION04,
        "return_face_id": True,
    }
    ids = [
        client.detect(people[name][i].read_bytes(), **model)[0].face_id
        for name, i in (("Barack Obama", 1), ("Barack Obama", 2), (STRANGER, 0))
    ]
    similar = client.find_similar(face_id=ids[0], face_ids=ids[1:])
    assert [one.face_id for one in similar] == [ids[1]]
    grouped = client.group(face_ids=ids)
    assert (grouped.groups, grouped.messy_group) == ([ids[:2]], [ids[2]])

    lists = administration.large_face_list
    lists.create("faces", name="Faces", recognition_model=model["recognition_model"])
    lists.update("faces", name="Photos", user_data="u")
    shown = lists.get("faces", return_recognition_model=True)
    assert (shown.name, shown.user_data, shown.recognition_model) == (
        "Photos",
        "u",
        "recognition_04",
    )
    assert [one.large_face_list_id for one in lists.get_large_face_lists()] == ["faces"]
    face = lists.add_face("faces", photo, user_data="f").persisted_face_id
    lists.update_face("faces", face, user_data="g")
    assert lists.get_face("faces", face).user_data == "g"
    assert [one.persisted_face_id for one in lists.get_faces("faces")] == [face]
    lists.begin_train("faces").result()
    assert lists.get_training_status("faces").status == "succeeded"
    found = client.find_similar_from_large_face_list(face_id=ids[0], large_face_list_id="faces")
    assert [one.persisted_face_id for one in found] == [face]
    lists.delete_face("faces", face)
    lists.delete("faces")

    members = administration.large_person_group
    members.create("club", name="Club", recognition_model=model["recognition_model"])
    members.update("club", user_data="u")
    assert members.get("club").user_data == "u"
    assert [one.name for one in members.get_large_person_groups()] == ["Club"]
    person = members.create_person("club", name="Obama").person_id
    members.update_person("club", person, user_data="p")
    face = members.add_face("club", person, photo).persisted_face_id
    members.update_face("club", person, face, user_data="f")
    assert members.get_face("club", person, face).user_data == "f"
    assert members.get_person("club", person).persisted_face_ids == [face]
    assert [one.user_data for one in members.get_persons("club")] == ["p"]
    verified = client.verify_from_large_person_group(
        face_id=ids[0], large_person_group_id="club", person_id=person
    )
    assert verified.is_identical
    members.begin_train("club").result()
    assert members.get_training_status("club").status == "succeeded"
    members.delete_face("club", person, face)
    members.delete_person("club", person)
    members.delete("club")


def test_the_gym_with_azure_cognitiveservices_vision_face(old, people):
    model = {"detection_model": "detection_03", "recognition_model": "recognition_04"}
    old.person_group.create("gym", name="Gym", recognition_model="recognition_04")
    persons = {}
    for name in MEMBERS:
        person = old.person_group_person.create("gym", name=name)
        with people[name][0].open("rb") as photo:  # posted in chunks
            old.person_group_person.add_face_from_stream(
                "gym", person.person_id, photo, detection_model="detection_03"
            )
        persons[name] = person.person_id
    old.person_group.train("gym")
    assert old.person_group.get_training_status("gym").status == "succeeded"

    def who(photo):
        with photo.open("rb") as stream:
            found = old.face.detect_with_stream(stream, **model)
        (answer,) = old.face.identify([found[0].face_id], person_group_id="gym")
        return [each.person_id for each in answer.candidates]

    assert who(people["Barack Obama"][1]) == [persons["Barack Obama"]]
    assert who(people[STRANGER][0]) == []
    assert len(old.person_group_person.list("gym")) == 2
    old.person_group.delete("gym")


def test_the_rest_of_azure_cognitiveservices_vision_face(old, people):
    from azure.cognitiveservices.vision.face.models import APIErrorException, FaceAttributeType

    photo = people["Barack Obama"][0].read_bytes()
    wanted = [FaceAttributeType.head_pose, FaceAttributeType.smile, FaceAttributeType.blur]
    (found,) = old.face.detect_with_stream(
        io.BytesIO(photo),
        return_face_landmarks=True,
        return_face_attributes=wanted,
        return_recognition_model=True,
        recognition_model="recognition_03",
    )
    assert found.recognition_model == "recognition_03"
    assert 0 <= found.face_attributes.smile <= 1
    assert str(found.face_attributes.blur.blur_level).lower().endswith(("low", "medium", "high"))
    assert found.face_landmarks.under_lip_bottom.y > found.face_landmarks.nose_tip.y

    lists = old.face_list
    lists.create("l", name="L", recognition_model="recognition_03")
    face = lists.add_face_from_stream("l", io.BytesIO(photo), user_data="u").persisted_face_id
    assert [one.user_data for one in lists.get("l").persisted_faces] == ["u"]
    assert [one.face_list_id for one in lists.list()] == ["l"]
    similar = old.face.find_similar(found.face_id, face_list_id="l")
    assert [one.persisted_face_id for one in similar] == [face]
    lists.delete_face("l", face)
    lists.delete("l")

    large = old.large_face_list
    large.create("l", name="L", recognition_model="recognition_03")
    large.add_face_from_stream("l", io.BytesIO(photo))
    large.train("l")
    assert large.get_training_status("l").status == "succeeded"
    assert len(large.list_faces("l")) == 1
    large.delete("l")

    groups = old.large_person_group
    groups.create("g", name="G", recognition_model="recognition_03")
    person = old.large_person_group_person.create("g", name="P").person_id
    old.large_person_group_person.add_face_from_stream("g", person, io.BytesIO(photo))
    groups.train("g")
    verified = old.face.verify_face_to_person(found.face_id, person, large_person_group_id="g")
    assert verified.is_identical
    groups.delete("g")
    with pytest.raises(APIErrorException) as refused:
        groups.get("g")
    assert refused.value.error.error.code == "LargePersonGroupNotFound"


# ---------------------------------------------------------------------- attributes, with weights


def looks(door, photo, *names, detector="detection_01"):
    query = {
        "detectionModel": detector,
        "recognitionModel": "recognition_04",
        "returnFaceAttributes": ",".join(names),
        "returnFaceId": "false",
    }
    return door.azure.send("POST", "/detect", params=query, content=photo.read_bytes())


def test_attributes_of_the_first_detection_model(door, people):
    photo = people["Barack Obama"][0]
    names = ("headPose", "occlusion", "blur", "exposure", "noise", "smile", "qualityForRecognition")
    told = looks(door, photo, *names).json()[0]["faceAttributes"]
    assert set(told) == set(names)
    assert set(told["headPose"]) == {"pitch", "roll", "yaw"}
    assert all(abs(angle) < 40 for angle in told["headPose"].values())
    assert told["occlusion"] == {
        "foreheadOccluded": False,
        "eyeOccluded": False,
        "mouthOccluded": False,
    }
    assert told["exposure"]["exposureLevel"] == "goodExposure"
    assert told["qualityForRecognition"] in ("medium", "high")


def test_attributes_of_the_third_detection_model(door, people):
    photo = people["Barack Obama"][0]
    told = looks(door, photo, "mask", "occlusion", detector="detection_03")
    assert told.json()[0]["faceAttributes"]["mask"] == {
        "type": "noMask",
        "noseAndMouthCovered": False,
    }


def test_age_gender_and_emotion_are_for_applications_that_may(door, people):
    names = ("age", "gender", "emotion")
    photo = people["Barack Obama"][0]
    assert looks(door, photo, *names).json()["error"]["code"] == "UnsupportedFeature"
    door.azure.gallery.allow_attributes("default", names)
    told = looks(door, photo, *names).json()[0]["faceAttributes"]
    door.azure.gallery.allow_attributes("default", ())
    assert told["gender"] == "male"
    assert 30 < told["age"] < 70
    assert set(told["emotion"]) == {
        "anger",
        "disgust",
        "fear",
        "happiness",
        "neutral",
        "sadness",
        "surprise",
    }
    assert sum(told["emotion"].values()) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", ["glasses", "accessories"])
def test_a_model_whose_licence_is_not_accepted_is_an_unsupported_feature(door, people, name):
    answer = looks(door, people["Barack Obama"][0], name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "UnsupportedFeature")
