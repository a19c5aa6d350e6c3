"""demiurge synth train-codec, and resynth by a codec, as people run them: at toy sizes."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf

from demiurge.bundled import CORPUS_DIR
from synth.codecs.mel_codec import MelCodecModel
from synth.open_codec import open_codec
from synth.resynth import resynthesise_by_codec
from tests.demiurge.test_synth_command import run
from tests.synth.toy_codecs import SIZES, save_toy, toy_vocoder
from tests.synth.toy_flows import MEL

TOY = {**SIZES, "segment_frames": 64, "batch_size": 2}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Bundled sounds, a trained codec, and the sizes and the vocoder that it was made with."""
    folder = tmp_path_factory.mktemp("codec")
    (folder / "sounds").mkdir()
    for name in ("loop_amen", "ambi_choir", "guit_em9"):
        (folder / "sounds" / f"{name}.ogg").write_bytes((CORPUS_DIR / f"{name}.ogg").read_bytes())
    (folder / "toy.json").write_text(json.dumps(TOY))
    toy_vocoder(MEL).save(folder / "vocoder")
    save_toy(folder / "toy.codec", MEL)
    line = ("train-codec", folder / "sounds", folder / "my.codec", "--steps", 3)
    said = run(*line, "--size", folder / "toy.json", "--vocoder", folder / "vocoder")
    return SimpleNamespace(folder=folder, said=said)


def test_training_tells_bits_distances_and_use_and_keeps_them(work):
    model = work.folder / "my.codec"
    measures = MelCodecModel.load(model).training_summary["measures"]
    rate = 22050 / 512 * 4  # 16 entries
    for number in (1, 2, 3):
        books = f"{number} codebook{'s' if number > 1 else ''}"
        line = (
            f"  {books}: {number * rate:.0f} bits a second, mel distance"
            f" {measures[f'mel_l1_{number}']:.3f}, {measures[f'perplexity_{number}']:.0f}"
            " entries of the last in use\n"
        )
        assert line in work.said.out
    assert "my.codec: mel-codec, best after 3 of 3 steps" in work.said.out
    assert "lower is better; the mean spectrum: " in work.said.out
    assert f"synth resynth AUDIO codec:{model} --codebooks 4 -o again.wav\n" in work.said.out


def test_training_goes_on_and_from(work, tmp_path):
    sounds, model = work.folder / "sounds", tmp_path / "a.codec"
    first = ("train-codec", sounds, model, "--size", work.folder / "toy.json", "--steps", 1)
    run(*first, "--vocoder", work.folder / "vocoder")
    document = json.loads(run("train-codec", sounds, model, "--resume", "--json", "--steps", 2).out)
    assert document["steps"] == 2
    assert [row["codebooks"] for row in document["by_codebooks"]] == [1, 2, 3]
    assert (model / "vocoder" / "model.safetensors").read_bytes() == (
        work.folder / "my.codec" / "vocoder" / "model.safetensors"
    ).read_bytes()
    again = ("train-codec", sounds, tmp_path / "b.codec", "--steps", 1, "--batch-size", 1)
    from_toy = ("--from", work.folder / "toy.codec", "--size", work.folder / "toy.json")
    run(*again, *from_toy, "--vocoder", work.folder / "vocoder")
    assert MelCodecModel.load(tmp_path / "b.codec").config.width == TOY["width"]
    refused = run(*again, *from_toy, "--force", "--mel", "44k", expect=2).err
    assert "--mel: the model that --from names has its own; leave it out" in refused
    refused = run("train-vocoder", sounds, model, "--resume", expect=1).err
    assert "holds the training of a codec, not of a vocoder" in refused


def test_a_vocoder_of_another_mel_is_refused(work, tmp_path):
    line = ("train-codec", work.folder / "sounds", tmp_path / "x.codec", "--mel", "44k")
    refused = run(*line, "--vocoder", work.folder / "vocoder", expect=2).err
    assert "mel sample_rate is 44100 in the codec and 22050 in its vocoder" in refused
    assert not (tmp_path / "x.codec").exists()


@pytest.mark.parametrize("codebooks", [None, 1, 3])
def test_resynth_by_a_codec_keeps_length_and_channels(codebooks, work, tmp_path, tabla):
    stereo = np.stack([tabla, 0.5 * tabla[::-1]], axis=1)[:9999]
    sf.write(tmp_path / "in.wav", stereo, 22050, subtype="FLOAT")
    path = work.folder / "toy.codec"
    more = ("--codebooks", codebooks) if codebooks else ()
    line = ("resynth", tmp_path / "in.wav", f"codec:{path}", "-o", tmp_path / "o.wav", *more)
    document = json.loads(run(*line, "--json").out)
    samples, rate = sf.read(tmp_path / "o.wav", dtype="float32")
    assert (samples.shape, rate) == ((9999, 2), 22050)
    codec = open_codec(path)
    assert (document["codec"], document["hash"]) == ("codec toy.codec", codec.hash)
    expected = resynthesise_by_codec(tmp_path / "in.wav", codec, codebooks)
    np.testing.assert_allclose(samples, expected * document["gain"], rtol=0, atol=1e-4)
    if codebooks:
        assert document["bits_per_second"] == pytest.approx(codebooks * 4 * 22050 / 512)
        kbits = codebooks * 4 * 22050 / 512 / 1000
        said = run(*line, "--force").out
        assert f"2 channels, {kbits:.2f} kbit/s for each" in said


def test_resynth_refuses_codebooks_that_are_not_there(work, tmp_path, tabla):
    sf.write(tmp_path / "in.wav", tabla, 22050)
    line = ("resynth", tmp_path / "in.wav")
    more = ("-o", tmp_path / "o.wav", "--codebooks", 4)
    told = run(*line, f"codec:{work.folder / 'toy.codec'}", *more, expect=2).err
    assert "n_codebooks=4 must be from 1 to 3, those of codec toy.codec" in told
    told = run(*line, work.folder / "vocoder", *more, expect=2).err
    assert "--codebooks 4 needs a codec; give codec:PATH" in told
    told = run(*line, "codec:shipped:flute", "-o", tmp_path / "o.wav", expect=2).err
    assert "no codec of that name is shipped" in told
    assert not (tmp_path / "o.wav").exists()


def test_discriminators_train_the_decoder_of_a_codec(work, tmp_path):
    line = ("train-codec", work.folder / "sounds", tmp_path / "d.codec", "--steps", 1)
    more = ("--discriminators", "encodec", "--batch-size", 1)
    told = run(*line, *more, expect=2).err
    assert (
        "discriminators=encodec train the decoder of a trained codec; name it with --from" in told
    )
    (tmp_path / "long.json").write_text(json.dumps({**TOY, "segment_frames": 128}))
    start = ("--from", work.folder / "toy.codec", "--size", tmp_path / "long.json")
    said = run(*line, *more, *start, "--vocoder", work.folder / "vocoder").out
    assert "Fréchet distance of decoded mels" in said
    assert open_codec(tmp_path / "d.codec").n_codebooks == 3
