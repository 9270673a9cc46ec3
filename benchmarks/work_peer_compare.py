"""Worker: compare two photos with face_recognition (dlib HOG detector, ResNet embedding)."""

import sys

import face_recognition

import worker


def compare():
    encodings = []
    for path in sys.argv[1:3]:
        image = face_recognition.load_image_file(path)
        encodings.append(face_recognition.face_encodings(image)[0])
    return {"distance": float(face_recognition.face_distance([encodings[0]], encodings[1])[0])}


if __name__ == "__main__":
    worker.serve(compare)
