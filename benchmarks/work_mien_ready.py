"""A process that opens a gallery and searches it once: when is the answer there?

Arguments: URL, group, length of the vectors. Says so twice: when it has the first answer, and when
it has closed the gallery.
"""

import json
import sys
import time

import numpy as np

from mien import Gallery
from mien.types import EmbeddingContract


def main() -> None:
    url, group, dim = sys.argv[1], sys.argv[2], int(sys.argv[3])
    imported, started = time.process_time(), time.perf_counter()
    gallery = Gallery.open(url)
    opened = time.perf_counter()
    contract = EmbeddingContract("random", "0" * 64, 1, dim)
    probe = np.full((1, dim), dim**-0.5, np.float32)
    hits = gallery.search(group, probe, k=3, contract=contract)
    searched = time.perf_counter()
    facts = {
        "import_cpu_s": imported,
        "open_s": opened - started,
        "search_s": searched - opened,
        "cpu_s": time.process_time() - imported,
        "found": [[hit.person, hit.similarity] for hit in hits[0]],
    }
    print(json.dumps(facts), flush=True)
    before = time.perf_counter()
    gallery.close()
    print(json.dumps({"close_s": time.perf_counter() - before}), flush=True)


if __name__ == "__main__":
    main()
