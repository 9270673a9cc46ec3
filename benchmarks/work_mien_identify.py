"""In-process side of bench_serve: identifies the photo by the engine, on as many threads as said.

Each line of standard input is a number of requests; the answer is what they cost, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mien import Engine, Gallery, config


def main(photo: Path, group: str) -> None:
    """Answer until standard input ends."""
    data = photo.read_bytes()
    settings = config.load()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with (
        Engine(settings=settings) as engine,
        Gallery.open(settings.gallery_url) as gallery,
        ThreadPoolExecutor(threads) as pool,
    ):
        list(pool.map(lambda _: engine.identify(gallery, group, data), range(8)))
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            count = int(line)
            began, cpu = time.perf_counter(), time.process_time()
            list(pool.map(lambda _: engine.identify(gallery, group, data), range(count)))
            spent = (time.process_time() - cpu) * 1e3 / count
            seconds = time.perf_counter() - began
            print(json.dumps({"ms": spent, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
