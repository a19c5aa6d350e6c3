"""`demiurge render` with parts of the seed itself, and with sources transposed to its key."""

import json
import shlex
from itertools import combinations, pairwise

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from db.database import Database
from db.sequence_file import save_sequence
from demiurge import continuation
from demiurge.bundled import CORPUS_DIR, SEED_FILE
from demiurge.cli import main
from playback.plan import Plan
from playback.steps import NO_UNIT

SOUNDS = ("ambi_piano", "bass_trance_c", "bass_voxy_c", "ambi_choir", "bd_808", "elec_bell")

# of 80 units in 4 s, the only source that is left has 57, and the seed 60
FILTERED = "--source ambi_piano.ogg --min-reuse 4"


def run(line: str, expect: int = 0) -> str:
    result = CliRunner().invoke(main, shlex.split(line))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == expect, result.output
    return result.output


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed")
    (folder / "in").mkdir()
    for name in SOUNDS:
        (folder / "in" / f"{name}.ogg").write_bytes((CORPUS_DIR / f"{name}.ogg").read_bytes())
    for name, descriptors in (("my", "mfcc,chroma"), ("plain", "mfcc")):
        run(f"db build {folder}/in {folder}/{name}.db --units fixed:50 --descriptors {descriptors}")
        run(f"sequencer train {folder}/{name}.db {folder}/{name}.model --epochs 1 --window 32")
    return folder


def render(work, out, seed, options: str) -> Plan:
    run(f"render {seed} {work}/my.db {work}/my.model -o {out} --seconds 6 {options}")
    return Plan.load(out.with_suffix(".plan.json"))


def test_seed_and_corpus_are_both_played_and_played_again(work, tmp_path):
    samples, rate = sf.read(SEED_FILE, always_2d=True)
    seed = tmp_path / "loop.wav"
    samples = samples[: 3 * rate : 2, :1]
    sf.write(seed, np.repeat(samples, 2, axis=1), rate // 2)  # another rate, stereo
    out = tmp_path / "o.wav"
    plan = render(work, out, seed, FILTERED + " --include-seed")
    own = [step for step in plan.steps if step.source == str(seed)]
    assert 0 < len(own) < len(plan.steps)
    assert {step.unit for step in own} == {NO_UNIT}
    assert all(step.unit != NO_UNIT for step in plan.steps if step not in own)
    assert all(choice["unit"] != NO_UNIT for step in plan.steps for choice in step.alternatives)
    assert str(seed) in plan.sources
    assert plan.channels == 2
    assert plan.settings["include_seed"] is True
    run(f"playback {out.with_suffix('.plan.json')} -o {tmp_path}/again.wav")
    np.testing.assert_array_equal(sf.read(tmp_path / "again.wav")[0], sf.read(out)[0])
    without = render(work, tmp_path / "p.wav", seed, "")
    assert str(seed) not in {step.source for step in without.steps}


def test_forecast_cannot_be_included(work, tmp_path):
    database = Database(work / "my.db")
    rows = database.source_descriptors(0)
    save_sequence(tmp_path / "f.json", rows, database.settings, origin={})
    message = run(
        f"render {tmp_path}/f.json {work}/my.db {work}/my.model -o {tmp_path}/o.wav --include-seed",
        expect=2,
    )
    assert "a forecast has no sound that could be included; give an audio file" in message


def test_runs_are_transposed_as_a_whole_within_the_limit(work, tmp_path):
    seed = CORPUS_DIR / "guit_e_fifths.ogg"
    plan = render(work, tmp_path / "o.wav", seed, "--transpose 3")
    shifts = {step.source: set() for step in plan.steps}
    for step in plan.steps:
        shifts[step.source].add(step.transpose)
    assert all(len(of_source) == 1 for of_source in shifts.values())
    found = {shift for of_source in shifts.values() for shift in of_source}
    assert any(found)
    assert max(map(abs, found)) <= 3
    assert plan.settings["transpose"] == 3
    document = json.loads(run(f"playback {tmp_path}/o.plan.json -o {tmp_path}/p.wav --json"))
    assert document


def test_voices_sound_at_once_and_never_play_the_same_passage_at_once(work, tmp_path):
    seed = CORPUS_DIR / "guit_e_fifths.ogg"
    one = render(work, tmp_path / "one.wav", seed, "")
    plan = render(work, tmp_path / "o.wav", seed, "--voices 3 --transpose 2")
    assert plan.n_voices == 3
    assert plan.settings["voices"]["number"] == 3
    assert plan.n_samples == one.n_samples == sf.info(tmp_path / "o.wav").frames
    assert "voices" not in one.settings
    assert [step.target for step in plan.steps] == list(range(len(plan.steps)))
    for at in range(0, plan.n_samples, plan.sample_rate // 20):
        steps = [step for step in plan.steps if step.at_sample <= at < step.until_sample]
        assert len(steps) == 3
        for step, other in combinations(steps, 2):
            apart = abs(step.start_sample - step.at_sample - other.start_sample + other.at_sample)
            assert step.source != other.source or apart > 0.1 * plan.sample_rate
    for first, later in pairwise(render_each(work, tmp_path, seed)):
        assert [step.unit for step in first.steps] != [step.unit for step in later.steps]


def render_each(work, folder, seed):
    """Plans of two variations of two voices."""
    render_line = f"render {seed} {work}/my.db {work}/my.model -o {folder}/v.wav --seconds 3"
    run(f"{render_line} --voices 2 --variations 2")
    plans = [Plan.load(folder / f"v-{number}.plan.json") for number in (1, 2)]
    assert [plan.n_voices for plan in plans] == [2, 2]
    return plans


@pytest.mark.parametrize("voices", [0, 17])
def test_too_few_and_too_many_voices_are_refused(work, tmp_path, voices):
    line = f"render {SEED_FILE} {work}/my.db {work}/my.model -o {tmp_path}/o.wav --voices {voices}"
    assert "1<=x<=16" in run(line, expect=2)


def test_voices_without_chroma_say_how_to_get_it(work, tmp_path):
    message = run(
        f"render {SEED_FILE} {work}/plain.db {work}/plain.model -o {tmp_path}/o.wav --voices 2",
        expect=2,
    )
    assert "voices=2 needs to know keys" in message
    assert "NEW.db --units fixed:50 --descriptors mfcc,chroma" in " ".join(message.split())


def test_transposition_without_chroma_says_how_to_get_it(work, tmp_path):
    message = run(
        f"render {SEED_FILE} {work}/plain.db {work}/plain.model -o {tmp_path}/o.wav --transpose 2",
        expect=2,
    )
    assert "has no chroma" in message
    assert "NEW.db --units fixed:50 --descriptors mfcc,chroma" in " ".join(message.split())


def test_transposition_without_the_package_says_how_to_get_it(work, tmp_path, monkeypatch):
    monkeypatch.setattr(continuation, "can_transform", lambda: False)
    message = run(
        f"render {SEED_FILE} {work}/my.db {work}/my.model -o {tmp_path}/o.wav --transpose 2",
        expect=2,
    )
    assert "needs the package python-stretch" in message
