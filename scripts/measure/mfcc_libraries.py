"""Compare our MFCC with those of librosa, essentia and openSMILE, for docs/benchmarks.md.

    pip install essentia opensmile   # which Demiurge does not install
    OMP_NUM_THREADS=1 python scripts/measure/mfcc_libraries.py AUDIO [--minutes 10]

AUDIO is a folder; its first files are decoded to mono WAV of 16 bits at 44.1 kHz beforehand. Each
library reads the same WAVs from disk itself and makes 13 MFCC of 128 mel bands, in windows of 2048
samples every 1024, on one thread. essentia runs as a streaming network, openSMILE in C from file to
file: the fastest ways that they offer. essentia can be told to compute nearly what librosa does;
openSMILE has neither that mel scale nor dB. Each is also compared with librosa told to compute the
same.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import soundfile as sf
from scipy.signal.windows import hann

from audio.read import read_mono
from audio.resample import resample
from audio.scan import find_audio
from db.analyse import describe_file
from db.settings import DescriptorSettings

try:
    import essentia
    import opensmile.core.lib as opensmile
    from essentia import streaming
except ImportError as error:
    raise SystemExit(f"{error.name} is missing; run: pip install essentia opensmile") from None

RATE = 44100
N_FFT = 2048
HOP = 1024
N_MELS = 128
N_MFCC = 13
AMIN = 1e-10
SETTINGS = DescriptorSettings(window_centre="start")  # the frames of librosa
REPEATS = 3

OPENSMILE = f"""
[componentInstances:cComponentManager]
instance[dataMemory].type=cDataMemory
instance[wave].type=cWaveSource
instance[frames].type=cFramer
instance[window].type=cWindower
instance[fft].type=cTransformFFT
instance[magnitude].type=cFFTmagphase
instance[mel].type=cMelspec
instance[mfcc].type=cMfcc
instance[out].type=cHtkSink
[wave:cWaveSource]
writer.dmLevel=wave
filename=\\cm[input{{?}}:the file to read]
monoMixdown=1
[frames:cFramer]
reader.dmLevel=wave
writer.dmLevel=frames
frameSizeFrames={N_FFT}
frameStepFrames={HOP}
noPostEOIprocessing=1
[window:cWindower]
reader.dmLevel=frames
writer.dmLevel=windowed
winFunc=Han
[fft:cTransformFFT]
reader.dmLevel=windowed
writer.dmLevel=fft
[magnitude:cFFTmagphase]
reader.dmLevel=fft
writer.dmLevel=magnitude
[mel:cMelspec]
reader.dmLevel=magnitude
writer.dmLevel=mel
nBands={N_MELS}
lofreq=0
hifreq={RATE // 2}
usePower=1
specScale=mel
htkcompatible=0
[mfcc:cMfcc]
reader.dmLevel=mel
writer.dmLevel=mfcc
firstMfcc=0
lastMfcc={N_MFCC - 1}
cepLifter=0
htkcompatible=0
melfloor={AMIN}
[out:cHtkSink]
reader.dmLevel=mfcc
filename=\\cm[output{{?}}:the file to write]
"""

Measure = Callable[[Path], np.ndarray]  # of a WAV, shape (frames, 13 or 39)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        wavs = write_wavs(arguments.audio, Path(name), 60 * arguments.minutes)
        (Path(name) / "mfcc.conf").write_text(OPENSMILE)
        measures: dict[str, Measure] = {
            "Demiurge, with Δ and ΔΔ": measure_ours,
            "librosa": measure_librosa,
            "librosa, with Δ and ΔΔ": measure_librosa_deltas,
            "essentia": measure_essentia,
            "openSMILE": measure_opensmile,
        }
        print_speed(measures, wavs)
        print_differences(wavs)


def write_wavs(audio: Path, folder: Path, seconds: float) -> list[Path]:
    """Write the first files of a folder, `seconds` or somewhat more in all, as mono WAV."""
    paths: list[Path] = []
    for name in find_audio(audio):
        if seconds <= 0:
            break
        samples, info = read_mono(audio / name)
        samples = resample(samples, info.sample_rate, RATE)
        paths.append(folder / f"{len(paths)}.wav")
        sf.write(paths[-1], samples, RATE, subtype="PCM_16")
        seconds -= len(samples) / RATE
    return paths


def print_speed(measures: dict[str, Measure], wavs: list[Path]) -> None:
    """Print how many times faster than real time each is: medians of rounds in turn."""
    for measure in measures.values():
        measure(wavs[0])  # compiles and imports what it needs
    times: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(REPEATS):
        for name, measure in measures.items():
            started = time.perf_counter()
            for wav in wavs:
                measure(wav)
            times[name].append(time.perf_counter() - started)
    seconds = sum(sf.info(wav).duration for wav in wavs)
    ours = statistics.median(next(iter(times.values())))
    print(f"{len(wavs)} files, {seconds / 60:.1f} minutes, medians of {REPEATS}\n")
    print("| MFCC by | seconds | × real time | time, ours = 1 |")
    print("|---|---|---|---|")
    for name, each in times.items():
        median = statistics.median(each)
        print(f"| {name} | {median:.2f} | {seconds / median:.0f} | {median / ours:.1f} |")


def print_differences(wavs: list[Path]) -> None:
    """Print the differences of each from librosa told to compute the same."""
    print("\n| MFCC by | beside librosa with | median difference | 99 % within | largest |")
    print("|---|---|---|---|---|")
    pairs: list[tuple[str, str, Measure, Measure]] = [
        ("Demiurge", "its defaults", measure_ours, measure_librosa),
        ("essentia", "no floor 80 dB below the loudest", measure_essentia, librosa_as_essentia),
        (
            "openSMILE",
            "HTK's mel scale, bands of equal height, natural logarithm, uncentred frames",
            measure_opensmile,
            librosa_as_opensmile,
        ),
    ]
    for name, definition, theirs, same in pairs:
        differences = np.concatenate([difference(theirs(wav), same(wav)) for wav in wavs])
        median, most = np.percentile(differences, (50, 99))
        print(f"| {name} | {definition} | {median:.1e} | {most:.1e} | {differences.max():.1e} |")


def difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the absolute differences of the frames and coefficients that both have."""
    n_frames = min(len(first), len(second))
    return np.abs(first[:n_frames, :N_MFCC] - second[:n_frames, :N_MFCC])


def measure_ours(wav: Path) -> np.ndarray:
    return describe_file(wav, SETTINGS)[1].units


def measure_librosa(wav: Path) -> np.ndarray:
    samples, _ = librosa.load(wav, sr=RATE)
    return librosa.feature.mfcc(
        y=samples, sr=RATE, n_mfcc=N_MFCC, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
    ).T


def measure_librosa_deltas(wav: Path) -> np.ndarray:
    static = measure_librosa(wav).T
    deltas = [librosa.feature.delta(static, order=order) for order in (1, 2)]
    return np.concatenate([static, *deltas]).T


def measure_essentia(wav: Path) -> np.ndarray:
    pool = essentia.Pool()
    source = streaming.MonoLoader(filename=str(wav), sampleRate=RATE)
    # startFromZero: whether the first window starts, rather than is centred, on the first sample
    frames = streaming.FrameCutter(
        frameSize=N_FFT, hopSize=HOP, startFromZero=False, silentFrames="keep"
    )
    window = streaming.Windowing(type="hann", normalized=False, size=N_FFT)
    spectrum = streaming.Spectrum(size=N_FFT)
    mfcc = streaming.MFCC(
        inputSize=1 + N_FFT // 2,
        sampleRate=RATE,
        numberBands=N_MELS,
        numberCoefficients=N_MFCC,
        lowFrequencyBound=0,
        highFrequencyBound=RATE / 2,
        warpingFormula="slaneyMel",
        weighting="linear",
        normalize="unit_tri",
        type="power",
        dctType=2,
        logType="dbpow",
        silenceThreshold=AMIN,
    )
    source.audio >> frames.signal
    frames.frame >> window.frame
    window.frame >> spectrum.frame
    spectrum.spectrum >> mfcc.spectrum
    mfcc.mfcc >> (pool, "mfcc")
    mfcc.bands >> None
    essentia.run(source)
    return pool["mfcc"]


def librosa_as_essentia(wav: Path) -> np.ndarray:
    samples, _ = librosa.load(wav, sr=RATE)
    power = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS
    )
    decibels = librosa.power_to_db(power, amin=AMIN, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=N_MFCC).T


def measure_opensmile(wav: Path) -> np.ndarray:
    out = wav.with_suffix(".htk")
    options = {"input": str(wav), "output": str(out)}
    smile = opensmile.OpenSMILE()
    smile.initialize(str(wav.parent / "mfcc.conf"), options, loglevel=1)
    smile.run()
    smile.free()
    content = out.read_bytes()
    n_frames = int.from_bytes(content[:4], "big")
    return np.frombuffer(content[12:], ">f4").reshape(n_frames, N_MFCC).astype(np.float32)


def librosa_as_opensmile(wav: Path) -> np.ndarray:
    samples, _ = librosa.load(wav, sr=RATE)
    window = hann(N_FFT, sym=True)
    transform = librosa.stft(samples, n_fft=N_FFT, hop_length=HOP, center=False, window=window)
    filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=N_MELS, htk=True, norm=None)
    bands = np.log(np.maximum(filters @ np.abs(transform) ** 2, AMIN))
    mfcc = librosa.feature.mfcc(S=bands, n_mfcc=N_MFCC).T
    mfcc[:, 0] *= np.sqrt(2.0)  # openSMILE scales the mean as the other rows of the DCT
    return mfcc


if __name__ == "__main__":
    main()
