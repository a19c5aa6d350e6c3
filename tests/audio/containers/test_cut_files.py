"""No file that has lost its end is taken for a whole one, wherever it was cut."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.read import probe, read_audio, read_mono
from files.errors import AudioError
from tests.audio.containers.made_files import ID3V1, encoded, mp3, ogg, sweep

STEREO = np.stack([sweep(1), sweep(1)[::-1]], axis=1)
FILES = {
    "wav": encoded(STEREO, "WAV", subtype="PCM_16"),
    "wavex": encoded(STEREO, "WAVEX", subtype="PCM_24"),
    "rf64": encoded(STEREO, "RF64", subtype="FLOAT"),
    "w64": encoded(STEREO, "W64", subtype="PCM_16"),
    "aiff": encoded(STEREO, "AIFF", subtype="PCM_24"),
    "aifc": encoded(STEREO, "AIFF", subtype="FLOAT"),
    "au": encoded(STEREO, "AU", subtype="PCM_16"),
    "caf": encoded(STEREO, "CAF", subtype="PCM_16"),
    "adpcm": encoded(STEREO, "WAV", subtype="IMA_ADPCM"),
    "gsm": encoded(STEREO[:, 0], "WAV", 8000, subtype="GSM610"),
    "flac": encoded(STEREO, "FLAC", subtype="PCM_16"),
    "vorbis": ogg(STEREO),
    "chained": ogg(STEREO) + ogg(STEREO[::-1]),
    "opus": ogg(STEREO, "OPUS", 48000),
    "mp3": mp3(STEREO),
    "vbr": mp3(STEREO, variable=True),
    "two mp3": mp3(STEREO) + ID3V1 + mp3(STEREO[::-1]),
    "lsf": mp3(STEREO, 22050),
}


def length(content):
    """Return the length of a file; None if it is refused in one line, or comes with a warning."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(content)
        try:
            samples = read_audio(path).samples
            mono, info = read_mono(path)
        except AudioError as error:
            return None if re.fullmatch("x: [^\n]+", str(error)) else -1
        assert len(samples) == len(mono) == info.n_samples == probe(path).n_samples
        return None if info.warnings else len(samples)


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data())
def test_cut_file_is_refused_or_told(kind, data):
    content = FILES[kind]
    n_kept = data.draw(st.integers(0, len(content) - 1))
    found = length(content[:n_kept])
    # the first of two files is whole
    assert found is None or found == len(STEREO) or found == length(content)


# an uncounted MP3 without some of its frames is a shorter one
@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "vbr"])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(data=st.data())
def test_file_with_a_hole_is_refused_or_told_or_keeps_its_length(kind, data):
    content = FILES[kind]
    start = data.draw(st.integers(0, len(content) - 1))
    n_lost = data.draw(st.integers(1, 5000))
    found = length(content[:start] + content[start + n_lost :])
    assert found is None or found >= len(STEREO)
