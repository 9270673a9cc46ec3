"""The PyPI client ``compreface-sdk`` against a server: PORT KEY MEMBER MEMBER2 OTHER STRANGER."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from compreface import CompreFace

port, key, member, member2, other, stranger = sys.argv[1:]
service = CompreFace("http://127.0.0.1", f"{port}/compreface", {"limit": 0, "status": True})
recognition = service.init_face_recognition(key)
detection = service.init_face_detection(key)
verification = service.init_face_verification(key)
faces, subjects = recognition.get_face_collection(), recognition.get_subjects()
plugins = {"face_plugins": "landmarks,gender,age,calculator,mask", "limit": 0}

story = {
    "subject": subjects.add("김철수"),
    "added": faces.add(member, "Member"),
    "other": faces.add(other, "Other"),
    "subjects": subjects.list(),
    "listed": faces.list(),
    "recognised": recognition.recognize(member2, {"prediction_count": 2, "status": True}),
    "stranger": recognition.recognize(stranger),
    "detected": detection.detect(member, plugins),
    "whole": recognition.recognize(Path(member2).read_bytes(), plugins),
    "paired": verification.verify(member, member2, plugins),
    "closed": service.init_face_detection("wrong").detect(member),
    "unreadable": detection.detect(__file__),
    "verified": verification.verify(member, member2),
    "refused": verification.verify(member, other, {"limit": 1}),
}
image_id = story["added"]["image_id"]
story |= {
    "same": faces.verify(member2, image_id),
    "renamed": subjects.update("Member", "Somebody"),
    "again": recognition.recognize(member2),
    "deleted": faces.delete(image_id),
    "all": faces.delete_all("Other"),
    "gone": subjects.delete("Somebody"),
    "cleared": subjects.delete_all(),
    "left": subjects.list(),
}
print(json.dumps(story))
