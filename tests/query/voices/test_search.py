from itertools import pairwise

import numpy as np
import pytest

from db.bands import Bands
from files.errors import ParameterError
from query.filters import Filters, parse_condition
from query.index import UnitIndex
from query.options import PathOptions
from query.rules import REST
from query.space import Space
from query.voices.fit import divergences
from query.voices.search import VoicePath, VoiceSearch
from query.voices.spectra import UnitSpectra
from query.voices.target import VoiceTarget
from tests.query.voices.conftest import HOP, target_of

STEPS = 30


@pytest.fixture(scope="module")
def mixes(sounds):
    """Two sounds of the corpus from some frame on, half as loud, together."""

    def mix(one: str, first: int, other: str, other_first: int) -> np.ndarray:
        parts = sounds[one][first * HOP :], sounds[other][other_first * HOP :]
        return 0.5 * parts[0][: STEPS * HOP] + 0.5 * parts[1][: STEPS * HOP]

    return mix


@pytest.fixture
def loop_and_choir(mixes, database) -> VoiceTarget:
    return target_of(mixes("ambi_choir", 10, "loop_amen", 20), database)


def search(
    index: UnitIndex, spectra: UnitSpectra, target: VoiceTarget, locked=(), **options
) -> VoiceSearch:
    return VoiceSearch(
        index,
        spectra,
        target,
        index.database.descriptors[: len(target)],
        PathOptions(**options),
        step_samples=np.full(len(target), HOP),
        locked=locked,
    )


def first_unit(index: UnitIndex, name: str) -> int:
    paths = [source.path for source in index.database.sources]
    return int(np.flatnonzero(index.database.units.source == paths.index(f"{name}.wav"))[0])


def divergence(voices: list[VoicePath], spectra: UnitSpectra, target: VoiceTarget) -> float:
    total = np.zeros_like(target.spectra)
    for voice in voices:
        rows = voice.gains[:, None] * spectra.rows(np.maximum(voice.path.positions, 0))
        rows[voice.path.positions == REST] = 0
        total += rows
    return float(divergences(target.spectra, total).mean())


@pytest.mark.parametrize(
    "parts", [("ambi_choir", 10, "loop_amen", 20), ("ambi_piano", 3, "perc_bell", 5)]
)
def test_the_mix_of_two_sounds_is_found_as_these_two(index, spectra, mixes, database, parts):
    one, first, other, other_first = parts
    target = target_of(mixes(*parts), database)
    voices = search(index, spectra, target).run(2)
    steps = np.arange(STEPS)
    wanted = np.stack(
        [
            first_unit(index, one) + first + steps,
            first_unit(index, other) + other_first + steps,
        ]
    )
    found = np.stack([voice.path.positions for voice in voices])
    assert (np.sort(found, axis=0) == np.sort(wanted, axis=0)).all(axis=0).mean() >= 0.9
    np.testing.assert_allclose(np.median([voice.gains for voice in voices], axis=1), 0.5, atol=0.1)
    runs = [(np.diff(path) == 1).mean() for path in found]
    assert min(runs) > 0.7  # each voice keeps to one of the sounds


def test_more_voices_fit_better(index, spectra, database, sounds):
    target = target_of(sum(sounds[name][: STEPS * HOP] for name in list(sounds)[:4]), database)
    fits = [
        divergence(search(index, spectra, target).run(number), spectra, target)
        for number in (1, 2, 4)
    ]
    assert all(more < 0.8 * fewer for fewer, more in pairwise(fits))


def test_the_same_search_gives_the_same_bytes(index, spectra, loop_and_choir):
    runs = [search(index, spectra, loop_and_choir).run(3) for _ in range(2)]
    for one, other in zip(*runs, strict=True):
        assert one.path.positions.tobytes() == other.path.positions.tobytes()
        assert one.gains.tobytes() == other.gains.tobytes()
        assert one.path.cost == other.path.cost


def test_no_unit_sounds_in_two_voices_at_once(index, spectra, loop_and_choir):
    voices = search(index, spectra, loop_and_choir).run(6)
    for units in np.stack([voice.path.positions for voice in voices], axis=1):
        played = units[units != REST]
        assert len(np.unique(played)) == len(played)


def test_rules_are_kept_in_each_voice(index, spectra, loop_and_choir):
    seconds = HOP / 44100
    voices = search(
        index, spectra, loop_and_choir, min_reuse=12.5 * seconds, max_run=4.5 * seconds, k=48
    ).run(3)
    for voice in voices:
        path = voice.path.positions
        for step in range(STEPS):
            window = path[max(step - 12, 0) : step]
            assert path[step] == REST or path[step] not in window
        longest = run = 1
        for before, unit in pairwise(path):
            run = run + 1 if unit == before + 1 and unit != REST else 1
            longest = max(longest, run)
        assert longest <= 4


def test_min_reuse_holds_at_any_transposition(copies, loop_and_choir):
    shifted, spectra = copies
    index = UnitIndex(Space(shifted))
    for voice in search(index, spectra, loop_and_choir, min_reuse=0.3, k=48).run(3):
        path = voice.path.positions
        units = np.where(path == REST, REST, path % spectra.n_units)
        for step, unit in enumerate(units.tolist()):
            assert unit == REST or unit not in units[max(step - 12, 0) : step]


def test_novelty_makes_voices_use_more_units(index, spectra, database, sounds):
    steady = sounds["bass_trance_c"][20 * HOP : 28 * HOP]
    target = target_of(np.tile(steady, 12), database)
    used = [
        sum(
            len(np.unique(voice.path.positions))
            for voice in search(index, spectra, target, novelty=novelty).run(2)
        )
        for novelty in (0.0, 4.0)
    ]
    assert used[1] > 1.2 * used[0]


def test_only_units_that_pass_the_filters_are_played(database, spectra, loop_and_choir):
    filters = Filters(sources=("*amen*", "tabla*"), where=(parse_condition("start_s<=0.5"),))
    index = UnitIndex(Space(database), filters=filters)
    for voice in search(index, spectra, loop_and_choir).run(3):
        played = voice.path.positions[voice.path.positions != REST]
        assert index.allowed[played].all()


def test_locked_steps_stay_and_the_others_are_chosen_with_them(index, spectra, loop_and_choir):
    bell = first_unit(index, "perc_bell") + 2
    locked = ({4: bell, 5: REST}, {4: bell + 1})
    voices = search(index, spectra, loop_and_choir, locked=locked).run(2)
    assert voices[0].path.positions[[4, 5]].tolist() == [bell, REST]
    assert voices[1].path.positions[4] == bell + 1
    assert voices[1].path.positions[5] != REST
    assert voices[0].path.rules.locked == {4: bell, 5: REST}


def test_silence_is_a_rest_in_all_voices(index, spectra, mixes, database):
    sound = mixes("ambi_choir", 10, "loop_amen", 20)
    sound[10 * HOP : 20 * HOP] = 0
    target = target_of(sound, database)
    assert target.silent[12:18].all()
    for voice in search(index, spectra, target).run(2):
        assert (voice.path.positions[target.silent] == REST).all()
        assert not voice.path.distances[target.silent].any()
        assert (voice.path.positions[:8] != REST).any()


def test_voices_that_are_not_needed_rest(index, spectra, database, sounds):
    target = target_of(sounds["ambi_piano"][5 * HOP : 35 * HOP], database)
    voices = search(index, spectra, target).run(6)
    assert (voices[0].path.positions != REST).all()
    assert np.mean([voice.path.positions == REST for voice in voices[1:]]) > 0.1


def test_variations_differ(index, spectra, loop_and_choir):
    one = search(index, spectra, loop_and_choir)
    first, second = one.run(2), one.run(2)
    for before in first:
        for after in second:
            both = before.path.positions != REST
            assert (before.path.positions == after.path.positions)[both].mean() < 0.2


def test_joins_are_those_of_what_is_played(index, spectra, loop_and_choir):
    for voice in search(index, spectra, loop_and_choir, max_run=0.1).run(2):
        path = voice.path
        goes_on = index.database.units.successors(path.positions[:-1]) == path.positions[1:]
        goes_on &= path.positions[1:] != REST
        assert (path.joins[1:][goes_on] == 0).all()
        assert (path.joins[1:][(path.positions[1:] != REST) & ~goes_on] > 0).any()


@pytest.mark.parametrize("kind", ["onset", "fixed:100", "beat"])
def test_longer_units_may_be_voices(build, sounds, kind):
    names = ("loop_amen", "tabla_ghe3", "ambi_choir", "perc_bell")
    database = build(*names, units=kind)
    spectra = UnitSpectra(Bands(database))
    index = UnitIndex(Space(database))
    units = np.flatnonzero(database.units.samples_left >= 3000)[:6]
    target = VoiceTarget(spectra.rows(units), spectra.f0(units))
    voices = VoiceSearch(
        index,
        spectra,
        target,
        database.rows_at(units),
        PathOptions(),
        step_samples=np.full(len(units), 3000),
    ).run(2)
    assert voices[0].path.n_samples.tolist() == [3000] * len(units)
    assert np.isin(units, [voice.path.positions for voice in voices]).mean() > 0.6
    for voice in voices:
        played = voice.path.positions[voice.path.positions != REST]
        assert (database.units.samples_left[played] >= 3000).all()


def test_more_voices_than_units_raise(database, spectra, loop_and_choir):
    where = (parse_condition("start_s<=0"),)
    index = UnitIndex(Space(database), filters=Filters(sources=("*amen*",), where=where))
    with pytest.raises(
        ParameterError, match=r"voices=2: only 1 units? may be played; ask for fewer voices, or re"
    ):
        search(index, spectra, loop_and_choir).run(2)


def test_steps_longer_than_all_sources_raise(index, spectra, loop_and_choir):
    with pytest.raises(
        ParameterError,
        match=r"the longest step lasts 200000 samples, but no unit .* more than 132300 to the end",
    ):
        VoiceSearch(
            index,
            spectra,
            loop_and_choir,
            index.database.descriptors[:STEPS],
            PathOptions(),
            step_samples=np.full(STEPS, 200_000),
        )


def test_contradictory_rules_raise(build, loop_and_choir):
    database = build("loop_amen")
    spectra = UnitSpectra(Bands(database))
    filters = Filters(where=(parse_condition("start_s<=0.1"),))
    index = UnitIndex(Space(database), filters=filters)
    message = "voice 0: step 5: min_reuse=9 s leaves none of 5 candidates"
    with pytest.raises(ParameterError, match=message):
        search(index, spectra, loop_and_choir, min_reuse=9.0).run(2)


def test_a_corpus_of_one_unit_is_played_by_one_voice(build, loop_and_choir):
    database = build("loop_amen")
    spectra = UnitSpectra(Bands(database))
    filters = Filters(where=(parse_condition("start_s<=0"),))
    index = UnitIndex(Space(database), filters=filters)
    (voice,) = search(index, spectra, loop_and_choir).run(1)
    assert (voice.path.positions == 0).all()


def test_k_larger_than_the_corpus_raises(index, spectra, loop_and_choir):
    with pytest.raises(ParameterError, match=r"k=99999 must be between 1 and \d+"):
        search(index, spectra, loop_and_choir, k=99_999).run(2)
