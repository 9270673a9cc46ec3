"""Worker: compare two photos with Mien."""

import sys

import mien
import worker
from mien import config

engine = mien.Engine(settings=config.load())


def compare():
    answer = engine.compare(sys.argv[1], sys.argv[2])
    return {"confidence": answer.confidence, "similarity": answer.similarity}


if __name__ == "__main__":
    worker.serve(compare)
