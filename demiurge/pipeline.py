"""The chain: seed file → descriptors → closed loop with a forecaster → path → plan → WAV.

Each arrow is one call into a room.
"""

from dataclasses import replace
from pathlib import Path

from db.database import Database
from db.include import include_file
from demiurge.continuation import continue_seed
from demiurge.domains import ALIKE, Domains, check_domains_of_voices, settle
from demiurge.plans.follow import keep_steps, target_levels
from demiurge.plans.settings import PlanSettings, normaliser_of
from demiurge.plans.stretching import check_can_stretch
from demiurge.renderer import OnResult, Renderer
from demiurge.reopen import as_database
from demiurge.results import RenderResult
from demiurge.sequences import describe
from demiurge.tracks import check_lasts, read_track
from demiurge.voices import describe_target
from files.errors import ParameterError
from files.progress import Progress, no_progress
from files.roots import Folder
from playback.options import DEFAULT_RENDER, RenderOptions
from query.names import AUTO
from query.settings import SearchSettings
from sequencer.sampling import AS_LEARNED, SamplingOptions


def render_continuation(
    seed: str | Path,
    database: str | Path | Database,
    model: str | Path,
    out: Path,
    *,
    seconds: float,
    sampling: SamplingOptions = AS_LEARNED,
    search: SearchSettings,
    accompanied: str | Path | None = None,
    include_seed: bool = False,
    transpose: int = 0,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Folder | None = None,
    seed_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Continue the seed with units of the database for `seconds`, and render that to `out`.

    The forecaster hears what is chosen (`query.closed_loop`), and goes with the track
    `accompanied`, a file that begins with the seed, if it is given. Several variations are named by
    `variation_paths`. Plans name the seed by `seed_name`, by default its path. With `include_seed`,
    the seed itself may be played, too; `transpose` is as for `continue_seed`. A loop lasts for a
    whole number of bars, if the seed has a pulse.

    Raises
    ------
    ParameterError
        If a forecast is to be included, or the model cannot go with the track; and as
        `demiurge.continuation.continue_seed`.
    PlanError, AudioError
        As `playback.render.render`.
    """
    from sequencer.forecaster import Forecaster
    from sequencer.scorer import ForecasterScorer

    opened = as_database(database, root)
    forecaster = Forecaster.load(model)
    opened.settings.check_matches(
        forecaster.config.settings, mine=f"the database {opened.path}", theirs=f"the model {model}"
    )
    heard = describe(seed, opened.settings)
    track = None
    if accompanied is not None:
        described = read_track(accompanied, forecaster)
        n_samples = int(heard.step_samples.sum())
        check_lasts(accompanied, described, n_samples, opened.sample_rate)
        track = described.track
        if described.has_surer_pulse(heard.grid):
            heard = replace(heard, grid=described.grid, beats_of="the track")
    seed_source = None
    if include_seed:
        _check_is_audio(seed)
        opened, seed_source = include_file(opened, seed, heard.descriptors, heard.step_samples)
    continuations = continue_seed(
        heard,
        opened,
        ForecasterScorer(forecaster, sampling, track=track),
        seconds=seconds,
        sampling=sampling,
        search=search,
        seed_source=seed_source,
        transpose=transpose,
        whole_bars=render_options.output.loop,
        progress=progress,
    )
    settings = PlanSettings(
        search=search,
        crossfade=render_options.crossfade,
        seed=seed_name or str(seed),
        model=str(model),
        sampling=sampling,
        accompanied=None if accompanied is None else str(accompanied),
        include_seed=include_seed or None,
        transpose=transpose or None,
        decode=render_options.decoded_by,
        normaliser=normaliser_of(opened),
    )
    renderer = Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render_continuations(continuations, heard, out)


def _check_is_audio(seed: str | Path) -> None:
    if Path(seed).suffix.lower() == ".json":
        raise ParameterError(
            f"{seed}: a forecast has no sound that could be included; give an audio file, or leave"
            " --include-seed out"
        )


def render_mosaic(
    target: str | Path,
    database: str | Path | Database,
    out: Path,
    *,
    search: SearchSettings,
    domains: Domains | None = None,
    render_options: RenderOptions = DEFAULT_RENDER,
    root: Folder | None = None,
    target_name: str | None = None,
    progress: Progress = no_progress,
    on_result: OnResult | None = None,
) -> list[RenderResult]:
    """Rebuild the target from units of the database, and write it to `out`, equally long.

    A target unlike the corpus is treated as `domains` say, by default as `ALIKE`; voices follow its
    level in any case. Several variations are named by `variation_paths`. Plans name the target by
    `target_name`, by default its path. Raises as `describe`, `query.path.find_paths`,
    `check_domains_of_voices` and `playback.render.render`.
    """
    if domains and search.voices.fit_spectra:
        check_domains_of_voices(domains)
    opened = as_database(database, root)
    if search.stretch == AUTO:
        check_can_stretch(opened)
    sequence = describe(target, opened.settings)
    settings = PlanSettings(
        search=search,
        crossfade=render_options.crossfade,
        target=target_name or str(target),
        decode=render_options.decoded_by,
        normaliser=normaliser_of(opened),
    )
    if search.voices.fit_spectra:
        renderer = Renderer(opened, settings, render_options, progress, on_result)
        return renderer.render_voices(describe_target(target, sequence, opened), sequence, out)
    index = search.index(opened, sequence.step_samples, progress)
    settled = settle(domains or ALIKE, index, sequence, search.path)
    levels = None
    if settled.level == "follow":
        levels = target_levels(target, sequence, opened.settings)
        render_options = replace(render_options, crossfade=keep_steps(render_options.crossfade))
    settings = replace(
        settings,
        search=replace(search, path=settled.path),
        crossfade=render_options.crossfade,
        **settled.recorded,
    )
    renderer = Renderer(opened, settings, render_options, progress, on_result)
    return renderer.render(index, settled, levels, out)
