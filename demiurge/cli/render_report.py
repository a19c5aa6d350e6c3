"""Reports of render, mosaic and playback about the files they have written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from audio.decibels import to_decibels
from demiurge.cli.terminal import echo_json, quoted

if TYPE_CHECKING:
    from demiurge.pipeline import RenderResult
    from playback.render import RenderSummary

QUIET_PEAK = 0.05
REACHED_LU = 0.05  # a loudness this close to the requested one counts as reached


def echo_results(results: list[RenderResult], lufs: float | None, *, as_json: bool) -> None:
    """Print the files that were written, and what they are made of."""
    if as_json:
        documents = [result_facts(result) for result in results]
        echo_json(documents[0] if len(documents) == 1 else documents)
        return
    for result in results:
        echo_result(result, lufs)


def echo_result(result: RenderResult, lufs: float | None) -> None:
    facts = result_facts(result)
    click.echo(
        f"{result.wav}: {facts['seconds']:.2f} s of {facts['steps']} units"
        f" ({facts['distinct_units']} distinct) from {facts['sources']} sources,"
        f" {facts['joins']} joins"
    )
    if facts["rest_seconds"]:
        click.echo(f"  rests for {facts['rest_seconds']:.2f} s")
    for note in level_notes(result.summary, lufs):
        click.echo(f"  {note}")
    plan = result.plan_file
    click.echo(
        f"{plan}: the plan; edit it and render it again with: demiurge playback {quoted(plan)} -o"
        " NEW.wav"
    )


def result_facts(result: RenderResult) -> dict[str, Any]:
    """Return the facts that --json prints about a result."""
    plan = result.plan
    return {
        "wav": str(result.wav),
        "plan": str(result.plan_file),
        "samples": result.summary.n_samples,
        "seconds": result.summary.n_samples / plan.sample_rate,
        "steps": len(plan.steps),
        "sources": result.n_sources,
        "distinct_units": result.n_distinct_units,
        "joins": result.n_joins,
        "mean_distance": result.mean_distance,
        "rest_seconds": result.rest_seconds,
        **level_facts(result.summary),
    }


def level_facts(summary: RenderSummary) -> dict[str, Any]:
    """Return the facts that --json prints about the level of a file."""
    return {
        "peak": summary.peak,
        "gain_db": summary.gain_db,
        "lufs": summary.lufs,
        "true_peak_db": summary.true_peak_db,
    }


def level_notes(summary: RenderSummary, lufs: float | None = None) -> list[str]:
    """Return sentences about the level; `lufs` is the requested loudness."""
    if summary.lufs is None:
        return unmeasured_notes(summary, lufs)
    notes = [
        f"{summary.lufs:.1f} LUFS, true peak {summary.true_peak_db:.1f} dB, changed by"
        f" {summary.gain_db:+.1f} dB"
    ]
    if lufs is not None and summary.lufs < lufs - REACHED_LU:
        notes.append(
            f"{lufs:g} LUFS would need a limiter, since the true peak is at its limit; raise the"
            " limit with demiurge playback --true-peak, 0 at most"
        )
    return notes


def unmeasured_notes(summary: RenderSummary, lufs: float | None) -> list[str]:
    """Return sentences about a file whose loudness was not, or could not be, measured."""
    notes = []
    if summary.gain_db:
        notes.append(f"lowered by {-summary.gain_db:.1f} dB to stay below full scale")
    if 0 < summary.peak < QUIET_PEAK:
        peak_db = to_decibels(summary.peak)
        notes.append(f"quiet: no sample is above {peak_db:.0f} dB; --lufs -16 makes it louder")
    if lufs is not None:
        notes.append("the loudness cannot be measured, so the level is not changed")
    return notes
