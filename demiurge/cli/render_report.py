"""Reports of render, mosaic and playback about the files they have written."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from audio.decibels import to_decibels
from demiurge.cli.plan_table import share_text
from demiurge.cli.terminal import counted, echo_json, echo_line
from files.hashing import hash_file
from files.names import quoted
from query.names import NOT

if TYPE_CHECKING:
    from pathlib import Path

    from demiurge.continuation import Continuation
    from demiurge.results import RenderResult
    from playback.options import OutputOptions
    from playback.plan import Plan
    from playback.render import RenderSummary

QUIET_PEAK = 0.05
ONE_SIDED = 2 / 3  # of the units of a mosaic, from one source
REACHED_LU = 0.05  # a loudness this close to the requested one counts as reached


def echo_results(
    results: list[RenderResult], output: OutputOptions, given: Path | None, *, as_json: bool
) -> None:
    """Print the files that were written with `output`, and what they are made of.

    `given` is the seed or target, if it is to be told where the same file is played.
    """
    if as_json:
        documents = [{**result_facts(result), **own_facts(result, given)} for result in results]
        echo_json(documents[0] if len(documents) == 1 else documents)
        return
    for result in results:
        echo_result(result, output, given)


def echo_result(result: RenderResult, output: OutputOptions, given: Path | None) -> None:
    facts = result_facts(result)
    echo_line(f"{result.wav}: {made_of(facts)}")
    played_itself = own_facts(result, given).get("own", [])
    for own in played_itself:
        echo_line(
            f"  {counted(own['steps'], 'unit')} from {own['source']}, which is {given} itself;"
            f" leave it out with --source {quoted(NOT + own['source'])}"
        )
    for line in shares_lines(facts):
        echo_line(f"  {line}")
    if result.settled:
        echo_line(f"  {result.settled.note}")
    if result.continuation:
        notes = continuation_notes(result.continuation, stretch_range(result.plan))
    else:
        notes = [voices_note(result.plan), "" if played_itself else one_sided_note(result.plan)]
    for note in filter(None, notes):
        echo_line(f"  {note}")
    if facts["rest_seconds"]:
        echo_line(f"  rests for {facts['rest_seconds']:.2f} s")
    if output.loop:
        echo_line(f"  {loop_note(result)}")
    for note in level_notes(result.summary, output.lufs):
        echo_line(f"  {note}")
    echo_decoded(result.plan.settings.get("decode"))
    plan = result.plan_file
    echo_line(
        f"{plan}: the plan; edit it and render it again with: demiurge playback {quoted(plan)} -o"
        " NEW.wav"
    )


def made_of(facts: dict[str, Any]) -> str:
    """Return how long a result is, and of what."""
    return (
        f"{facts['seconds']:.2f} s of {counted(facts['steps'], 'unit')}"
        f" ({facts['distinct_units']} distinct) from {counted(facts['sources'], 'source')},"
        f" {counted(facts['joins'], 'join')}"
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
        **shares_facts(plan),
        **domain_facts(result),
        **continuation_facts(result),
        **level_facts(result.summary),
        **decode_facts(plan.settings.get("decode")),
    }


def loop_note(result: RenderResult) -> str:
    """Return that it is a loop, and of how many beats if its tempo is known."""
    plan = result.plan
    tempo = result.continuation.timing.tempo if result.continuation else 0
    n_beats = plan.n_samples / plan.sample_rate * tempo / 60
    beats = f" of {n_beats:.0f} beats at {tempo:.2f} bpm" if tempo else ""
    return f"a loop{beats}: its end leads into its beginning"


def own_facts(result: RenderResult, given: Path | None) -> dict[str, Any]:
    """Return how many units are from the file given, by sources with its bytes; nothing if none."""
    if given is None:
        return {}
    played = Counter(step.source for step in result.plan.steps)
    stamps = result.plan.sources
    n_bytes = given.stat().st_size
    alike = [name for name in played if name in stamps and stamps[name]["bytes"] == n_bytes]
    content = hash_file(given) if alike else ""
    own = [
        {"source": name, "steps": played[name]} for name in alike if stamps[name]["hash"] == content
    ]
    return {"own": own} if own else {}


def shares_facts(plan: Plan) -> dict[str, Any]:
    """Return what --json prints about several databases; nothing of one."""
    from playback.database_shares import database_shares

    if not (shares := database_shares(plan)):
        return {}
    return {"databases": shares, "normaliser": plan.settings.get("normaliser")}


def shares_lines(facts: dict[str, Any]) -> list[str]:
    """Return what is printed about several databases; nothing of one."""
    if "databases" not in facts:
        return []
    normaliser = f"distances are normalised by the units of {facts['normaliser']}"
    return [*map(share_text, facts["databases"]), normaliser]


def decode_facts(decoded_by: dict[str, str] | None) -> dict[str, Any]:
    """Return the facts that --json prints about the codec that sounded a file, if one did."""
    return {"decode": decoded_by} if decoded_by else {}


def echo_decoded(decoded_by: dict[str, str] | None) -> None:
    """Print which codec sounded a file, if one did."""
    if decoded_by:
        echo_line(
            f"  sounded by {decoded_by['codec']} (hash {decoded_by['hash']}, licence of"
            f" its weights {decoded_by['licence']})"
        )


def lowered(gain_db: float) -> str:
    """Return what is printed after a file that was lowered; "" if it was not."""
    return f", lowered by {-gain_db:.1f} dB to stay below full scale" if gain_db < 0 else ""


def voices_note(plan: Plan) -> str:
    """Return how many voices a mosaic has, and how far its units are transposed; "" if neither."""
    most = round(max(abs(step.transpose) for step in plan.steps))
    if plan.n_voices == 1 and not most:
        return ""
    transposed = f"; units are transposed by up to {counted(most, 'semitone')}" if most else ""
    return f"{counted(plan.n_voices, 'voice')}{transposed}"


def one_sided_note(plan: Plan) -> str:
    """Return that most of a mosaic is of one source, and what helps; "" if it is not, or asked for.

    It may be the only one that fits; or one that joins itself well, like hiss.
    """
    (source, n_steps), *others = Counter(step.source for step in plan.steps).most_common()
    asked = plan.settings["filters"].get("sources", ())
    is_only_one = not others and any(not name.startswith(NOT) for name in asked)
    if is_only_one or n_steps <= ONE_SIDED * len(plan.steps):
        return ""
    return (
        f"{n_steps} of {len(plan.steps)} units are from {source}; --novelty 1 plays more of the"
        f" others, --source {quoted(NOT + source)} all but this"
    )


def domain_facts(result: RenderResult) -> dict[str, Any]:
    """Return the facts that --json prints about range and level; none of a continuation."""
    settled = result.settled
    if settled is None:
        return {}
    return {"range": settled.range, "level": settled.level, "farness": settled.farness}


def continuation_facts(result: RenderResult) -> dict[str, Any]:
    """Return the facts that --json prints about how a seed was continued; none of a mosaic."""
    continuation = result.continuation
    if continuation is None:
        return {}
    least, most = stretch_range(result.plan)
    return {
        "tempo": continuation.timing.tempo or None,
        "pulse": continuation.timing.confidence,
        "world_seconds": continuation.world_seconds,
        "world_sources": continuation.world_sources,
        "least_stretch": least,
        "most_stretch": most,
        "missing": continuation.missing,
    }


def stretch_range(plan: Plan) -> tuple[float, float]:
    """Return the least and the largest stretch factor of a plan."""
    factors = [step.stretch for step in plan.steps]
    return min(factors), max(factors)


def continuation_notes(continuation: Continuation, stretch: tuple[float, float]) -> list[str]:
    """Return what a continuation was made from and why, and what its database lacks."""
    database = continuation.space.database
    timing = continuation.timing
    sources = counted(continuation.world_sources, "source")
    chosen_from = f"from {continuation.world_seconds:.0f} s of {sources} that sound like its end"
    if timing.has_pulse:
        bpm = f"{timing.tempo:.0f} bpm (pulse {timing.confidence:.2f})"
        how = f"in the tempo of {timing.beats_of}, {bpm}"
    else:
        heard = f" (pulse {timing.confidence:.2f})" if database.settings.is_metrical else ""
        how = f"without a beat{heard}: units last as they do in their sources"
    notes = [f"{how}, {chosen_from}"]
    least, most = stretch
    if least != 1 or most != 1:
        notes[0] += f"; stretched by {least:.2f} to {most:.2f}"
    if continuation.missing:
        notes.append(
            f"{database.path} lacks {', '.join(continuation.missing)}, which keep tempo, harmony"
            " and level; build another and train on it: demiurge db build"
            f" {quoted(str(database.root))} NEW.db"
        )
    return notes


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
