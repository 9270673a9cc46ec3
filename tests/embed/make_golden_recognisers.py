"""Writes golden_recognisers.json: InsightFace's and UniFace's embeddings by a net from a seed.

Runs in an environment with uniface 4.2.1 and insightface 2.1 (see benchmarks/peers.py), never in
Mien's: ``python tests/embed/make_golden_recognisers.py``. Their own code aligns the face,
normalises the crop and runs the net.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from seeded_weights import POINTS, noise, onnx_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "benchmarks"))

from work_peer_recognisers import insightface, uniface  # noqa: E402

FIRST = 32


def main() -> None:
    """Embed one face with each, and write the first numbers and the length."""
    image = np.ascontiguousarray(noise()[..., ::-1])
    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "net.onnx"
        net.write_bytes(onnx_file())
        for name in ("buffalo_l", "buffalo_s", "adaface_ir18", "edgeface_xxs", "mobileface_mnv2"):
            given = (str(net), image, np.array(POINTS))
            vector = insightface(*given) if "buffalo" in name else uniface(name, *given)
            golden[name] = {
                "norm": float(f"{np.linalg.norm(vector):.7g}"),
                "vector": [float(f"{value:.7g}") for value in vector[:FIRST]],
            }
    rows = [f'"{name}": {json.dumps(facts)}' for name, facts in golden.items()]
    (HERE / "golden_recognisers.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
