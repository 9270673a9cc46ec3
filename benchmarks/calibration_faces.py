"""Write the list of faces from which SFace's calibration is made.

    python benchmarks/calibration_faces.py ../shared/data > build/calibration_faces.csv

The folder holds LFW's folds 1 and 2 (view 2) and MFR2. Nobody is in both folds of LFW; MFR2's
people are dealt out in alphabetical order to the same two folds; nobody is in both sets.
"""

import csv
import sys
from pathlib import Path


def rows(data: Path):
    gender = {r["path"]: r["gender"] for r in table(data / "lfw" / "gender.csv")}
    fold = {
        r[side]: r["fold"] for r in table(data / "lfw" / "pairs_folds_1_2.csv") for side in "ab"
    }
    for path in sorted(fold):
        yield path, path.split("/")[1], fold[path], "lfw", gender.get(path, "")
    masked = table(data / "mfr2" / "labels.csv")
    people = sorted({r["id"] for r in masked})
    for r in masked:
        yield r["path"], r["id"], str(1 + people.index(r["id"]) % 2), "mfr2", ""


def table(file: Path):
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def main() -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "id", "fold", "set", "group"])
    writer.writerows(rows(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
