"""Folders, zips and CSV files of photos: what is taken, what is refused, and the limits."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import pytest
from PIL import Image

from mien.config import load
from mien.engine.bulk import photos_in as photos_of_source
from mien.engine.bulk import photos_in_zip
from mien.engine.zips import PhotoZip
from mien.errors import ImageDecodeError, ImageNotFound, ImageTooLarge, InvalidArgument
from mien.testing import drawn_face


def png(identity: int, width: int = 160) -> bytes:
    out = io.BytesIO()
    Image.fromarray(drawn_face(identity, (120, width))).save(out, "PNG")
    return out.getvalue()


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    out.seek(0)
    return out


def photos_in(*args, **options):
    with photos_of_source(*args, **options) as photos:
        return photos


def listed(photos):
    return [(photo.person, photo.name) for photo in photos]


def opened(members, **limits):
    chosen = {"max_members": 10, "max_member_bytes": 1000, "max_bytes": 10_000, **limits}
    file = members if isinstance(members, io.BytesIO) else packed(members)
    return PhotoZip(file, **chosen)


# ------------------------------------------------------------------ what is taken


def test_a_zip_of_the_folder_or_of_what_is_in_it():
    inside = {"bea/1.png": b"b", "ann/2.png": b"x", "ann/1.png": b"a", "note.txt": b""}
    expected = [("ann", "ann/1.png"), ("ann", "ann/2.png"), ("bea", "bea/1.png")]
    photos = photos_in_zip(packed(inside), load())
    assert listed(photos) == expected
    assert [photo.image() for photo in photos] == [b"a", b"x", b"b"]
    outside = {f"people/{name}": data for name, data in inside.items() if "/" in name}
    assert listed(photos_in_zip(packed(outside), load())) == expected


def test_hidden_members_and_deeper_folders_are_left_out():
    members = {
        "ann/1.png": b"",
        "ann/.thumb": b"",
        ".git/x.png": b"",
        "__MACOSX/ann/._1.png": b"",
        "ann/deep/3.png": b"",
        "empty/": b"",
    }
    assert listed(photos_in_zip(packed(members), load())) == [("ann", "ann/1.png")]


def test_a_manifest_says_whose_the_photos_are():
    text = "\ufeffpath,person,external_image_id\nimg/1.png,홍길동,A-1\n./img/2.png,ann,\n"
    members = {"manifest.csv": text.encode(), "img/1.png": b"1", "img/2.png": b"2", "x/y": b""}
    photos = photos_in_zip(packed(members), load())
    assert listed(photos) == [("홍길동", "img/1.png"), ("ann", "img/2.png")]
    assert [photo.external_image_id for photo in photos] == ["A-1", None]
    assert [photo.image() for photo in photos] == [b"1", b"2"]


def test_a_csv_with_its_root(tmp_path):
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists" / "who.csv"
    file.write_text('path,person\n"a, b/1.png",ann\n2.png,"O""Neil"\n', encoding="utf-8")
    photos = photos_in(file, load(), root=tmp_path)
    assert [photo.image for photo in photos] == [tmp_path / "a, b/1.png", tmp_path / "2.png"]
    assert [photo.person for photo in photos] == ["ann", 'O"Neil']
    assert photos_in(file, load())[1].image == tmp_path / "lists" / "2.png"


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "text",
    [
        "",
        "person\nann\n",
        "path,person,path\na,b,c\n",
        "path,person\n",
        "path,person\n../1.png,ann\n",
        "path,person\n/etc/passwd,ann\n",
        "path,person\n..\\1.png,ann\n",
        "path,person\nC:\\1.png,ann\n",
        "path,person\na.png,\n",
        "path,person\na.png\n",
        "path,person\na.png,ann,more\n",
        "path,person\n,ann\n",
        "path,person\na.png,a\x07b\n",
        "path,person\n\xff\xfe,ann\n",
        'path,person\n"a.png,ann\n',
        "path,person,external_image_id\na.png,ann," + "x" * 256 + "\n",
        "path,person\n" + "x" * 200_000 + ",ann\n",
    ],
)
def test_a_csv_that_cannot_be_used(tmp_path, text):
    file = tmp_path / "who.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidArgument) as refused:
        photos_in(file, load())
    assert "who.csv" in refused.value.message
    assert str(tmp_path) not in refused.value.message


def test_no_source_or_one_of_another_kind(tmp_path):
    (tmp_path / "photos.tar").touch()
    (tmp_path / "broken.zip").write_bytes(b"PK")
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "1.png").touch()
    for name in ("missing", "photos.tar", "broken.zip"):
        with pytest.raises(InvalidArgument):
            photos_in(tmp_path / name, load())
    with pytest.raises(InvalidArgument, match="root"):
        photos_in(tmp_path, load(), root=tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../x.png", "ann/../../x.png", "/etc/x.png", "ann\\..\\x.png", "C:/x.png", "\\\\a\\x.png"],
)
def test_a_name_that_leads_out_of_the_zip(name):
    with pytest.raises(InvalidArgument, match="leads out"):
        photos_in_zip(packed({"ann/1.png": b"", name: b""}), load())


def test_two_members_of_one_name():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("ann/1.png", b"a")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("ann/1.png", b"b")
    with pytest.raises(InvalidArgument, match="one name"):
        opened(out)


@pytest.mark.parametrize("keep", [0, 1, 30, -1, -10, -40])
def test_a_zip_that_is_cut_off(keep):
    data = packed({"ann/1.png": b"a" * 100}).getvalue()[: keep or None]
    with pytest.raises(InvalidArgument):
        opened(io.BytesIO(data if keep else b""))


def test_a_damaged_or_encrypted_member_is_an_image_error():
    data = bytearray(packed({"ann/1.png": b"a" * 100, "ann/2.png": b"b" * 100}).getvalue())
    data[data.index(b"a" * 100) + 50] ^= 1
    archive = opened(io.BytesIO(bytes(data)))
    with pytest.raises(ImageDecodeError):
        archive.reader("ann/1.png")()
    assert archive.reader("ann/2.png")() == b"b" * 100
    data = bytearray(packed({"ann/1.png": b"a"}).getvalue())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # encrypted
    with pytest.raises(ImageDecodeError):
        opened(io.BytesIO(bytes(data))).reader("ann/1.png")()
    with pytest.raises(ImageNotFound):
        archive.reader("ann/3.png")()


# ------------------------------------------------------------------ limits, at their edges


def test_members_at_the_limit_and_one_more():
    members = {f"ann/{i}.png": b"" for i in range(10)}
    assert len(opened(members).names) == 10
    with pytest.raises(InvalidArgument, match="more than 10"):
        opened({**members, "ann/x.png": b""})
    settings = load(bulk_max_photos=10)
    assert len(photos_in_zip(packed(members), settings)) == 10
    with pytest.raises(InvalidArgument, match="more than 10"):
        photos_in_zip(packed({**members, "ann/x.png": b""}), settings)


def test_bytes_of_a_member_and_of_all_at_the_limit_and_one_more():
    archive = opened({"ann/1": b"x" * 1000, "ann/2": b"x" * 1001}, max_bytes=2001)
    assert len(archive.reader("ann/1")()) == 1000
    with pytest.raises(ImageTooLarge):
        archive.reader("ann/2")()
    with pytest.raises(InvalidArgument, match="more than 2000 bytes"):
        opened({"ann/1": b"x" * 1000, "ann/2": b"x" * 1001}, max_bytes=2000)


def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = packed({"ann/1.png": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED)
    archive = opened(bomb, max_bytes=10**9, max_member_bytes=100_000)
    tracemalloc.start()
    with pytest.raises(ImageTooLarge):
        archive.reader("ann/1.png")()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_bomb_that_lies_about_its_size_does_not_fill_memory():
    data = bytearray(packed({"a/1.png": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED).getvalue())
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 1000)
    struct.pack_into("<L", data, 22, 1000)
    archive = opened(io.BytesIO(bytes(data)))
    tracemalloc.start()
    with pytest.raises(ImageDecodeError):
        archive.reader("a/1.png")()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_huge_list_of_members_is_refused_before_it_is_read():
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 100_000
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    tracemalloc.start()
    with pytest.raises(InvalidArgument, match="more than 10"):
        opened(io.BytesIO(directory + end))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000


def test_photos_of_a_zip_are_read_one_at_a_time():
    photos = photos_in_zip(packed({f"ann/{i}.png": b"x" * 10**6 for i in range(30)}), load())
    tracemalloc.start()
    for photo in photos:
        assert len(photo.image()) == 10**6
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
