"""Worker: one call of DeepFace's API, by DeepFace or by Mien in its place.

Arguments: ``deepface`` or ``mien``, the function, then its images.
"""

import sys

import worker

if sys.argv[1] == "mien":
    from mien.compat import deepface as DeepFace  # noqa: N812
else:
    import cv2
    from deepface import DeepFace

    cv2.setNumThreads(1)

WHAT, IMAGES = sys.argv[2], sys.argv[3:]
MODELS = {"model_name": "Dlib", "detector_backend": "yunet"}


def verify():
    answer = DeepFace.verify(*IMAGES, **MODELS)
    return {"verified": bool(answer["verified"]), "distance": float(answer["distance"])}


def represent():
    return len(DeepFace.represent(IMAGES[0], **MODELS))


def find():
    rows = DeepFace.find(*IMAGES, **MODELS, return_type="dict", silent=True)
    return [len(found) for found in rows]


if __name__ == "__main__":
    worker.serve({"verify": verify, "represent": represent, "find": find}[WHAT])
