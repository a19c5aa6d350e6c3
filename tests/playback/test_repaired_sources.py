"""What is played of a repaired file is what was described."""

import numpy as np
import pytest

from audio.read import read_audio
from playback.sources import SourceReader
from tests.audio.containers.made_files import (
    RATE,
    encoded,
    flac_without_total,
    id3,
    integers,
    mp3,
    ogg,
    sweep,
    wav,
    without_count,
)

SOUND = sweep(2)
STREAMED_AU = bytearray(encoded(SOUND, "AU", subtype="PCM_16"))
STREAMED_AU[8:12] = b"\xff" * 4
FLAC = encoded(SOUND, "FLAC", subtype="PCM_16")
FILES = {
    "pipe.wav": wav(integers(SOUND), stated=0x7FFFF000, riff=0x7FFFF024),
    "junk.wav": wav(integers(SOUND), after=b"\x80" * 99),
    "pad.wav": wav(integers(SOUND), before=b"note\3\0\0\0abc"),
    "pipe.au": bytes(STREAMED_AU),
    "pipe.flac": flac_without_total(FLAC),
    "two.flac": FLAC + FLAC,
    "tag.flac": id3((b"TIT2", b"\0x")) + FLAC,
    "chained.ogg": ogg(SOUND) + ogg(SOUND[::-1]),
    "two.mp3": mp3(SOUND) + mp3(SOUND),
    "pipe.mp3": without_count(mp3(SOUND)),
}


@pytest.mark.parametrize("rate", [RATE, 48000])
@pytest.mark.parametrize("name", FILES)
def test_parts_are_those_of_the_whole(tmp_path, name, rate):
    (tmp_path / name).write_bytes(FILES[name])
    whole = read_audio(tmp_path / name).samples
    with SourceReader(tmp_path, sample_rate=rate, channels=1) as sources:
        n_samples = sources.length(name)
        assert n_samples == -(-len(whole) * rate // RATE)
        if rate == RATE:
            for start in (0, 1, 5000, len(whole) // 2, len(whole) - 700):
                out = np.empty((700, 1), np.float32)
                sources.read_into(out, name, start)
                np.testing.assert_array_equal(out, whole[start : start + 700])
