"""The names of `import demiurge`, which are stable."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

import demiurge
from demiurge.cli import main
from demiurge.facade import choices
from tests.sounds import chord

RATE = 44100  # of databases: units are read as they are

# Every name and argument here stays until version 1.0: this list only grows.
SIGNATURES = {
    "Database": "path, *others, root",
    "Database.build": "folder, path, *, units, descriptors",
    "Database.sound": "self, unit",
    "Database.query": "self, target, *, k, **choice",
    "Database.mosaic": "self, target, **choice",
    "Database.render": "self, seed, model, *, seconds, include_seed, **choice",
    "Database.play": "self, plan",
    "Forecaster": "path",
    "Forecaster.train": "database, path, *, minutes, architecture, head, random_seed",
    "Forecaster.forecast": "self, seed, *, seconds, temperature, random_seed",
    "Rendered.save": "self, path, *, bits, lufs",
    "Sound": "samples, sample_rate",
    "Sound.read": "path",
    "Sound.resampled": "self, sample_rate, channels",
    "Sound.save": "self, path, *, bits",
    "Generator": "name, *, vocoder",
    "Generator.generate": "self, seconds, *, random_seed",
    "Codec": "name",
    "Codec.encode": "self, sound, n_codebooks",
    "Codec.latents": "self, sound",
    "Codec.decode": "self, frames, seconds",
}
PROPERTIES = {
    "Database": {"sources", "units", "sample_rate", "columns", "descriptors"},
    "Sound": {"seconds"},
}
CHOICES = {
    "UnitChoice": "metric sources tags weights where",
    "MosaicChoice": "continuity follow k level max_run metric min_reuse novelty random_seed range"
    " rest_threshold sources stretch tags temperature transpose voices weights where",
    "ContinuationChoice": "continuity max_run metric min_reuse novelty random_seed sources tags"
    " temperature voices weights where",
}
NAMES = {
    *("CORPUS", "SEED", "Codec", "Database", "Error", "Forecaster", "Generator", "Matches"),
    *("Plan", "Rendered", "Sound", "Step"),
}


def signature_of(name):
    found = demiurge
    for part in name.split("."):
        found = getattr(found, part)
    words = []
    keyword_only = False
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind == parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(word.startswith("*") for word in words):
                words.append("*")
        words.append(str(parameter.replace(annotation=parameter.empty, default=parameter.empty)))
    return ", ".join(words)


def test_names_are_stable():
    assert set(demiurge.__all__) == NAMES
    assert set(dir(demiurge)) >= NAMES
    assert {name: signature_of(name) for name in SIGNATURES} == SIGNATURES
    for name, properties in PROPERTIES.items():
        assert properties <= set(dir(getattr(demiurge, name)))
    found = {name: " ".join(choices.names(getattr(choices, name))) for name in CHOICES}
    assert found == CHOICES


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="'demiurge' has no attribute 'Databse'"):
        demiurge.Databse  # noqa: B018


def test_import_loads_nothing():
    code = "import sys, demiurge; print(sorted({'numpy', 'torch', 'click'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert printed.stdout.strip() == b"[]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight chords, a seed, and their database."""
    folder = tmp_path_factory.mktemp("facade")
    (folder / "sounds").mkdir()
    for i in range(8):
        notes = (57 + i, 61 + i, 64 + i)
        sf.write(folder / "sounds" / f"{i}.wav", chord(notes, 2), RATE)
    sf.write(folder / "seed.wav", chord((60, 64, 67), 1.5), RATE)
    demiurge.Database.build(folder / "sounds", folder / "my.db", units="frame")
    return folder


@pytest.fixture
def db(folder):
    return demiurge.Database(folder / "my.db")


def test_units_are_what_the_files_hold(db, folder):
    assert db.sources == [f"{i}.wav" for i in range(8)]
    assert db.descriptors.shape == (len(db), len(db.columns))
    unit = len(db) // 2
    sound = db.sound(unit)
    samples, _ = sf.read(folder / "sounds" / db.sources[db.units.source[unit]], dtype="float32")
    start = db.units.start_sample[unit]
    np.testing.assert_array_equal(sound.samples[:, 0], samples[start : start + len(sound.samples)])
    with pytest.raises(demiurge.Error, match=f"unit={len(db)} must be 0 to {len(db) - 1}"):
        db.sound(len(db))


def test_mosaic_is_that_of_the_command(db, folder, tmp_path):
    rendered = db.mosaic(folder / "seed.wav", continuity=1.0, sources="[0-3].wav", min_reuse=0.1)
    saved = rendered.save(tmp_path / "ours.wav")
    options = "--continuity 1 --source [0-3].wav --min-reuse 0.1 -o"
    files = [str(folder / "seed.wav"), str(folder / "my.db")]
    result = CliRunner().invoke(main, ["mosaic", *files, *options.split(), str(tmp_path / "b.wav")])
    assert result.exit_code == 0, result.output
    assert saved.read_bytes() == (tmp_path / "b.wav").read_bytes()
    plan = (tmp_path / "ours.plan.json").read_bytes()
    assert plan == (tmp_path / "b.plan.json").read_bytes()
    with pytest.raises(demiurge.Error, match=r"ours\.wav exists; choose another name"):
        rendered.save(saved)


def test_sound_in_memory_is_as_good_as_a_file(db, folder):
    seed = demiurge.Sound.read(folder / "seed.wav")
    of_file = db.mosaic(folder / "seed.wav")
    of_memory = db.mosaic(seed)
    np.testing.assert_array_equal(of_memory.sound.samples, of_file.sound.samples)
    assert of_memory.plan.settings["target"] == "a sound in memory"
    np.testing.assert_array_equal(db.play(of_memory.plan).samples, of_file.sound.samples)
    assert db.query(seed, k=2).positions.shape[1] == 2


def test_continuation_is_that_of_the_command(db, folder, tmp_path):
    model = demiurge.Forecaster.train(db, tmp_path / "my.model", minutes=0.02)
    assert len(model.summary.validation_losses)
    rendered = db.render(folder / "seed.wav", model, seconds=1.0, random_seed=2)
    saved = rendered.save(tmp_path / "ours.wav")
    files = [str(folder / "seed.wav"), str(folder / "my.db"), str(tmp_path / "my.model")]
    options = ["--seconds", "1", "--random-seed", "2", "-o", str(tmp_path / "b.wav")]
    result = CliRunner().invoke(main, ["render", *files, *options])
    assert result.exit_code == 0, result.output
    assert saved.read_bytes() == (tmp_path / "b.wav").read_bytes()
    with pytest.raises(demiurge.Error, match="holds a model; choose another folder"):
        demiurge.Forecaster.train(db, tmp_path / "my.model")


def test_unknown_choice_is_refused(db, folder):
    with pytest.raises(TypeError, match="unexpected argument 'contuity'; known are continuity"):
        db.mosaic(folder / "seed.wav", contuity=1)


def test_unreadable_files_are_warned_of(tmp_path):
    (tmp_path / "sounds").mkdir()
    sf.write(tmp_path / "sounds" / "good.wav", chord((60,), 1), RATE)
    (tmp_path / "sounds" / "bad.wav").write_bytes(b"no audio")
    with pytest.warns(UserWarning, match=r"as unreadable:\nbad\.wav: "):
        db = demiurge.Database.build(tmp_path / "sounds", tmp_path / "my.db")
    assert db.sources == ["good.wav"]


def test_saved_sound_goes_into_a_database(tmp_path):
    (tmp_path / "sounds").mkdir()
    sound = demiurge.Sound(chord((60, 64), 1), RATE)
    sound.save(tmp_path / "sounds" / "a.wav")
    db = demiurge.Database.build(tmp_path / "sounds", tmp_path / "my.db", units="frame")
    assert db.sources == ["a.wav"]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0), "at least one sample"),
        (np.zeros((2, 100)), "more channels than samples; give"),
        (np.array([0, np.nan]), "NaN or infinity"),
    ],
)
def test_sound_that_is_none_is_refused(samples, message):
    with pytest.raises(demiurge.Error, match=message):
        demiurge.Sound(samples, RATE)


def test_notebook_plays_a_sound():
    html = demiurge.Sound(chord((60,), 0.2), RATE)._repr_html_()
    assert html.startswith('<audio controls src="data:audio/ogg;base64,T2dnU')


def test_networks_make_and_code_sound():
    sound = demiurge.Generator().generate(1.0, random_seed=3)
    assert sound.samples.shape == (22050, 1)
    codec = demiurge.Codec()
    codes = codec.encode(sound, 4)
    assert codes.shape[1] == 4
    assert codec.decode(codes, seconds=1.0).samples.shape == (22050, 1)
    with pytest.raises(demiurge.Error, match=r"seconds=0 must be 1 to 3600"):
        demiurge.Generator().generate(0)
