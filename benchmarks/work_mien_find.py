"""Worker: find a face in a gallery with Mien.

Arguments: URL, number of faces, file of embeddings, and either nothing (the embedding is there) or
a photo (it is detected and embedded first, with the default models).
"""

import sys

import numpy as np

import mien
import worker
from mien import config
from mien.types import Embeddings

url, size, file, photo = sys.argv[1], int(sys.argv[2]), sys.argv[3], (*sys.argv[4:], None)[0]
FACES = 10  # of a person

engine = mien.Engine(settings=config.load(threads=1))
gallery = mien.Gallery.open(url)
contract = engine.embedder.contract
embeddings = np.load(file)
probe = embeddings[:1]


def fill():
    gallery.create_group("people", contract=contract)
    for start in range(0, size, FACES):
        own = embeddings[start : start + FACES]
        faces = Embeddings(own, np.full(len(own), 12.6, np.float32))
        gallery.add_faces("people", f"p{start}", faces, contract=contract, create_person=True)


def find():
    if photo is not None:
        return {"found": len(engine.identify(gallery, "people", photo).faces)}
    hits = gallery.search("people", probe, k=10, contract=contract)[0]
    return {"similarity": hits[0].similarity, "found": len(hits)}


if __name__ == "__main__":
    if not gallery.groups():
        fill()
    worker.serve(find)
