"""Excerpts, vocoders against Griffin-Lim, generators against what they must beat, diversity."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch

from audio.read import read_mono
from demiurge.bundled import CORPUS_DIR
from files.errors import ParameterError
from synth.audio_distance import audio_distance, embed_clips
from synth.diversity import Diversity, cosine_distances, diversity
from synth.evaluate_generator import evaluate_generator
from synth.evaluate_vocoder import GRIFFIN_LIM, OTHER_HALF, VocoderScore, evaluate_vocoders
from synth.excerpts import open_excerpts
from synth.generator import Generator
from synth.mel import PRESETS, log_mel
from synth.unagan import UnaganConfig
from synth.vocoder import Vocoder

MEL = PRESETS["22k"]
RATE = 22050


class Bands:
    """Mean and spread of ten mel bands in each window of 2 s: an embedding that takes no time."""

    def embed(self, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        assert sample_rate == RATE
        bands = log_mel(audio, replace(MEL, n_mels=10))[:, : len(audio) // (2 * RATE) * 172]
        windows = bands.reshape(10, -1, 172).transpose(1, 0, 2)
        return np.concatenate([windows.mean(axis=2), windows.std(axis=2)], axis=1)


def write_music(folder, names, *, seconds, gain=1.0):
    """Real loops, repeated until they last as long as wanted."""
    folder.mkdir()
    for name in names:
        audio, info = read_mono(CORPUS_DIR / f"{name}.ogg")
        sf.write(
            folder / f"{name}.wav",
            np.resize(gain * audio, round(seconds * info.sample_rate)),
            info.sample_rate,
        )
    return folder


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("loops") / "loops",
        ["loop_tabla", "loop_garzul", "loop_safari"],
        seconds=19,
    )


@pytest.fixture(scope="module")
def vocoder():
    torch.manual_seed(0)
    return Vocoder(
        "vocos-small", MEL, config={"dim": 8, "intermediate_dim": 16, "n_layers": 1}
    ).eval()


# Excerpts


def test_each_file_gives_both_sets_a_span_before_any_gives_more(loops):
    one, other, _ = open_excerpts(loops, MEL, seconds=3, most=6, random_seed=0)
    for part in (one[:3], one[3:], other[:3], other[3:]):
        assert len({excerpt.name for excerpt in part}) == 3
    assert len({(excerpt.name, excerpt.start_seconds) for excerpt in one + other}) == 12
    assert {len(excerpt.audio) for excerpt in one + other} == {258 * 256}


def test_excerpts_are_where_they_say(tmp_path):
    ramp = np.arange(RATE * 20, dtype=np.float32) / (RATE * 20)
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "ramp.wav", ramp, RATE, subtype="FLOAT")
    one, other, _ = open_excerpts(tmp_path / "in", MEL, seconds=4.9, most=9, random_seed=3)
    assert len(one) == len(other) == 2
    for excerpt in one + other:
        start = round(excerpt.start_seconds * RATE)
        np.testing.assert_array_equal(excerpt.audio, ramp[start : start + len(excerpt.audio)])


def test_excerpts_of_a_seed_are_the_same_and_of_another_are_not(loops):
    first, again, other = (
        [e.start_seconds for e in open_excerpts(loops, MEL, seconds=2, most=9, random_seed=s)[0]]
        for s in (0, 0, 1)
    )
    assert first == again != other


def test_fewer_excerpts_than_wanted_are_all_there_are_and_silence_is_passed_over(tmp_path):
    (tmp_path / "in").mkdir()
    audio = np.concatenate([np.zeros(10 * RATE), 0.1 * np.ones(10 * RATE)])
    sf.write(tmp_path / "in" / "half.wav", audio, RATE)
    one, other, _ = open_excerpts(tmp_path / "in", MEL, seconds=2, most=99, random_seed=0)
    assert sorted(round(excerpt.start_seconds) for excerpt in one + other) == [10, 12, 14, 16, 18]
    assert len(one) == 3


def test_recordings_too_short_for_excerpts_raise(corpus):
    with pytest.raises(ParameterError, match="not two excerpts of 6 s .* give longer files"):
        open_excerpts(corpus, MEL, seconds=6, most=4, random_seed=0)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_seed_that_is_no_natural_number_raises(loops, seed):
    with pytest.raises(ParameterError, match=f"random_seed={seed} must be an integer"):
        open_excerpts(loops, MEL, seconds=6, most=4, random_seed=seed)


def test_distance_of_a_set_to_itself_is_0_and_noise_is_farther_than_the_other_half(loops):
    halves = open_excerpts(loops, MEL, seconds=4, most=6, random_seed=0)[:2]
    noise = np.random.default_rng(0).standard_normal((6, 4 * RATE), np.float32) * 0.1
    one, other = (
        embed_clips((excerpt.audio for excerpt in half), RATE, Bands()) for half in halves
    )
    far = embed_clips(noise, RATE, Bands())
    assert one.shape == (6, 1, 20)
    assert audio_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert audio_distance(one, other) < 0.2 * audio_distance(one, far)


# Vocoders


@pytest.fixture(scope="module")
def scored(loops, vocoder, tmp_path_factory):
    picture = tmp_path_factory.mktemp("picture") / "mels.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synth.evaluate_vocoder.ITERATIONS", 10)
        report = evaluate_vocoders(
            {"toy": vocoder}, loops, seconds=12, random_seed=0, embedding=Bands(), picture=picture
        )
    assert report.left_out == {}
    return report.scores, picture


def test_one_row_for_each_vocoder_griffin_lim_and_the_other_half(scored):
    scores, _ = scored
    assert [score.name for score in scores] == ["toy", GRIFFIN_LIM, OTHER_HALF]
    assert all(score.windows == 4 and score.fad_is_biased for score in scores)
    assert all(score.real_time > 0 for score in scores[:2])
    assert scores[2] == VocoderScore(OTHER_HALF, None, None, scores[2].fad, 4, None)


def test_griffin_lim_is_near_the_recordings_and_nearer_than_the_other_half(scored):
    _, griffin_lim, other_half = scored[0]
    assert griffin_lim.mel_l1 < 0.2
    assert 0 < griffin_lim.fad < other_half.fad


def test_picture_shows_three_spectrograms(scored):
    from matplotlib.image import imread

    height, width, _ = imread(scored[1]).shape
    assert (height, width) == (660, 1000)


def test_row_as_json(scored):
    row = json.loads(json.dumps(scored[0][2].to_dict()))
    assert row["mel_l1"] is None
    assert row["fad_is_biased"] is True


def test_without_an_embedding_there_is_no_fad_and_the_rest_is_the_same(
    loops, vocoder, scored, monkeypatch
):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    scores = evaluate_vocoders(
        {"toy": vocoder}, loops, seconds=12, random_seed=0, embedding=None
    ).scores
    assert [score.name for score in scores] == ["toy", GRIFFIN_LIM]
    assert all(
        score.fad is None and score.windows is None and not score.fad_is_biased for score in scores
    )
    assert (scores[0].mel_l1, scores[0].stft) == (scored[0][0].mel_l1, scored[0][0].stft)


class Perfect:
    """Gives back the recordings whose spectrograms it is shown."""

    def __init__(self, folder, mel, **choice):
        self.mel = mel
        one, other, _ = open_excerpts(folder, mel, **choice)
        self.known = {log_mel(e.audio, mel).tobytes(): e.audio for e in one + other}

    def synthesise(self, mel):
        return self.known[mel.tobytes()]


def test_perfect_vocoder_scores_0(loops, monkeypatch):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    perfect = Perfect(loops, MEL, seconds=6, most=2, random_seed=5)
    score = evaluate_vocoders(
        {"perfect": perfect}, loops, seconds=12, random_seed=5, embedding=Bands()
    ).scores[0]
    assert (score.mel_l1, score.stft) == (0, 0)
    assert score.fad == pytest.approx(0, abs=1e-6)


def test_vocoders_of_two_rates_are_scored_on_the_same_samples_at_the_higher_one(loops, monkeypatch):
    monkeypatch.setattr("synth.evaluate_vocoder.ITERATIONS", 1)
    low = Vocoder(
        "vocos-small", MEL, config={"dim": 8, "intermediate_dim": 16, "n_layers": 1}
    ).eval()
    perfect = Perfect(loops, PRESETS["44k"], seconds=6, most=1, random_seed=0)
    scores = evaluate_vocoders(
        {"low": low, "perfect": perfect}, loops, seconds=6, random_seed=0, embedding=None
    ).scores
    assert scores[1].mel_l1 == 0
    assert scores[0].mel_l1 > 0.5  # nothing above 11 kHz


@pytest.mark.parametrize("seconds", [5.9, float("nan"), float("inf")])
def test_seconds_shorter_than_an_excerpt_raise(loops, vocoder, seconds):
    with pytest.raises(ParameterError, match=f"seconds={seconds} must be at least 6"):
        evaluate_vocoders({"toy": vocoder}, loops, seconds=seconds, random_seed=0, embedding=None)


def test_no_vocoder_raises(loops):
    with pytest.raises(ParameterError, match="no vocoder to evaluate; give at least one"):
        evaluate_vocoders({}, loops, seconds=6, random_seed=0, embedding=None)


# Generators


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    return write_music(
        tmp_path_factory.mktemp("music") / "music", ["loop_tabla", "loop_garzul"], seconds=41
    )


@pytest.fixture(scope="module")
def generator(music):
    """Untrained: it has the recordings' mean spectrum and spread, and nothing else."""
    torch.manual_seed(0)
    generator = Generator(UnaganConfig(width=8), MEL).eval()
    excerpts = open_excerpts(music, MEL, seconds=10, most=4, random_seed=0).one
    mels = torch.from_numpy(
        np.concatenate([log_mel(excerpt.audio, MEL) for excerpt in excerpts], axis=1)
    )
    generator.set_statistics(mels.mean(1), mels.std(1))
    return generator


@pytest.fixture(scope="module")
def report(generator, vocoder, music, tmp_path_factory):
    other = write_music(
        tmp_path_factory.mktemp("other") / "drones",
        ["ambi_glass_hum", "ambi_haunted_hum"],
        seconds=31,
    )
    return evaluate_generator(
        generator,
        vocoder,
        music,
        others={"drones": other},
        minutes=1,
        random_seed=7,
        embedding=Bands(),
    )


def test_every_set_is_compared(report):
    assert list(report.fad) == [
        "generated",
        "recordings, other half",
        "recordings through the vocoder",
        "shuffled frames",
        "white noise",
        "drones",
    ]
    assert (report.clips, report.windows, report.seeds) == (
        4,
        16,
        (7, 8, 9, 10),
    )  # of the 6 asked for, 41 s * 2 give 2 * 4


def test_the_other_half_is_nearest_and_noise_is_farthest(report):
    assert min(report.fad, key=report.fad.get) in (
        "recordings, other half",
        "recordings through the vocoder",
    )
    assert report.fad["recordings, other half"] < 0.5 * report.fad["shuffled frames"]
    assert report.fad["shuffled frames"] < report.fad["white noise"]
    assert report.fad["recordings, other half"] < 0.5 * report.fad["drones"]


def test_report_as_json(report):
    values = json.loads(json.dumps(report.to_dict()))
    assert values["fad_is_biased"] is True
    assert values["seeds"] == [7, 8, 9, 10]
    assert values["diversity"]["spread_ratio"] == pytest.approx(
        report.diversity.spread / report.diversity.recorded_spread
    )


def test_evaluating_again_gives_the_same_whatever_it_is_compared_with(
    report, generator, vocoder, music
):
    again = evaluate_generator(
        generator,
        vocoder,
        music,
        others={"again": music},
        minutes=1,
        random_seed=7,
        embedding=Bands(),
    )
    assert {**again.fad, "drones": 0} == {**report.fad, "again": again.fad["again"], "drones": 0}
    assert (again.diversity, again.clips) == (report.diversity, report.clips)


def test_names_and_mels_that_clash_raise(generator, vocoder, music):
    with pytest.raises(
        ParameterError, match="white noise: the name of a set that is always evaluated"
    ):
        evaluate_generator(
            generator,
            vocoder,
            music,
            others={"white noise": music},
            minutes=1,
            random_seed=0,
            embedding=Bands(),
        )
    other = Generator(UnaganConfig(width=8), PRESETS["hifigan"])
    with pytest.raises(
        ParameterError, match="mel f_max is 8000.0 in the generator and 11025.0 in the vocoder"
    ):
        evaluate_generator(
            other, vocoder, music, others={}, minutes=1, random_seed=0, embedding=Bands()
        )


def test_too_little_to_generate_or_to_compare_with_raises(generator, vocoder, music, loops):
    with pytest.raises(ParameterError, match="minutes=0.5 must be at least 0.67"):
        evaluate_generator(
            generator, vocoder, music, others={}, minutes=0.5, random_seed=0, embedding=Bands()
        )
    with pytest.raises(
        ParameterError, match="loops: its files give 3 clips of 10 s for a set, 4 are needed"
    ):
        evaluate_generator(
            generator,
            vocoder,
            music,
            others={"loops": loops},
            minutes=1,
            random_seed=0,
            embedding=Bands(),
        )


# Diversity


def test_cosine_distances_of_right_angles_and_opposites():
    rows = np.array([[1, 0], [0, 2], [-3, 0]], np.float32)
    np.testing.assert_allclose(cosine_distances(rows, rows[:2]), [[0, 1], [1, 0], [2, 1]])


def test_diversity_of_literal_clips():
    recorded = np.eye(4)[:3]
    generated = np.array([[0.0, 0, 0, 1], [1, 0, 0, 0]])
    assert diversity(generated, recorded) == Diversity(
        spread=1, recorded_spread=1, nearest=0.5, recorded_nearest=1, closest=0, recorded_closest=1
    )


def test_collapsed_generator_has_no_spread():
    rng = np.random.default_rng(0)
    recorded = rng.standard_normal((20, 8))
    mode = rng.standard_normal(8)
    assert diversity(mode + 0.01 * rng.standard_normal((20, 8)), recorded).spread_ratio < 0.01
    assert diversity(rng.standard_normal((20, 8)), recorded).spread_ratio == pytest.approx(
        1, abs=0.2
    )


def test_memorised_clip_is_nearest_0_of_recorded_ones_that_are_not():
    rng = np.random.default_rng(0)
    recorded, generated = rng.standard_normal((2, 20, 8))
    new = diversity(generated, recorded)
    assert new.nearest == pytest.approx(new.recorded_nearest, rel=0.3)
    generated[4] = 2 * recorded[11]
    one = diversity(generated, recorded)
    assert one.closest == pytest.approx(0, abs=1e-12)
    assert one.recorded_closest > 0.05
    assert diversity(recorded[::-1], recorded).nearest == pytest.approx(0, abs=1e-12)


def test_recordings_that_are_all_alike_raise():
    with pytest.raises(ParameterError, match="clips are all alike"):
        diversity(np.eye(3), np.ones((4, 3)))
