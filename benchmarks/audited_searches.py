"""What it costs to write searches to the audit log: ``python benchmarks/audited_searches.py``.

In a gallery of its own in a temporary folder: one thread, then eight, each search one entry.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from mien.gallery import Gallery
from mien.gallery.protect import KeyRing, new_key
from mien.testing.galleries import random_contract


def searches(gallery: Gallery, count: int, threads: int) -> float:
    """Wall milliseconds of one search's entry, ``count`` of them shared by ``threads``."""

    def write() -> None:
        for _ in range(count // threads):
            gallery.privacy.record_identification("people", [["0" * 32]])

    workers = [threading.Thread(target=write) for _ in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 1000 * (time.perf_counter() - begin) / count


def main() -> None:
    """Print medians and extremes of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=400)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(
            f"sqlite:///{Path(folder) / 'faces.db'}", keys=KeyRing([new_key()])
        ) as gallery,
    ):
        gallery.create_group("people", contract=random_contract(8))
        for threads in (1, 8):
            found = [searches(gallery, chosen.count, threads) for _ in range(chosen.rounds)]
            sys.stdout.write(
                f"{threads} thread(s): {statistics.median(found):.2f} ms a search "
                f"({min(found):.2f} to {max(found):.2f}, {chosen.rounds} rounds of "
                f"{chosen.count})\n"
            )


if __name__ == "__main__":
    main()
