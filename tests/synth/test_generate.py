"""Generated folders: reproducible to the byte, resumable, without broken files."""

import errno
import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from audio.read import read_mono
from audio.resample import resample
from db.build import build_database
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from files.hashing import hash_file
from synth.clips import SAFE_PEAK, make_clip, plain_clip
from synth.faults import mel_fault
from synth.fill_folder import MAX_ATTEMPTS
from synth.generate import GenerateOptions, generate
from synth.generated_manifest import MANIFEST, clear_folder, open_folder
from synth.mel import PRESETS, MelSettings, log_mel
from synth.unagan import UnaganConfig
from synth.unagan_generator import UnaganGenerator
from synth.vocoder import Vocoder
from tests.training.hostile import refusal
from training.threads import torch_threads

MEL = MelSettings()
RATE = MEL.sample_rate
OPTIONS = GenerateOptions(minutes=0.1, seconds=1.5, random_seed=7)  # four files
NAMES = ("models/unagan", "models/vocoder")
TINY = {"dim": 16, "intermediate_dim": 32, "n_layers": 2, "refinements": 1}


def recording(name, rate=RATE):
    audio, info = read_mono(CORPUS_DIR / name)
    return resample(audio, info.sample_rate, rate)


def tiny_vocoder(random_seed=0, mel=MEL):
    with torch.random.fork_rng():
        torch.manual_seed(random_seed)
        return Vocoder("vocos-small", mel, config=TINY).eval()


class Breaking(UnaganGenerator):
    """Remembers the seeds it was asked for, and gives a steady hum for `broken_seeds`."""

    def __init__(self, config, mel):
        super().__init__(config, mel)
        self.seen = []
        self.broken_seeds = set()

    def sample(self, frames, *, random_seeds):
        self.seen += random_seeds
        if random_seeds[0] in self.broken_seeds:
            return torch.full((1, self.mel.n_mels, frames), -4.0)
        return super().sample(frames, random_seeds=random_seeds)


@pytest.fixture(scope="module")
def generator():
    mels = log_mel(recording("loop_amen.ogg"), MEL)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = Breaking(UnaganConfig(width=16), MEL).eval()
    made.set_statistics(torch.from_numpy(mels.mean(1)), torch.from_numpy(mels.std(1)))
    return made


@pytest.fixture
def breaking(generator):
    """The generator, with nothing seen and nothing broken."""
    generator.seen = []
    generator.broken_seeds = set()
    yield generator
    generator.broken_seeds = set()


@pytest.fixture(scope="module")
def vocoder():
    return tiny_vocoder()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, generator, vocoder):
    out = tmp_path_factory.mktemp("undisturbed")
    generate(generator, vocoder, out, options=OPTIONS, names=NAMES)
    return out


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def manifest(folder):
    header, *entries = (folder / MANIFEST).read_text().splitlines()
    return json.loads(header), [json.loads(line) for line in entries]


def copy(folder, to):
    to.mkdir()
    for name, data in content(folder).items():
        (to / name).write_bytes(data)
    return to


def test_files_of_the_chosen_length_and_a_manifest_that_knows_them(generator, vocoder, tmp_path):
    progress = []
    summary = generate(
        generator,
        vocoder,
        tmp_path / "a" / "b",
        options=OPTIONS,
        names=NAMES,
        progress=lambda *told: progress.append(told),
    )
    out = tmp_path / "a" / "b"
    names = [f"generated-00000{i}.flac" for i in (1, 2, 3, 4)]
    assert sorted(path.name for path in out.iterdir()) == [*names, MANIFEST]
    for name in names:
        info = sf.info(out / name)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (
            33075,
            RATE,
            1,
            "PCM_16",
        )
    header, entries = manifest(out)
    assert (header["format"], header["version"]) == ("demiurge-generated-audio", 1)
    assert (header["generator"], header["vocoder"], header["mel"]) == (*NAMES, MEL.to_dict())
    assert [entry["name"] for entry in entries] == names
    for entry in entries:
        audio = sf.read(out / entry["name"])[0]
        assert entry["hash"] == hash_file(out / entry["name"])
        assert entry["peak"] == pytest.approx(np.abs(audio).max(), abs=1 / 32768)
        assert (entry["n_samples"], entry["rejected"]) == (33075, [])
    assert (summary.made, summary.kept, summary.redone, summary.failed, summary.audio_seconds) == (
        4,
        0,
        {},
        [],
        6.0,
    )
    assert summary.real_time == pytest.approx(6 / summary.seconds)
    assert progress == [(i + 1, 4, name) for i, name in enumerate(names)]


@pytest.mark.parametrize(
    ("minutes", "seconds", "n_files"),
    [(0.1, 1.5, 4), (0.1, 6, 1), (0.1, 4, 2), (1, 60, 1), (0.01, 30, 1), (60, 30, 120)],
)
def test_files_are_as_many_as_the_minutes_need(minutes, seconds, n_files):
    assert GenerateOptions(minutes=minutes).n_files(seconds) == n_files


@pytest.mark.parametrize("workers", [1, 3])
def test_bytes_do_not_depend_on_workers_or_threads(
    workers, generator, vocoder, undisturbed, tmp_path
):
    options = GenerateOptions(minutes=0.1, seconds=1.5, random_seed=7, workers=workers)
    with torch_threads(2):
        generate(generator, vocoder, tmp_path, options=options, names=NAMES)
        assert torch.get_num_threads() == 2
    assert content(tmp_path) == content(undisturbed)


def test_seeds_differ_between_files_and_between_runs(generator, vocoder, undisturbed, tmp_path):
    generate(
        generator,
        vocoder,
        tmp_path,
        options=GenerateOptions(minutes=0.1, seconds=1.5, random_seed=8),
        names=NAMES,
    )
    entries = manifest(undisturbed)[1] + manifest(tmp_path)[1]
    assert (
        len({entry["seed"] for entry in entries}) == len({entry["hash"] for entry in entries}) == 8
    )


def test_a_file_comes_from_its_recorded_seed_alone(generator, vocoder, undisturbed):
    entry = manifest(undisturbed)[1][2]
    with torch_threads(1):
        plan = plain_clip(entry["n_samples"], MEL)
        clip = make_clip(generator, vocoder, plan, random_seed=entry["seed"])
    written = sf.read(undisturbed / entry["name"], dtype="float32")[0]
    np.testing.assert_array_equal(written, np.rint(clip.audio * 32768) / np.float32(32768))


def test_database_of_a_generated_folder(undisturbed, tmp_path):
    report = build_database(undisturbed, tmp_path / "generated.db")
    assert (len(report.added), report.failed) == (4, [])


def test_resume_makes_what_is_missing_damaged_or_not_recorded(
    breaking, vocoder, undisturbed, tmp_path
):
    out = copy(undisturbed, tmp_path / "out")
    (out / "generated-000001.flac").unlink()
    (out / "generated-000002.flac").write_bytes(b"fLaC of another kind")
    text = (out / MANIFEST).read_text()
    (out / MANIFEST).write_text(text[:-40])  # a crash while the last line was written
    summary = generate(breaking, vocoder, out, options=OPTIONS, names=NAMES)
    assert (summary.made, summary.kept) == (3, 1)
    assert content(out) == content(undisturbed)
    n_seen = len(breaking.seen)
    assert generate(breaking, vocoder, out, options=OPTIONS, names=NAMES).kept == 4
    assert len(breaking.seen) == n_seen


def test_interrupted_run_leaves_whole_files_and_goes_on(generator, vocoder, undisturbed, tmp_path):
    def interrupt(done, _, __):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(generator, vocoder, tmp_path, options=OPTIONS, names=NAMES, progress=interrupt)
    assert [entry["name"] for entry in manifest(tmp_path)[1]] == [
        "generated-000001.flac",
        "generated-000002.flac",
    ]
    for name, data in content(tmp_path).items():
        assert name == MANIFEST or data == content(undisturbed)[name]
    generate(generator, vocoder, tmp_path, options=OPTIONS, names=NAMES)
    assert content(tmp_path) == content(undisturbed)


def test_files_are_kept_even_with_force_but_not_in_a_cleared_folder(
    generator, vocoder, undisturbed, tmp_path
):
    """A file that another version made of the same models and options is complete, too."""
    out = copy(undisturbed, tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    path = out / "generated-000001.flac"
    audio, rate = sf.read(path, dtype="int16")
    sf.write(path, audio ^ 1, rate)
    header, entries = manifest(out)
    entries[0]["hash"] = hash_file(path)
    lines = [json.dumps(values) + "\n" for values in (header, *entries)]
    (out / MANIFEST).write_text("".join(lines))
    generate(generator, vocoder, out, options=OPTIONS, names=NAMES, force=True)
    assert hash_file(path) == entries[0]["hash"]
    clear_folder(out)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    (out / "notes.txt").unlink()
    generate(generator, vocoder, out, options=OPTIONS, names=NAMES)
    assert content(out) == content(undisturbed)
    clear_folder(tmp_path / "nowhere")


def test_more_minutes_add_files_and_fewer_leave_them(generator, vocoder, undisturbed, tmp_path):
    few = GenerateOptions(minutes=0.05, seconds=1.5, random_seed=7)
    generate(generator, vocoder, tmp_path, options=few, names=NAMES)
    assert generate(generator, vocoder, tmp_path, options=OPTIONS, names=NAMES).kept == 2
    assert generate(generator, vocoder, tmp_path, options=few, names=NAMES).kept == 2
    assert content(tmp_path) == content(undisturbed)


def test_disk_full_leaves_whole_files_and_says_how_to_go_on(
    generator, vocoder, undisturbed, tmp_path, monkeypatch
):
    write = Path.write_bytes
    written = []

    def fill(path, data):
        if len(written) == 2:
            write(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(path, data)

    options = GenerateOptions(minutes=0.1, seconds=1.5, random_seed=7, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(
            ParameterError,
            match=r"3.flac: cannot be written \(No space left.* free some space .*same command",
        ):
            generate(generator, vocoder, tmp_path, options=options, names=NAMES)
    assert sorted(content(tmp_path)) == ["generated-000001.flac", "generated-000002.flac", MANIFEST]
    assert generate(generator, vocoder, tmp_path, options=options, names=NAMES).kept == 2
    assert content(tmp_path) == content(undisturbed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"options": GenerateOptions(minutes=0.1, seconds=1.5, random_seed=8)},
            "seed=7, not 8; give the same",
        ),
        (
            {"options": GenerateOptions(minutes=0.1, seconds=2.0, random_seed=7)},
            "seconds=1.5, not 2.0; give the same",
        ),
        (
            {"vocoder": tiny_vocoder(1)},
            r"another vocoder \(models/vocoder, .{32}; not models/vocoder, .{32}\); give the same",
        ),
    ],
)
def test_folder_of_other_options_or_models_is_refused_but_replaced_by_force(
    change, message, generator, vocoder, undisturbed, tmp_path
):
    out = copy(undisturbed, tmp_path / "out")
    (out / "mine.flac").write_bytes(b"mine")
    before = content(out)
    arguments = {"vocoder": vocoder, "options": OPTIONS, "names": NAMES, **change}
    with pytest.raises(ParameterError, match=message):
        generate(generator, out=out, **arguments)
    assert content(out) == before
    assert generate(generator, out=out, **arguments, force=True).kept == 0
    assert (out / "mine.flac").read_bytes() == b"mine"
    generate(generator, out=tmp_path / "new", **arguments)
    assert content(out) == content(tmp_path / "new") | {"mine.flac": b"mine"}


def test_models_moved_elsewhere_are_the_same_models(generator, vocoder, undisturbed, tmp_path):
    out = copy(undisturbed, tmp_path / "out")
    assert generate(generator, vocoder, out, options=OPTIONS, names=("a", "b")).kept == 4


def altered_lines(lines):
    """Yield manifests whose lines do not belong to a folder of generated files."""
    first, second = (json.loads(line) for line in lines[1:3])
    for changes in (
        {"name": "../x.flac"},
        {"name": "/etc/passwd"},
        {"name": "generated-000001.flac/../x"},
        {"name": 3},
        {"seed": -1},
        {"seed": "0"},
        {"seed": None},
        {"rejected": None},
        {"rejected": [{}]},
        {"rejected": [{"seed": 1, "reason": 2}]},
        {"n_samples": -1},
        {"n_samples": 1e308},
        {"n_samples": 0},
        {"peak": "loud"},
        {"gain_db": 10**6},
        {"hash": "x"},
        {"hash": None},
        {"extra": 1},
    ):
        yield [first | changes, second]
    for name in first:
        yield [{key: value for key, value in first.items() if key != name}, second]
    yield [first, first]
    yield [[], second]
    yield ["x" * 1000, second]


def test_altered_lines_of_a_manifest_are_refused(generator, vocoder, undisturbed, tmp_path):
    out = copy(undisturbed, tmp_path / "out")
    good = (out / MANIFEST).read_text().splitlines()
    optional = {"n_samples", "peak", "gain_db", "hash"}
    header = json.loads(good[0])
    n_refused = 0
    for lines in altered_lines(good):
        texts = [good[0], *map(json.dumps, lines)]
        (out / MANIFEST).write_text("\n".join(texts) + "\n")
        error = refusal(partial(open_folder, out, header, force=False))
        if error is None:  # what has a default may be missing
            assert optional - lines[0].keys()
            continue
        n_refused += 1
        assert str(error).endswith("give another folder, or --force to generate anew")
        assert "\n" not in str(error)
    assert n_refused >= 22


def test_a_manifest_that_is_no_file_is_refused(generator, vocoder, undisturbed, tmp_path):
    out = copy(undisturbed, tmp_path / "out")
    (out / MANIFEST).unlink()
    os.mkfifo(out / MANIFEST)
    with pytest.raises(ParameterError, match=f"{MANIFEST}: a named pipe, not a file; give anoth"):
        generate(generator, vocoder, out, options=OPTIONS, names=NAMES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            "holds generated-00000..flac but no manifest.jsonl; give another folder, or --force",
        ),
        ("", "damaged: it has no first line; give another folder, or --force"),
        ("[1]\n", "line 1: the document.* must be an object; give another folder, or --force"),
        (
            '{"format": "demiurge-generated-audio", "version": 1}\n{"name": "x"}\n',
            "was generated with precision=",
        ),
        (
            '{"format": "demiurge-generated-audio", "version": 2}\n',
            "is of format demiurge-generated-audio 2, not",
        ),
    ],
)
def test_damaged_or_missing_manifest_is_refused(
    text, message, generator, vocoder, undisturbed, tmp_path
):
    out = copy(undisturbed, tmp_path / "out")
    (out / MANIFEST).unlink()
    if text is not None:
        (out / MANIFEST).write_text(text)
    with pytest.raises(ParameterError, match=message):
        generate(generator, vocoder, out, options=OPTIONS, names=NAMES)
    generate(generator, vocoder, out, options=OPTIONS, names=NAMES, force=True)
    assert content(out) == content(undisturbed)


@pytest.mark.parametrize("force", [True, False])
def test_a_folder_of_recordings_is_left_alone(force, generator, vocoder, tmp_path):
    (tmp_path / "mine.flac").write_bytes(b"mine")
    with pytest.raises(
        ParameterError,
        match=r"holds files that synth generate did not make \(mine.flac\); give a new folder",
    ):
        generate(generator, vocoder, tmp_path, options=OPTIONS, names=NAMES, force=force)
    assert content(tmp_path) == {"mine.flac": b"mine"}


def test_out_that_is_a_file_raises(generator, vocoder, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="file: cannot be written"):
        generate(generator, vocoder, tmp_path / "file", options=OPTIONS, names=NAMES)


def test_models_of_different_mels_raise(generator, tmp_path):
    other = tiny_vocoder(mel=PRESETS["hifigan"])
    with pytest.raises(
        ParameterError,
        match=(
            r"mel f_max is 11025.0 in the generator models/unagan and 8000.0 in the vocoder"
            r" models/vocoder"
        ),
    ):
        generate(generator, other, tmp_path / "out", options=OPTIONS, names=NAMES)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0}, "minutes=0 must be a positive number"),
        ({"minutes": float("nan")}, "minutes=nan must be a positive number"),
        ({"minutes": 1, "seconds": 0.5}, "seconds=0.5 of a file must be 1 to 3600"),
        ({"minutes": 1, "seconds": 3601}, "must be 1 to 3600"),
        ({"minutes": 1, "random_seed": -1}, "random_seed=-1 must be an integer of at least 0"),
        ({"minutes": 1, "workers": 0}, "workers=0 must be at least 1"),
    ],
)
def test_impossible_options_raise(options, message):
    with pytest.raises(ParameterError, match=message):
        GenerateOptions(**options)


def test_broken_attempts_are_counted_and_redone_with_another_seed(
    breaking, vocoder, undisturbed, tmp_path
):
    first = manifest(undisturbed)[1]
    breaking.broken_seeds = {first[0]["seed"], first[3]["seed"]}
    summary = generate(breaking, vocoder, tmp_path, options=OPTIONS, names=NAMES)
    assert (summary.made, summary.redone, summary.failed) == (4, {"stuck": 2}, [])
    again = manifest(tmp_path)[1]
    assert again[0]["rejected"] == [{"seed": first[0]["seed"], "reason": "stuck"}]
    assert again[1:3] == first[1:3]
    assert {entry["seed"] for entry in again}.isdisjoint(breaking.broken_seeds)
    assert len(breaking.seen) == len(set(breaking.seen)) == 6


def test_file_whose_attempts_are_all_broken_is_reported_and_the_others_made(
    breaking, vocoder, tmp_path
):
    one = GenerateOptions(minutes=0.01, seconds=1.5, random_seed=7)
    for n_broken in range(1, MAX_ATTEMPTS + 1):
        generate(breaking, vocoder, tmp_path / str(n_broken), options=one, names=NAMES)
        breaking.broken_seeds.add(manifest(tmp_path / str(n_broken))[1][0]["seed"])
    out = tmp_path / "out"
    summary = generate(breaking, vocoder, out, options=OPTIONS, names=NAMES)
    assert (summary.made, summary.redone) == (3, {"stuck": MAX_ATTEMPTS})
    assert (summary.failed, summary.audio_seconds) == (["generated-000001.flac"], 4.5)
    entry = manifest(out)[1][0]
    assert (entry["seed"], entry["hash"], len(entry["rejected"])) == (None, None, MAX_ATTEMPTS)
    assert not (out / entry["name"]).exists()
    n_seen = len(breaking.seen)
    again = generate(breaking, vocoder, out, options=OPTIONS, names=NAMES)
    assert (again.made, again.kept, again.failed, len(breaking.seen)) == (
        0,
        3,
        summary.failed,
        n_seen,
    )


def test_too_loud_file_is_lowered_as_a_whole(generator, tmp_path):
    vocoder = tiny_vocoder()
    loud = tiny_vocoder()
    loud.synthesise = lambda mel: vocoder.synthesise(mel) * np.float32(10)
    with torch_threads(1):
        clip = make_clip(generator, vocoder, plain_clip(RATE, MEL), random_seed=1)
        lowered = make_clip(generator, loud, plain_clip(RATE, MEL), random_seed=1)
    assert np.abs(lowered.audio).max() == pytest.approx(SAFE_PEAK, rel=1e-6)
    np.testing.assert_allclose(
        lowered.audio, clip.audio * 10 * 10 ** (lowered.gain_db / 20), rtol=1e-5, atol=1e-9
    )
    assert clip.gain_db == 0.0


def test_peak_is_safe_in_the_file(generator, tmp_path):
    vocoder = tiny_vocoder()
    loud = tiny_vocoder()
    loud.synthesise = lambda mel: vocoder.synthesise(mel) * np.float32(10)
    generate(
        generator, loud, tmp_path, options=GenerateOptions(minutes=0.01, seconds=1.5), names=NAMES
    )
    entry = manifest(tmp_path)[1][0]
    assert -26 < entry["gain_db"] < -10
    assert np.abs(sf.read(tmp_path / entry["name"])[0]).max() == pytest.approx(
        SAFE_PEAK, abs=1 / 32768
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_spectrograms_and_audio_that_are_not_finite_are_broken(value, generator):
    vocoder = tiny_vocoder()
    vocoder.synthesise = lambda mel: np.full(mel.shape[1] * MEL.hop_length, value, np.float32)
    assert make_clip(generator, vocoder, plain_clip(RATE, MEL), random_seed=1).fault == "not finite"
    assert mel_fault(np.full((80, 100), value, np.float32), MEL) == "not finite"
