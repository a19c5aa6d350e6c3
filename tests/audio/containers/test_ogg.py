import numpy as np
import pytest

from audio.read import probe, read_audio, read_mono
from files.errors import AudioError
from tests.audio.containers.made_files import (
    ID3V1,
    RATE,
    changed_page,
    encoded,
    flac_without_total,
    ogg,
    ogg_pages,
    slow_checksum,
    sweep,
)

SOUND = np.stack([sweep(4), sweep(4)[::-1]], axis=1)
VORBIS = ogg(SOUND)
OPUS = ogg(sweep(2, 48000), "OPUS", 48000)
UNMARKED = ("its end is not marked: it may have been cut off",)


def read(folder, content):
    (folder / "x.ogg").write_bytes(content)
    samples = read_audio(folder / "x.ogg").samples
    info = probe(folder / "x.ogg")
    assert len(samples) == info.n_samples
    return samples, info.warnings


def in_ogg(flac, granules):
    """A FLAC file as Ogg FLAC: a page for each packet, of which `granules` has the last sample."""
    head = b"\x7fFLAC\x01\0\0\x01" + flac[:42]
    audio = flac[flac.index(b"\xff\xf8", 42) :]
    starts = [
        at
        for at in range(len(audio) - 3)
        if audio[at : at + 2] == b"\xff\xf8" and audio[at + 3] == audio[3]
    ]
    assert len(starts) == len(granules)
    comment = b"\x84\0\0\x08" + bytes(8)
    packets = [audio[a:b] for a, b in zip(starts, [*starts[1:], len(audio)], strict=True)]
    pages = []
    for number, (packet, granule) in enumerate(
        zip([head, comment, *packets], [0, 0, *granules], strict=True)
    ):
        lengths = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        page = b"OggS\0" + bytes(21) + bytes([len(lengths)]) + lengths + packet
        flags = 2 if number == 0 else 4 if number == len(packets) + 1 else 0
        pages.append(changed_page(page, flags=flags, granule=granule, serial=7, number=number))
    return b"".join(pages)


def test_checksums_are_those_of_the_standard():
    for page in ogg_pages(VORBIS)[:3]:
        assert slow_checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(
            page[22:26], "little"
        )


@pytest.mark.parametrize(("content", "n_samples"), [(VORBIS, 4 * RATE), (OPUS, 2 * 48000)])
def test_healthy_file(tmp_path, content, n_samples):
    samples, warnings = read(tmp_path, content)
    assert (len(samples), warnings) == (n_samples, ())


def test_streams_one_after_the_other_are_all_read(tmp_path):
    first = read(tmp_path, VORBIS)[0]
    other = read(tmp_path, ogg(SOUND[::-1]))[0]
    samples, warnings = read(tmp_path, VORBIS + ogg(SOUND[::-1]) + VORBIS)
    np.testing.assert_array_equal(samples, np.concatenate([first, other, first]))
    assert warnings == ("3 Ogg streams one after the other: all were read",)


def test_chained_opus(tmp_path):
    first = read(tmp_path, OPUS)[0]
    np.testing.assert_array_equal(read(tmp_path, OPUS + OPUS)[0], np.concatenate([first, first]))


def test_chained_mono_is_that_of_all_streams(tmp_path):
    (tmp_path / "x.ogg").write_bytes(VORBIS + VORBIS)
    samples = read_audio(tmp_path / "x.ogg").samples
    mono, info = read_mono(tmp_path / "x.ogg")
    np.testing.assert_array_equal(mono, (samples[:, 0] + samples[:, 1]) / 2)
    assert info.n_samples == len(mono)


def test_streams_of_another_rate_are_refused(tmp_path):
    with pytest.raises(AudioError, match=r"its parts differ \(22050 Hz and 44100 Hz\); cut it"):
        read(tmp_path, VORBIS + ogg(SOUND, rate=22050))


def test_mono_stream_is_on_both_channels_beside_stereo(tmp_path):
    stereo = read(tmp_path, VORBIS)[0]
    mono = read(tmp_path, ogg(SOUND[:, 0]))[0]
    samples, warnings = read(tmp_path, ogg(SOUND[:, 0]) + VORBIS)
    np.testing.assert_array_equal(samples, np.concatenate([np.repeat(mono, 2, axis=1), stereo]))
    assert "its parts have 1 and 2 channels: read as 2" in warnings


def test_pages_marked_as_the_last_too_early_do_not_end_it(tmp_path):
    whole = read(tmp_path, VORBIS)[0]
    *pages, a, b, last = ogg_pages(VORBIS)
    marked = b"".join([*pages, changed_page(a, flags=4), changed_page(b, flags=4), last])
    samples, warnings = read(tmp_path, marked)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


def test_sound_in_front_of_sample_0(tmp_path):
    whole = read(tmp_path, VORBIS)[0]
    pages = ogg_pages(VORBIS)
    granules = [int.from_bytes(page[6:14], "little", signed=True) for page in pages]
    cut = next(granule for granule in granules if granule > 0) + 104
    moved = [
        changed_page(page, granule=granule - cut) if granule > 0 else page
        for page, granule in zip(pages, granules, strict=True)
    ]
    samples, warnings = read(tmp_path, b"".join(moved))
    assert len(whole) - cut <= len(samples) <= len(whole)
    assert warnings == ()


@pytest.mark.parametrize("rate", [0, 8000, 16000])
def test_opus_is_decoded_at_48_khz_whatever_it_was_made_from(tmp_path, rate):
    whole = read(tmp_path, OPUS)[0]
    first, *others = ogg_pages(OPUS)
    at = first.index(b"OpusHead") + 12
    stated = first[:at] + rate.to_bytes(4, "little") + first[at + 4 :]
    samples, warnings = read(tmp_path, changed_page(stated) + b"".join(others))
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


def test_opus_that_ends_with_an_empty_page(tmp_path):
    whole = read(tmp_path, OPUS)[0]
    *pages, last = ogg_pages(OPUS)
    number = int.from_bytes(last[18:22], "little") + 1
    empty = changed_page(last[:26] + b"\0", number=number)
    samples, _ = read(tmp_path, b"".join([*pages, changed_page(last, flags=0), empty]))
    np.testing.assert_array_equal(samples, whole)


def test_opus_whose_last_page_is_stated_longer(tmp_path):
    *pages, last = ogg_pages(OPUS)
    granule = int.from_bytes(last[6:14], "little")
    packets_stop = granule + -granule % 480  # of 10 ms

    def stated(excess):
        return b"".join([*pages, changed_page(last, granule=packets_stop + excess)])

    exact, _ = read(tmp_path, stated(0))
    samples, warnings = read(tmp_path, stated(10))
    np.testing.assert_array_equal(samples, np.concatenate([exact, np.zeros((10, 1))]))
    assert warnings == ()
    assert len(read(tmp_path, stated(119))[0]) == len(exact) + 119
    with pytest.raises(AudioError, match=f"but {len(exact)} can be read"):
        read(tmp_path, stated(120))  # a packet may have been lost


def test_unmarked_end_is_told(tmp_path):
    for content in (VORBIS, OPUS):
        whole = read(tmp_path, content)[0]
        *pages, last = ogg_pages(content)
        samples, warnings = read(tmp_path, b"".join([*pages, changed_page(last, flags=0)]))
        np.testing.assert_array_equal(samples, whole)
        assert warnings == UNMARKED


def test_file_cut_between_pages_is_told(tmp_path):
    pages = ogg_pages(VORBIS)
    samples, warnings = read(tmp_path, b"".join(pages[: len(pages) // 2]))
    assert 0 < len(samples) < len(SOUND)
    assert warnings == UNMARKED


def test_file_cut_within_a_page_is_refused(tmp_path):
    with pytest.raises(AudioError, match="x.ogg: truncated, its last page is incomplete; copy"):
        read(tmp_path, VORBIS[:-100])


@pytest.mark.parametrize("content", [VORBIS, OPUS])
def test_page_that_is_lost_is_named(tmp_path, content):
    pages = ogg_pages(content)
    for lost in range(3, len(pages)):
        without = b"".join(pages[:lost] + pages[lost + 1 :])
        if lost < len(pages) - 1:
            with pytest.raises(AudioError, match=f"1 page is missing after page {lost - 1}, at by"):
                read(tmp_path, without)
        else:
            assert read(tmp_path, without)[1] == UNMARKED


def test_page_that_is_altered_or_out_of_order_is_named(tmp_path):
    pages = ogg_pages(VORBIS)
    for number, page in enumerate(pages):
        altered = page[:-1] + bytes([page[-1] ^ 1])
        named = rf"damaged, page {number}, at byte \d+, does not match its checksum"
        with pytest.raises(AudioError, match=f"{named}|promises {len(SOUND)} samples but"):
            read(tmp_path, b"".join([*pages[:number], altered, *pages[number + 1 :]]))
    with pytest.raises(AudioError, match="damaged, its pages are out of order after page 4"):
        read(tmp_path, b"".join([*pages[:5], pages[4], *pages[5:]]))


def test_recording_of_a_running_stream_is_read(tmp_path):
    pages = ogg_pages(VORBIS)
    samples, warnings = read(tmp_path, b"".join(pages[:2] + pages[4:]))
    assert 0 < len(samples) < len(SOUND)
    assert warnings == ("it begins in the midst of a stream: 2 pages are missing before that",)


def test_stream_among_others_is_read(tmp_path):
    whole = read(tmp_path, VORBIS)[0]
    first, *pages = ogg_pages(VORBIS)
    skeleton = b"OggS\0" + bytes(21) + b"\x01\x08fishead\0"
    other = [
        changed_page(skeleton, flags=flags, serial=99, number=n) for n, flags in ((0, 2), (1, 4))
    ]
    content = b"".join([other[0], first, *pages[:3], other[1], *pages[3:]])
    samples, warnings = read(tmp_path, content)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


def test_what_lies_between_or_after_pages_is_told(tmp_path):
    whole = read(tmp_path, VORBIS)[0]
    pages = ogg_pages(VORBIS)
    for content in (
        VORBIS + b"some text",
        b"".join([*pages[:4], b"some text", *pages[4:]]),
    ):
        samples, warnings = read(tmp_path, content)
        np.testing.assert_array_equal(samples, whole)
        assert warnings == ("9 bytes between or after its pages are no Ogg: left out",)
    samples, warnings = read(tmp_path, VORBIS + ID3V1)
    np.testing.assert_array_equal(samples, whole)
    assert warnings == ()


@pytest.mark.parametrize("total", [1, 0])
def test_ogg_flac(tmp_path, total):
    flac = encoded(SOUND[:, 0], "FLAC", subtype="PCM_16")
    flac = flac if total else flac_without_total(flac)
    granules = [*range(4096, len(SOUND), 4096), len(SOUND)]
    (tmp_path / "x.flac").write_bytes(encoded(SOUND[:, 0], "FLAC", subtype="PCM_16"))
    expected = read_audio(tmp_path / "x.flac").samples
    content = in_ogg(flac, granules)
    samples, warnings = read(tmp_path, content)
    np.testing.assert_array_equal(samples, expected)
    assert warnings == ()
    assert len(read(tmp_path, content + content)[0]) == 2 * len(expected)
    cut = b"".join(ogg_pages(content)[:-3])
    if total:
        with pytest.raises(AudioError, match=f"promises {len(SOUND)} samples but"):
            read(tmp_path, cut)
    else:
        assert read(tmp_path, cut)[1] == UNMARKED


@pytest.mark.parametrize(
    ("packet", "kind"), [(b"Speex   " + bytes(72), "Speex"), (b"\x80theora", "Theora video")]
)
def test_other_encodings_are_named(tmp_path, packet, kind):
    page = b"OggS\0" + bytes(21) + bytes([1, len(packet)]) + packet
    with pytest.raises(
        AudioError, match=f"x.ogg: holds {kind} in Ogg, which cannot be decoded; ex"
    ):
        read(tmp_path, changed_page(page, flags=6))


def test_file_without_beginning_is_refused(tmp_path):
    with pytest.raises(AudioError, match="the page at byte 0 belongs to a stream that never began"):
        read(tmp_path, b"".join(ogg_pages(VORBIS)[2:]))
    with pytest.raises(AudioError, match="truncated, it ends in its header"):
        read(tmp_path, ogg_pages(VORBIS)[0])


@pytest.mark.parametrize("content", [VORBIS, OPUS])
def test_last_page_that_ends_before_the_others_is_refused(tmp_path, content):
    *pages, last = ogg_pages(content)
    (tmp_path / "x.ogg").write_bytes(b"".join([*pages, changed_page(last, granule=1000)]))
    with pytest.raises(AudioError, match=r"damaged, its last page ends at sample 1000 after one"):
        probe(tmp_path / "x.ogg")
