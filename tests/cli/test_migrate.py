"""gallery migrate: other programs' galleries, as their files really look."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest

from mien.compat.deepface import engines
from mien.testing import drawn_face, mock_engine

KEY = "6f348698-6985-4296-914e-a5e3270cfad1"
OTHER_KEY = "1f348698-6985-4296-914e-a5e3270cfad7"
UUID = "00000000-0000-4000-8000-{:012}"


def vectors(n, dim=64):
    return np.random.default_rng(7).normal(size=(n, dim)) * 1.4


def persons(mien, group="staff"):
    found = mien("gallery", "show", group, "--json").document["people"]
    return {person["name"]: person["faces"] for person in found}


SHAPES = {
    "face_recognition": lambda v: {"encodings": [*v], "names": ["ann", "bea", "ann"]},
    "columns as arrays": lambda v: {"labels": np.array(["ann", "bea", "ann"]), "embeddings": v},
    "a pair": lambda v: ([*v], ["ann", "bea", "ann"]),
    "a pair, names first": lambda v: (["ann", "bea", "ann"], v),
    "rows": lambda v: [("ann", v[0]), ("bea", v[1]), ("ann", v[2].tolist())],
    "dictionaries": lambda v: [
        {"name": "ann", "encoding": v[0]},
        {"name": "bea", "encoding": v[1]},
        {"name": "ann", "encoding": v[2], "path": "x"},
    ],
    "by name": lambda v: {"ann": [v[0], v[2]], "bea": v[1]},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_pickle_of_names_and_vectors(mien, tmp_path, shape):
    file = tmp_path / "known.pkl"
    file.write_bytes(pickle.dumps(SHAPES[shape](vectors(3))))
    answer = mien("gallery", "migrate", file, "staff", "--embedder", "mock", "--json")
    assert answer.exit_code == 0, answer
    assert answer.document["enrolled"] == 3
    assert persons(mien) == {"ann": 2, "bea": 1}
    again = mien("gallery", "migrate", file, "staff", "--embedder", "mock", "--json")
    assert again.exit_code == 0
    assert again.document["enrolled"] == 0
    assert {tuple(one["reasons"]) for one in again.document["rejected"]} == {("duplicate",)}
    assert persons(mien) == {"ann": 2, "bea": 1}


def test_the_vectors_are_normalised_and_their_lengths_kept(mien, tmp_path):
    import mien as library

    stored = vectors(1)
    np.savez(tmp_path / "known.npz", encodings=stored, names=np.array(["ann"]))
    mien("gallery", "migrate", "known.npz", "staff", "--embedder", "mock")
    with library.Gallery.open(f"sqlite:///{tmp_path / 'data' / 'gallery.db'}") as gallery:
        _, found = gallery.embeddings("staff", "ann")
    np.testing.assert_allclose(found.norm, np.linalg.norm(stored, axis=1), rtol=1e-6)
    np.testing.assert_allclose(found.vector * found.norm[:, None], stored, rtol=1e-5)


def test_an_npz_file_with_objects_is_refused(mien, tmp_path):
    np.savez(tmp_path / "a.npz", encodings=np.array([{}], object), names=np.array(["x"]))
    answer = mien("gallery", "migrate", "a.npz", "staff", "--embedder", "mock")
    assert answer.exit_code == 2
    assert "objects" in answer.stderr


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"encodings": [np.ones(8)], "names": ["a"]}, "64 numbers"),
        ({"encodings": [np.ones(64)], "names": ["a", "b"]}, "2 names for 1 vectors"),
        ({"encodings": [np.ones(64)]}, "without names"),
        ({"encodings": [], "names": []}, "no faces"),
        ({"encodings": [np.ones((2, 64))], "names": ["a"]}, "not a row"),
        ({"encodings": [["x"] * 64], "names": ["a"]}, "not a row"),
        ({"encodings": [np.ones(64)], "names": [None]}, "Names must be"),
        ([["a"]], "not a name with a vector"),
        (3, "no names with vectors"),
        (np.ones((2, 64)), "no names with vectors"),
    ],
)
def test_what_is_no_gallery_is_refused_and_nothing_stored(mien, tmp_path, document, said):
    (tmp_path / "known.pkl").write_bytes(pickle.dumps(document))
    answer = mien("gallery", "migrate", "known.pkl", "staff", "--embedder", "mock")
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert mien("gallery", "show", "staff").exit_code != 0


def test_single_vectors_that_cannot_be_are_rejected_with_a_reason(mien, tmp_path):
    rows = {"encodings": [vectors(1)[0], np.zeros(64), np.full(64, np.nan), np.ones(64)]}
    rows["names"] = ["ann", "bea", "cid", " "]
    (tmp_path / "known.pkl").write_bytes(pickle.dumps(rows))
    answer = mien(
        "gallery", "migrate", "known.pkl", "staff", "--embedder", "mock", "--json",
        "--report", "r.csv",
    )  # fmt: skip
    assert answer.document["enrolled"] == 1
    assert [one["image"] for one in answer.document["rejected"]] == ["#2", "#3", "#4"]
    assert "#3,cid,rejected,invalid_argument" in (tmp_path / "r.csv").read_text()


def test_whoever_does_not_say_what_made_the_vectors_is_asked(mien, tmp_path):
    (tmp_path / "known.pkl").write_bytes(pickle.dumps(SHAPES["rows"](vectors(3))))
    answer = mien("gallery", "migrate", "known.pkl", "staff")
    assert answer.exit_code == 2
    assert "--embedder" in answer.stderr
    answer = mien("gallery", "migrate", "known.pkl", "--embedder", "mock")
    assert "GROUP" in answer.stderr


def test_a_pickle_that_would_run_a_program(mien, tmp_path):
    (tmp_path / "known.pkl").write_bytes(b"cos\nsystem\n(S'touch harmed'\ntR.")
    answer = mien("gallery", "migrate", "known.pkl", "staff", "--embedder", "mock")
    assert answer.exit_code == 2
    assert "os.system" in answer.stderr
    assert not (tmp_path / "harmed").exists()


def test_the_limit_of_a_file_at_its_edge(mien, tmp_path, monkeypatch):
    np.savez(tmp_path / "known.npz", encodings=vectors(3), names=np.array(["a", "b", "c"]))
    size = (tmp_path / "known.npz").stat().st_size
    monkeypatch.setenv("MIEN_MIGRATE_MAX_BYTES", str(size - 1))
    answer = mien("gallery", "migrate", "known.npz", "staff", "--embedder", "mock")
    assert answer.exit_code == 2
    assert "MIEN_MIGRATE_MAX_BYTES" in answer.stderr
    monkeypatch.setenv("MIEN_MIGRATE_MAX_BYTES", str(size))
    assert mien("gallery", "migrate", "known.npz", "staff", "--embedder", "mock").exit_code == 0


@pytest.fixture
def database(draw, tmp_path):
    """A DeepFace database, with the files that find leaves there."""
    draw(1, "db/ann/1.png")
    draw(1, "db/ann/more/2.png", width=400)
    draw(2, "db/bea.png")
    (tmp_path / "db" / "notes.txt").write_text("x")
    (tmp_path / "db" / "ann" / "broken.jpg").write_bytes(b"x")
    return tmp_path / "db"


STORE = "ds_model_mock_detector_skip_aligned_normalization_base_expand_0.pkl"


def stored_rows(n=2):
    rows = [("old/db/ann/1.png", vectors(2)[0]), ("old/db/bea.png", vectors(2)[1])][:n]
    return [
        {
            "identity": identity, "hash": "0" * 40, "embedding": vector.tolist(),
            "target_x": 1, "target_y": 2, "target_w": 3, "target_h": 4,
        }
        for identity, vector in rows
    ]  # fmt: skip


def test_the_photos_of_a_deepface_folder_are_embedded(mien, database):
    (database / STORE).write_bytes(pickle.dumps(stored_rows()))
    answer = mien("gallery", "migrate", database, "staff", "--json")
    assert answer.exit_code == 0
    assert answer.document["enrolled"] == 3
    assert [one["image"] for one in answer.document["rejected"]] == ["ann/broken.jpg"]
    assert f"{STORE} is left out" in answer.stderr
    assert persons(mien) == {"ann": 2, "bea": 1}


@pytest.fixture
def deepface_models(monkeypatch):
    engine = mock_engine()
    monkeypatch.setattr(engines, "default_engine", lambda *_: engine)
    monkeypatch.setattr(engines, "detector_names", lambda: ["skip"])
    monkeypatch.setattr(engines, "embedder_names", lambda: ["mock"])


@pytest.mark.usefixtures("deepface_models")
@pytest.mark.parametrize("kind", ["dictionaries", "columns"])
def test_stored_embeddings_go_where_the_same_pipeline_looks_for_them(mien, database, kind):
    if kind == "dictionaries":
        rows = [*stored_rows(), {**stored_rows(1)[0], "identity": "x/y", "embedding": None}]
        (database / STORE).write_bytes(pickle.dumps(rows))
    else:
        np.savez(
            database / STORE.replace(".pkl", ".npz"),
            identity=np.array(["old/db/ann/1.png", "old/db/bea.png", "old/db/cid.png"]),
            embedding=np.vstack([vectors(2), np.zeros((1, 64))]),
            has_embedding=np.array([True, True, False]),
        )
    answer = mien("gallery", "migrate", database, "--stored", "--json")
    assert answer.exit_code == 0, answer
    group = "deepface.mock.skip.aligned.base"
    assert answer.document["group"] == group
    assert persons(mien, group) == {"ann": 1, "bea": 1}
    other = mien("gallery", "migrate", database, "staff", "--stored")
    assert other.exit_code == 2
    assert group in other.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, "0 datastores"),
        ("representations_vgg_face.pkl", "does not say"),
        ("ds_model_mock_detector_skip_aligned_normalization_new_expand_0.pkl", "no normalization"),
        ("ds_model_mock_detector_skip_aligned_normalization_base_expand_0.parquet", "pyarrow"),
    ],
)
@pytest.mark.usefixtures("deepface_models")
def test_embeddings_that_cannot_be_taken_over(mien, database, name, said):
    if name:
        (database / name).write_bytes(pickle.dumps([["a/b.jpg", [0.5]]]))
    answer = mien("gallery", "migrate", database, "--stored")
    assert answer.exit_code == 2
    assert said in answer.stderr


def png(identity, tmp_path):
    from PIL import Image

    Image.fromarray(drawn_face(identity, (240, 320))).save(tmp_path / "one.png")
    return (tmp_path / "one.png").read_bytes()


@pytest.fixture
def dump(tmp_path):
    """What ``pg_dump`` makes of a CompreFace: three tables of it, and another."""
    row = "{%s}"  # float8[]
    number = [row % ",".join(map(repr, map(float, one))) for one in vectors(4)]
    made = "facenet.Calculator@20180402-114759"
    examples = [
        (10, 1, number[0], 20),
        (11, 1, number[1], r"\N"),
        (12, 2, number[2], 21),
        (13, 3, number[3], 22),
    ]
    rows = [
        "\t".join(
            [UUID.format(i), UUID.format(s), v, made, r"\N" if m == r"\N" else UUID.format(m)]
        )
        for i, s, v, m in examples
    ]
    images = [
        "\t".join([UUID.format(i), "\\\\x" + data.hex()])
        for i, data in [(20, png(1, tmp_path)), (21, png(2, tmp_path)), (22, b"no photo")]
    ]
    subjects = [
        "\t".join([UUID.format(i), key, name])
        for i, key, name in [(1, KEY, "ann\\\\b"), (2, KEY, "홍길동"), (3, OTHER_KEY, "cid")]
    ]
    text = "\n".join(
        [
            "--\n-- PostgreSQL database dump\n--\nSET client_encoding = 'UTF8';",
            "CREATE TABLE public.embedding (id uuid NOT NULL);",
            "COPY public.app (id, name) FROM stdin;",
            "1\tx",
            "\\.",
            "COPY public.embedding (id, subject_id, embedding, calculator, img_id) FROM stdin;",
            *rows,
            "\\.",
            "",
            "COPY public.img (id, content) FROM stdin;",
            *images,
            "\\.",
            "",
            "COPY public.subject (id, api_key, subject_name) FROM stdin;",
            *subjects,
            "\\.",
            "-- PostgreSQL database dump complete",
            "",
        ]
    )
    file = tmp_path / "compreface.sql"
    file.write_text(text)
    return file


def test_the_photos_of_a_compreface_dump(mien, dump):
    answer = mien("gallery", "migrate", dump, "staff", "--service", KEY, "--json")
    assert answer.exit_code == 0, answer
    assert answer.document["enrolled"] == 2
    (lost,) = answer.document["rejected"]
    assert lost["image"] == UUID.format(11)
    assert "save_images_to_db" in lost["message"]
    assert persons(mien) == {"ann\\b": 1, "홍길동": 1}
    again = mien("gallery", "migrate", dump, "staff", "--service", KEY, "--json").document
    assert again["enrolled"] == 0


def test_the_embeddings_of_a_compreface_dump(mien, dump):
    arguments = ["gallery", "migrate", dump, "staff", "--service", KEY, "--stored", "--json"]
    asked = mien(*arguments)
    assert asked.exit_code == 2
    assert "--embedder" in asked.stderr
    answer = mien(*arguments, "--embedder", "mock")
    assert answer.document["enrolled"] == 3
    assert "facenet.Calculator@20180402-114759" in answer.stderr
    assert persons(mien) == {"ann\\b": 2, "홍길동": 1}


def test_of_several_services_one_has_to_be_named_without_telling_keys(mien, dump):
    answer = mien("gallery", "migrate", dump, "staff")
    assert answer.exit_code == 2
    assert "2 recognition services" in answer.stderr
    assert KEY not in answer.stderr
    assert mien("gallery", "migrate", dump, "staff", "--service", "x").exit_code == 2


def test_a_photo_of_more_bytes_than_allowed_is_refused_alone(mien, dump, tmp_path, monkeypatch):
    sizes = [len(png(1, tmp_path)), len(png(2, tmp_path))]
    monkeypatch.setenv("MIEN_MAX_IMAGE_BYTES", str(max(sizes) // 2))
    answer = mien("gallery", "migrate", dump, "staff", "--service", KEY, "--json")
    reasons = [tuple(one["reasons"]) for one in answer.document["rejected"]]
    assert reasons[0] == ("image_too_large",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: b"PGDMP" + text, "pg_restore"),
        (lambda text: text[: text.index(b"COPY public.subject")], "lacks the rows of subject"),
        (lambda text: text[: len(text) * 3 // 4], "cut off"),
        (lambda text: text.replace(b"subject_id, ", b""), "needs the columns"),
        (lambda text: text.replace(b"\tfacenet", b"facenet"), "damaged"),
        (lambda text: b"-- nothing\n", "lacks the rows"),
    ],
)
def test_a_dump_that_cannot_be_used(mien, dump, change, said):
    dump.write_bytes(change(dump.read_bytes()))
    answer = mien("gallery", "migrate", dump, "staff", "--service", KEY)
    assert answer.exit_code == 2
    assert said in answer.stderr


def test_a_folder_saved_through_comprefaces_api(mien, database):
    shutil.move(database / "ann" / "more" / "2.png", database / "ann" / f"{UUID.format(1)}.png")
    answer = mien("gallery", "migrate", database, "staff", "--kind", "compreface", "--json")
    assert answer.document["enrolled"] == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing", "staff"],
        ["db", "staff", "--kind", "npz", "--embedder", "mock"],
        ["db/notes.txt", "staff", "--kind", "deepface"],
        ["db/notes.txt", "staff", "--embedder", "mock"],
        ["db", "staff", "--service", "x"],
        ["db/ann/more/none", "staff"],
    ],
)
@pytest.mark.usefixtures("database")
def test_sources_that_cannot_be(mien, arguments):
    assert mien("gallery", "migrate", *arguments).exit_code == 2
