"""What scripts/make/training_music.py does with notes, without its synthesiser."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from scripts.make.music.arrangement import (
    BASSES,
    FAMILIES,
    Part,
    drum_part,
    instrument_part,
    make_parts,
    next_program,
)
from scripts.make.music.score import (
    Note,
    Piece,
    excerpt,
    fold,
    in_seconds,
    perform,
    read_notes,
    sustain,
)
from scripts.make.music.sound import DRUM_CHANNEL, RENDER_RATE, choose_programs, trim


def message(kind, time, channel=0, note=60, velocity=0, **other):
    return SimpleNamespace(
        type=kind, time=time, channel=channel, note=note, velocity=velocity, **other
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def piece():
    """Twenty bars of four beats, half a second each, with a bass note on the first."""
    notes = [Note(beat / 2, beat / 2 + 0.4, 60 + beat % 12, 72, hand=1) for beat in range(80)]
    notes += [Note(2.0 * bar, 2.0 * bar + 1.5, 36, 72) for bar in range(20)]
    return Piece("twenty", sorted(notes, key=lambda note: note.start), 0.5, 2.0, {})


def test_notes_last_from_key_to_release_and_follow_the_volume():
    messages = [
        message("control_change", 0, control=7, value=50),
        message("note_on", 0, velocity=80),
        message("note_on", 240, channel=1, note=48, velocity=60),
        message("note_on", 240, velocity=0),  # a release in other words
        message("note_off", 240, channel=1, note=48),
        message("note_off", 0, channel=1, note=48),  # nothing rings
    ]
    assert read_notes(messages) == [Note(0, 480, 60, 40.0, 0), Note(240, 720, 48, 60.0, 1)]


def test_a_key_struck_again_ends_the_note_before():
    messages = [message("note_on", 0, velocity=80), message("note_on", 100, velocity=80)]
    assert read_notes(messages) == [Note(0, 100, 60, 80.0, 0)]


def test_the_lower_hand_is_the_one_with_lower_keys():
    notes = [Note(480, 960, 50, 80, hand=3), Note(0, 480, 70, 60, hand=1)]
    assert in_seconds(notes, 0.001) == [
        Note(0.0, 0.48, 70, 67, hand=1),
        Note(0.48, 0.96, 50, 77, hand=0),
    ]


def test_performed_notes_are_transposed_stretched_and_within_midi(piece, rng):
    played = perform(piece.notes, 5, 1.2, 60, rng)
    assert [note.key for note in played] == [note.key + 5 for note in piece.notes]
    late = np.array([note.start for note in played]) - [1.2 * note.start for note in piece.notes]
    assert 0.001 < np.abs(late).max() <= 0.015 + 1e-9
    assert all(15 <= note.velocity <= 122 for note in played)
    assert all(note.end >= note.start + 0.04 - 1e-9 for note in played)


def test_sustained_notes_ring_to_the_next_period_or_their_next_stroke():
    notes = [Note(0.0, 0.3, 60, 72), Note(0.5, 0.7, 60, 72), Note(0.0, 0.1, 64, 72)]
    notes.append(Note(0.0, 1.05, 67, 72))  # ends about where the pedal is lifted
    sustained = {(note.key, note.start): note.end for note in sustain(notes, 1.0)}
    assert sustained == {(60, 0.0): 0.49, (60, 0.5): 1.0, (64, 0.0): 1.0, (67, 0.0): 1.05}


@pytest.mark.parametrize(("key", "expected"), [(20, 44), (39, 51), (40, 40), (84, 84), (85, 73)])
def test_keys_are_folded_into_the_range_by_octaves(key, expected):
    (folded,) = fold([Note(0, 1, key, 72)], 40, 84)
    assert folded.key == expected


def test_excerpt_is_whole_bars_from_zero(piece, rng):
    for _ in range(20):
        notes, seconds = excerpt(piece, 1.0, rng)
        assert seconds % piece.bar == 0
        assert 10 <= seconds <= 38
        assert notes[0].start == 0
        assert max(note.end for note in notes) <= seconds


def test_deck_has_every_program_once_before_any_comes_again(rng):
    deck = []
    every = sum(family.last - family.first + 1 for family in FAMILIES.values())
    assert len({next_program(deck, rng) for _ in range(every)}) == every
    assert not deck


def test_an_instrument_plays_in_its_range(piece, rng):
    part = instrument_part(piece.notes, 33, 2.0, rng)
    assert all(28 <= note.key <= 55 for note in part.notes)
    assert len(part.notes) == len(piece.notes)


def test_a_bass_plays_the_lower_hand(piece, rng):
    found = 0
    for _ in range(300):
        parts = [part for part in make_parts(piece, [], rng) if not part.drums]
        if len(parts) > 1 and any(part.program in BASSES for part in parts):
            found += 1
            assert parts[0].program in BASSES
            assert {note.hand for note in parts[0].notes} == {0}
    assert found


def test_drums_last_as_long_as_asked_and_begin_with_a_kick(rng):
    part = drum_part(2.0, 16, 9.0, rng)
    assert part.drums
    assert part.notes[0].key == 36
    assert 8 < max(note.start for note in part.notes) < 9.1


def test_drums_play_on_their_channel_and_no_other_part_does():
    chosen = {}
    bends = {}
    synth = SimpleNamespace(
        program_select=lambda channel, font, bank, *_: chosen.update({channel: bank}),
        control_change=lambda *arguments: None,
        pitchbend=lambda channel, value: bends.update({channel: value}),
    )
    parts = [Part([Note(0, 1, key, 72)], key, drums=key == 36) for key in (60, 36, 61)]
    parts[1] = replace(parts[1], semitones=-1.0)
    events = choose_programs(synth, parts)
    channels = {key: channel for _, _, channel, key, _ in events}
    assert channels[36] == DRUM_CHANNEL
    assert chosen == {channels[60]: 0, DRUM_CHANNEL: 128, channels[61]: 0}
    assert channels[60] != channels[61] != DRUM_CHANNEL
    assert bends == {channels[60]: 8192, DRUM_CHANNEL: 4096, channels[61]: 8192}
    assert sorted(events)[-1][0] == RENDER_RATE


def test_trim_keeps_what_is_heard():
    samples = np.concatenate([np.zeros(5), [0.5, 0.0, -1.0], np.full(7, 5e-4)])
    np.testing.assert_array_equal(trim(samples), [0.5, 0.0, -1.0])
