"""Write a list for ``mien eval identification`` from LFW's folds 1 and 2.

    python benchmarks/identification_list.py ../shared/data > build/identification.csv

People in alphabetical order. Of those with several photos every third is a stranger; of the
others the first photo is enrolled and the rest are probes. Of those with one photo every second
is a stranger, and the others are enrolled as distractors.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def rows(data: Path):
    with (data / "lfw" / "pairs_folds_1_2.csv").open(newline="", encoding="utf-8") as stream:
        paths = sorted({row[side] for row in csv.DictReader(stream) for side in "ab"})
    photos = defaultdict(list)
    for path in paths:
        photos[path.split("/")[1]].append(path)
    several = [name for name in photos if len(photos[name]) > 1]
    single = [name for name in photos if len(photos[name]) == 1]
    for number, name in enumerate(several):
        for place, path in enumerate(photos[name]):
            known = "enrol" if place == 0 else "probe_known"
            yield path, name, "probe_unknown" if number % 3 == 2 else known
    for number, name in enumerate(single):
        yield photos[name][0], name, "probe_unknown" if number % 2 else "enrol_distractor"


def main() -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "id", "role"])
    writer.writerows(rows(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
