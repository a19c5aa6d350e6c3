"""demiurge playback: render a plan."""

from pathlib import Path

import click

from demiurge.cli.output import audio_out_option, check_wav, echo_json, force_option, json_option, progress_bar


@click.command(
    epilog="\b\nExamples:\n  demiurge playback out.plan.json -o again.wav\n  demiurge playback out.plan.json -o a.wav --root D"
)
@click.argument("plan", type=click.Path(path_type=Path))
@audio_out_option
@click.option("--crossfade", "crossfade_ms", type=click.FloatRange(0), help="Milliseconds. [default: the plan's]")
@click.option("--root", type=click.Path(path_type=Path), help="Where the corpus is now, if it has moved.")
@force_option
@json_option
def playback(plan: Path, out: Path, crossfade_ms: float | None, root: Path | None, force: bool, as_json: bool) -> None:
    """Render PLAN, as it was written or as you have edited it, to a WAV."""
    from demiurge.pipeline import render_plan
    from playback.plan import Plan

    check_wav(out, force=force)
    loaded = Plan.load(plan)
    with progress_bar("rendering", quiet=as_json) as progress:
        summary = render_plan(loaded, out, root=root, crossfade_ms=crossfade_ms, progress=progress)
    seconds = summary.n_samples / loaded.sample_rate
    if as_json:
        echo_json(
            {
                "wav": str(out),
                "samples": summary.n_samples,
                "seconds": seconds,
                "peak": summary.peak,
                "gain_db": summary.gain_db,
            }
        )
        return
    click.echo(f"{out}: {seconds:.2f} s, {len(loaded.steps)} units")
    if summary.gain_db:
        click.echo(f"  lowered by {-summary.gain_db:.1f} dB to stay below full scale")
