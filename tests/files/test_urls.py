"""URLs of corpus folders: which are taken, and that none may hold a secret."""

import sys
from pathlib import Path

import pytest

from files.errors import ParameterError
from files.remote import RemoteFolder
from files.roots import Roots, folder_of
from files.urls import check_url, is_url, without_secrets

SECRET = "geheim"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://Bucket/a b/Ü/", "s3://Bucket/a b/Ü"),
        ("gs://bucket/x", "gs://bucket/x"),
        ("abfs://container@account.dfs.core.windows.net/x", None),
        ("sftp://anna@archive.example/music", None),
        ("s3://bucket/name@home", None),
    ],
)
def test_urls_of_folders(text, url):
    assert is_url(text)
    assert check_url(text) == (url or text)
    assert str(folder_of(text)) == (url or text)


@pytest.mark.parametrize(
    "text", ["sounds", "/sounds", "a:b/c", "codec:shipped", "", "://x", "1://x"]
)
def test_paths_are_no_urls(text):
    assert not is_url(text)
    assert folder_of(text) == Path(text)


@pytest.mark.parametrize("text", ["file:///my/sounds", "FILE:///my/sounds", "local:///my/sounds"])
def test_a_url_of_a_file_is_a_path(text):
    assert folder_of(text) == Path("/my/sounds")


@pytest.mark.parametrize(
    "text",
    [
        f"s3://KEY:{SECRET}@bucket/x",
        f"s3://KEY:abc/{SECRET}/+@bucket/x",
        f"s3://{SECRET}@bucket",
        f"https://anna:{SECRET}@archive.example/music",
        f"https://{SECRET}@archive.example/music",
        f"sftp://anna:{SECRET}@archive.example/music",
        f"sftp://anna%3A{SECRET}@archive.example/music",
        f"https://archive.example/music?X-Amz-Signature={SECRET}",
        f"s3://bucket/x?access_key={SECRET}",
        f"abfs://container@account/x?sig={SECRET}",
        f"simplecache::s3://KEY:{SECRET}@bucket",
        f"zip://x::s3://KEY:{SECRET}@bucket",
    ],
)
def test_credentials_are_refused_and_not_repeated(text):
    with pytest.raises(ParameterError) as caught:
        RemoteFolder(text)
    assert SECRET not in str(caught.value)
    assert "URL" in str(caught.value)


@pytest.mark.parametrize("text", ["s3://", "s3:///", "gs:////"])
def test_a_url_that_names_nothing_is_refused(text):
    with pytest.raises(ParameterError, match="names no folder"):
        check_url(text)


def test_no_secret_is_left_in_a_text():
    text = f"GET https://anna:{SECRET}@a.example/b?sig={SECRET}&x=1 (s3://{SECRET}@c/d) failed"
    assert without_secrets(text) == "GET https://a.example/b (s3://c/d) failed"


def test_roots_may_be_of_both_kinds():
    roots = Roots({"here": "sounds", "there": "s3://bucket/sounds"})
    assert str(roots) == "sounds, s3://bucket/sounds"
    assert (roots.is_remote("here:x.wav"), roots.is_remote("there:x.wav")) == (False, True)
    assert roots.absolute().folders["there"] == RemoteFolder("s3://bucket/sounds")
    assert roots.missing() == [Path("sounds")]


def test_what_is_not_installed_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ParameterError, match=r"not installed .*gcsfs.*pip install .*s3fs"):
        RemoteFolder("gcs://bucket/x").list()
