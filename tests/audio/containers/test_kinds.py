import pytest

from audio.read import probe, read_audio
from files.errors import AudioError
from tests.audio.containers.made_files import encoded, mp3, sweep

SOUND = sweep(1)


def refused(folder, content, name="x.mp3"):
    (folder / name).write_bytes(content)
    with pytest.raises(AudioError) as error:
        probe(folder / name)
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\0\0\0\x20ftypM4A " + bytes(4000), "AAC or ALAC in an MP4 container"),
        (b"\xff\xf1\x50\x80" + bytes(4000), "AAC"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(99), "Windows Media (WMA)"),
        (bytes.fromhex("1a45dfa3") + bytes(99), "a Matroska or WebM container"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI film"),
        (b"wvpk" + bytes(99), "WavPack"),
        (b"MAC \x96\x0f", "Monkey's Audio"),
        (b"#!AMR\n", "AMR"),
    ],
)
def test_audio_that_is_not_decoded_is_named_with_the_way_to_convert(tmp_path, content, kind):
    assert refused(tmp_path, content) == (
        f"x.mp3: is {kind}, which is not decoded; convert it first, e.g. ffmpeg -i x.mp3 x.flac"
    )


def test_command_to_convert_can_be_pasted(tmp_path):
    content = b"\0\0\0\x20ftypM4A " + bytes(4000)
    message = refused(tmp_path, content, "my song's.flac")
    assert message.endswith("""ffmpeg -i 'my song'"'"'s.flac' 'my song'"'"'s.wav'""")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html><html>404 not found</html>" * 50, "it is HTML, a page of the web"),
        (b"\n  <html><body>", "it is HTML, a page of the web"),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 40, "it is a program"),
        (b"#!/bin/sh\necho hello\n", "it is a script"),
        (b"PK\x03\x04" + bytes(99), "it is a ZIP archive"),
        (b"song.mp3".ljust(257, b"\0") + b"ustar\0".ljust(255, b"\0"), "it is a tar archive"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "it is a JPEG picture"),
        (b"MThd\0\0\0\x06", "it is MIDI: notes, no sound"),
        (bytes(10_000), "it begins with zeros only"),
        ("Ein Lied, zwo, drei: große Töne\n".encode() * 99, "it is text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"\x00\x05\x16\x07\x00\x02", "it is what macOS keeps beside a file"),
        (bytes(range(256)) * 40, "its kind is not known"),
    ],
)
@pytest.mark.parametrize("name", ["x.mp3", "x.wav", "x.m4a"])
def test_what_is_no_audio_is_named(tmp_path, content, kind, name):
    assert refused(tmp_path, content, name).startswith(f"{name}: not readable as audio ({kind}")


@pytest.mark.parametrize("name", ["x.m4a", "x.wma", "x.mp3", "x.flac", "x", "x.txt"])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "AIFF", "MP3"])
def test_content_counts_not_the_name(tmp_path, name, container):
    content = mp3(SOUND) if container == "MP3" else encoded(SOUND, container)
    (tmp_path / name).write_bytes(content)
    assert len(read_audio(tmp_path / name).samples) == len(SOUND)
    assert probe(tmp_path / name).format == container


@pytest.mark.parametrize("n_bytes", [1, 3, 4, 11, 12, 13, 20])
@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "AIFF", "W64", "AU", "CAF", "MP3"])
def test_first_bytes_alone_are_refused(tmp_path, container, n_bytes):
    content = mp3(SOUND) if container == "MP3" else encoded(SOUND, container)
    assert refused(tmp_path, content[:n_bytes]).startswith("x.mp3: ")
