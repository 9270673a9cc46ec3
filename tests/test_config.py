"""Settings: which file is read, and what is said of values that cannot be."""

from __future__ import annotations

import pytest

from mien import config
from mien.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MIEN_CONFIG", "MIEN_ACCEPT_LICENCES", "MIEN_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_the_named_file_is_read_instead_of_mien_toml(tmp_path, monkeypatch):
    (tmp_path / "mien.toml").write_text("port = 1")
    (tmp_path / "other.toml").write_text("port = 2")
    assert config.load().port == 1
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / "other.toml"))
    assert config.load().port == 2
    monkeypatch.setenv("MIEN_CONFIG", "")
    assert config.load().port == 1


@pytest.mark.parametrize("name", ["nope.toml", "."])
def test_a_named_file_must_be_there(tmp_path, monkeypatch, name):
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / name))
    with pytest.raises(ConfigurationError, match="MIEN_CONFIG") as caught:
        config.load()
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"port =", "other.toml cannot be read"),
        (b"\xff\xfe", "other.toml cannot be read"),
        (b'port = "eighty"', "MIEN_PORT or other.toml"),
        (b"prot = 1", "or other.toml"),
    ],
)
def test_an_error_names_the_file_that_was_read(tmp_path, monkeypatch, content, said):
    (tmp_path / "other.toml").write_bytes(content)
    monkeypatch.setenv("MIEN_CONFIG", str(tmp_path / "other.toml"))
    with pytest.raises(ConfigurationError) as caught:
        config.load()
    assert said in caught.value.message
    assert "mien.toml" not in caught.value.message
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("foo", ("foo",)),
        ("foo, embed/bar,", ("foo", "embed/bar")),
        ('["foo", "bar"]', ("foo", "bar")),
        ("", ()),
    ],
)
def test_licences_are_a_list_of_json_or_with_commas(monkeypatch, text, names):
    monkeypatch.setenv("MIEN_ACCEPT_LICENCES", text)
    assert config.load().accept_licences == names


@pytest.mark.parametrize("text", ['["foo"', "[1]"])
def test_a_list_that_is_none_names_the_setting(monkeypatch, text):
    monkeypatch.setenv("MIEN_ACCEPT_LICENCES", text)
    with pytest.raises(ConfigurationError, match="MIEN_ACCEPT_LICENCES"):
        config.load()


def test_licences_in_a_file_are_a_list(tmp_path):
    (tmp_path / "mien.toml").write_text('accept_licences = ["foo", "bar"]')
    assert config.load().accept_licences == ("foo", "bar")


@pytest.mark.parametrize("host", ["", "  "])
def test_an_empty_host_is_not_every_interface(monkeypatch, host):
    with pytest.raises(ConfigurationError, match="'host'"):
        config.load(host=host)
    monkeypatch.setenv("MIEN_HOST", host)
    with pytest.raises(ConfigurationError, match="'host'"):
        config.load()


def test_the_default_gallery_is_in_the_data_folder_whatever_its_name(tmp_path):
    from mien.gallery import Gallery

    folder = tmp_path / "a%41b 100%? 김"
    with Gallery.open(config.load(data_dir=folder).gallery_url):
        assert (folder / "gallery.db").is_file()
