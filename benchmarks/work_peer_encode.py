"""Worker: encode every photo of a list (one path a line) with face_recognition, once."""

import json
import sys
import time

import face_recognition


def main():
    started = time.process_time()
    encodings = []
    for path in sys.stdin.read().splitlines():
        found = face_recognition.face_encodings(face_recognition.load_image_file(path))
        encodings.append(found[0].tolist() if found else None)
    spent = (time.process_time() - started) * 1e3 / max(1, len(encodings))
    print(json.dumps({"ms": spent, "encodings": encodings}))


if __name__ == "__main__":
    main()
