"""Tables of what demiurge synth evaluate has measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from demiurge.cli.terminal import echo_line, echo_table

if TYPE_CHECKING:
    from synth.audio_distance import AudioDistances
    from synth.diversity import Diversity
    from synth.evaluate_folders import FoldersReport
    from synth.evaluate_generator import GeneratorReport
    from synth.evaluate_infilling import InfillingReport
    from synth.evaluate_vocoder import VocoderScore
    from synth.music_measures import MusicMeasures
    from training.bootstrap import Estimate

DISTANCES = ["FAD", "KAD", "KL of tags"]
BIASED = (
    "  FAD of so few windows is too high: compare rows of this table only, or measure on more audio"
)


def echo_vocoders(audio_dir: Path, scores: list[VocoderScore]) -> None:
    """Print a row for each vocoder."""
    are_heard = any(score.distances for score in scores)
    heard = [*DISTANCES, "windows"] if are_heard else []
    speed = f"× real time (threads: {scores[0].threads})"
    rows = []
    for score in scores:
        row = [score.name, number_text(score.mel_l1, 3), number_text(score.stft, 3)]
        if score.distances:
            row += [*distances_cells(score.distances), number_text(score.windows, 0)]
        rows.append([*row, number_text(score.real_time, 1)])
    title = f"{audio_dir}: distance from the original audio; lower is better"
    echo_table(title, ["vocoder", "mel L1", "STFT", *heard, speed], rows)
    if any(score.fad_is_biased for score in scores):
        echo_line(BIASED)


def echo_folders(reference_dir: Path, report: FoldersReport) -> None:
    """Print a row for each folder."""
    echo_distances(reference_dir, report.clips, report.distances)
    if report.fad_is_biased:
        echo_line(BIASED)


def echo_generator(audio_dir: Path, report: GeneratorReport) -> None:
    """Print the distances, measures of music, and figures for monotony and copying."""
    echo_distances(audio_dir, report.clips, report.distances)
    echo_line(
        "  best possible: recordings, other half; nothing learnt: their frames in random order, and"
        " white noise"
    )
    echo_music(report.music)
    echo_diversity(report.diversity)
    if report.fad_is_biased:
        echo_line(BIASED)


def echo_infilling(audio_dir: Path, report: InfillingReport) -> None:
    """Print a row for the recordings, for the generator, and for copying."""
    rows = [
        [
            name,
            estimate_text(score.mel_step, 3),
            estimate_text(score.embedding_step, 3),
            estimate_text(score.kad, 1),
        ]
        for name, score in report.scores.items()
    ]
    title = f"{audio_dir}: {report.spans} spans of 1 s; lower is better"
    echo_table(title, ["filled with", "mel L1 at borders", "embedding at borders", "KAD"], rows)


def echo_distances(reference: Path, n_clips: int, distances: dict[str, AudioDistances]) -> None:
    """Print a row for each set."""
    rows = [[name, *distances_cells(found)] for name, found in distances.items()]
    title = f"{reference}: {n_clips} clips of each set; lower is better"
    echo_table(title, ["set", *DISTANCES], rows)


def echo_music(music: dict[str, MusicMeasures]) -> None:
    """Print a row for each set."""
    rows = [
        [
            name,
            estimate_text(found.onsets, 2),
            estimate_text(found.pulse_clarity, 3),
            estimate_text(found.chroma_entropy, 3),
        ]
        for name, found in music.items()
    ]
    title = "measures of music; nearer to the recordings is better"
    echo_table(title, ["set", "onsets/s", "pulse clarity", "chroma entropy, bits"], rows)


def echo_diversity(found: Diversity) -> None:
    """Print how far clips are from one another, and from recordings."""
    echo_line(
        f"  spread of clips: {found.spread:.3f}, of recordings: {found.recorded_spread:.3f}; much"
        " less means monotony"
    )
    echo_line(
        f"  nearest recording: {found.nearest:.3f} (5 % below {found.near:.3f}, at least"
        f" {found.closest:.3f}), from another recording: {found.recorded_nearest:.3f} (5 % below"
        f" {found.recorded_near:.3f}, at least {found.recorded_closest:.3f}); less means copying"
    )


def distances_cells(distances: AudioDistances) -> list[str]:
    """Return the cells under `DISTANCES`."""
    return [
        estimate_text(distances.fad, 2),
        estimate_text(distances.kad, 1),
        estimate_text(distances.tag_kl, 3),
    ]


def estimate_text(estimate: Estimate, digits: int) -> str:
    """Return a value with its 95 % interval if it has one; "" for NaN."""
    if math.isnan(estimate.value):
        return ""
    value, lower, upper = (number_text(part, digits) for part in vars(estimate).values())
    return value if math.isnan(estimate.lower) else f"{value} ({lower}…{upper})"


def number_text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value + 0.0:.{digits}f}"
