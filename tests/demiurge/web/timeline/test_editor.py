"""The editor: after any edit the audio is what stitching the whole plan would give, bit for bit."""

import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from audio.decoded import DecodedCache
from demiurge.plans.edit import lock_steps, remove_steps, repeat_step, replace_unit
from demiurge.plans.reselect import reselect, why_never_again
from demiurge.web.plans import PlanFile
from demiurge.web.timeline.editor import Editor
from demiurge.web.timeline.history import History
from demiurge.web.timeline.open_plans import KEPT, OpenPlans
from demiurge.web.timeline.publisher import Publisher
from demiurge.web.timeline.recent_audio import KEPT as KEPT_AUDIO
from demiurge.web.timeline.rendered_audio import RenderedAudio
from demiurge.web.timeline.renderer import Renderer
from demiurge.web.timeline.sources import PlanSources
from demiurge.web.timeline.tape import BLOCK_SAMPLES, Piece, Tape
from demiurge.web.workspace import Workspace
from files.errors import AudioError, ParameterError, PlanError
from playback.diff import Change
from playback.open_plan import open_plan
from playback.options import CrossfadeOptions, RenderOptions
from playback.plan import Plan
from playback.render import render
from playback.stitch import stitch
from query.settings import SearchSettings
from tests.demiurge.web.conftest import wait_until
from tests.demiurge.web.voiced_plans import with_voices

RATE = 44100
FILE = PlanFile("id", "name", Path("name.plan.json"), "opened")


@pytest.fixture(scope="module")
def made(rebuilt: Path) -> Plan:
    """A second of tabla, made of other sounds."""
    return Plan.load(rebuilt)


@pytest.fixture
def opened(workspace):
    """A function that opens a plan in an editor; the fixture closes them."""
    editors = []

    def open_plan(plan, root=None):
        editors.append(edited(workspace, plan, root))
        return editors[-1]

    yield open_plan
    for editor in editors:
        sources_of(editor).close()
    workspace.close()


def edited(workspace: Workspace, plan: Plan, root: Path | None = None) -> Editor:
    """An editor whose first rendering is done."""
    editor = new_editor(workspace, plan, root)
    editor.render(lambda: None)
    return editor


def new_editor(
    workspace: Workspace,
    plan: Plan,
    root: Path | None = None,
    *,
    history: History | None = None,
    told: list | None = None,
) -> Editor:
    """An editor that has rendered nothing; its events are added to `told`."""
    sources = PlanSources(
        root or workspace.roots,
        sample_rate=plan.sample_rate,
        channels=plan.channels,
        cache=DecodedCache(),
    )
    renderer = Renderer(sources, CrossfadeOptions.of(plan.settings), workspace.folder)
    events = [] if told is None else told
    publisher = Publisher(lambda kind, data: events.append(data))
    return Editor(FILE, history or History(plan), renderer, publisher)


def sources_of(editor: Editor) -> PlanSources:
    return editor.renderer.sources


def anew(plan: Plan, root: Path) -> np.ndarray:
    """The audio of a plan, stitched as a whole; silence if nothing can be played."""
    try:
        opened = open_plan(plan, root, skip_missing=True)
    except PlanError:
        return np.zeros((plan.n_samples, plan.channels), np.float32)
    with opened:
        return np.concatenate(
            [*stitch(opened.plan, opened.reader, crossfade=CrossfadeOptions.of(plan.settings))]
        )


def sounds(editor: Editor) -> np.ndarray:
    audio = editor.state.audio
    assert audio.n_samples == editor.state.plan.n_samples
    return audio.read(0, audio.n_samples)


@st.composite
def edits(draw):
    """An edit: its kind and two numbers, of which `do` makes a step and a unit that exist."""
    kind = draw(
        st.sampled_from(
            ["choose", "choose", "repeat", "remove", "lock", "reselect", "shape", "undo", "redo"]
        )
    )
    return kind, draw(st.integers(0, 1 << 20)), draw(st.integers(0, 1 << 20))


def do(editor: Editor, workspace: Workspace, kind: str, a: int, b: int) -> None:
    n_steps = len(editor.state.plan.steps)
    revision = editor.state.revision
    database = workspace.database
    step = a % n_steps
    if kind == "reselect" and why_never_again(editor.state.plan):
        return
    unit = int(database.units.ids[b % database.n_units])
    if kind in ("undo", "redo"):
        if getattr(editor.state, kind):
            getattr(editor, kind)(revision)
        return
    changes = {
        "choose": lambda plan: replace_unit(plan, step, unit, database),
        "repeat": lambda plan: repeat_step(plan, step, 1 + b % 3),
        "remove": lambda plan: remove_steps(
            plan, {step, b % n_steps} if n_steps > 2 else [step][: n_steps - 1]
        ),
        "lock": lambda plan: lock_steps(plan, [step], bool(b % 2)),
        "reselect": lambda plan: reselect(
            plan,
            workspace.index(SearchSettings()),
            replace(SearchSettings().path, continuity=b % 5 / 4),
        ),
        "shape": lambda plan: shaped(plan, step, b),
    }
    if kind == "repeat" and editor.state.plan.n_voices > 1:
        with suppress(ParameterError):  # there may be no room behind it
            editor.edit(revision, changes[kind], kind)
        return
    editor.edit(revision, changes[kind], kind)


def shaped(plan: Plan, number: int, how: int) -> Plan:
    """A step with another gain, played backwards, or shorter, so that a rest follows it."""
    step = plan.steps[number]
    n_samples = step.n_samples if how % 3 else max(step.n_samples * 2 // 3, 1)
    other = replace(step, gain_db=float(how % 7 - 3), reverse=how % 5 == 0, n_samples=n_samples)
    tail = plan.tail_samples + (step.n_samples - n_samples if number == len(plan.steps) - 1 else 0)
    return replace(
        plan, steps=(*plan.steps[:number], other, *plan.steps[number + 1 :]), tail_samples=tail
    )


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    done=st.lists(edits(), min_size=1, max_size=8),
    crossfade_ms=st.sampled_from([0.0, 20.0, 60.0, 200.0]),
    has_voices=st.booleans(),
)
def test_sound_follows_every_edit_bit_for_bit(workspace, made, done, crossfade_ms, has_voices):
    plan = replace(made, settings=made.settings | {"crossfade": {"crossfade_ms": crossfade_ms}})
    plan = with_voices(plan) if has_voices else plan
    editor = edited(workspace, plan)
    assert np.array_equal(sounds(editor), anew(plan, workspace.roots))
    for edit in done:
        do(editor, workspace, *edit)
        assert np.array_equal(sounds(editor), anew(editor.state.plan, workspace.roots)), edit
    sources_of(editor).close()


def test_only_what_changed_is_made_anew(opened, made, workspace):
    editor = opened(made)
    unit = next(other["unit"] for other in made.steps[20].alternatives)
    result = editor.edit(
        editor.state.revision,
        lambda plan: replace_unit(plan, 20, unit, workspace.database),
        "another unit",
    )
    step = made.steps[20]
    assert result.change.old_stop == result.change.new_stop
    assert result.change.start <= step.at_sample < step.until_sample <= result.change.new_stop
    assert result.change.new_stop - result.change.start < 8 * step.n_samples
    locked = editor.edit(editor.state.revision, lambda plan: lock_steps(plan, [20], True), "locked")
    assert locked.change == Change(0, 0, 0)


def test_history_goes_back_and_forth_and_forgets_what_was_undone(opened, made):
    editor = opened(made)
    first = editor.state.revision
    with pytest.raises(ParameterError, match="there is nothing to undo"):
        editor.undo(first)
    for number in range(3):
        editor.edit(editor.state.revision, lambda plan: repeat_step(plan, 0, 1), f"edit {number}")
    assert (editor.state.undo, editor.state.redo, editor.state.dirty) == ("edit 2", None, True)
    for _ in range(3):
        editor.undo(editor.state.revision)
    assert editor.state.plan is made
    assert (editor.state.undo, editor.state.redo, editor.state.dirty) == (None, "edit 0", False)
    editor.redo(editor.state.revision)
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "other")
    assert (editor.state.undo, editor.state.redo) == ("other", None)
    with pytest.raises(ParameterError, match="there is nothing to redo"):
        editor.redo(editor.state.revision)
    assert editor.state.revision > first
    assert editor.edit(editor.state.revision, lambda plan: plan, "nothing").milliseconds == 0
    assert editor.state.undo == "other"


def test_what_was_edited_while_it_was_saved_is_not_saved_yet(opened, made):
    editor = opened(made)
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "shorter")
    written = editor.state.plan
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "shorter")
    editor.saved_as(FILE, written)
    assert editor.state.dirty
    editor.undo(editor.state.revision)
    assert not editor.state.dirty


def test_history_is_bounded(workspace, made):
    editor = new_editor(workspace, made, history=History(made, most_versions=5))
    editor.render(lambda: None)
    for _ in range(8):
        editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "shorter")
    for _ in range(4):
        editor.undo(editor.state.revision)
    assert editor.state.undo is None
    assert len(editor.state.plan.steps) == len(made.steps) - 4
    assert np.array_equal(sounds(editor), anew(editor.state.plan, workspace.roots))
    sources_of(editor).close()
    workspace.close()


def test_edit_of_another_revision_is_refused(opened, made):
    editor = opened(made)
    old = editor.state.revision
    editor.edit(old, lambda plan: remove_steps(plan, [0]), "shorter")
    for late in (
        lambda: editor.edit(old, lambda plan: plan, ""),
        lambda: editor.undo(old),
        lambda: editor.redo(old),
    ):
        with pytest.raises(HTTPException, match="edited elsewhere") as refusal:
            late()
        assert refusal.value.status_code == 409
    assert editor.audio_of(old).n_samples == made.n_samples  # a page may still play it
    with pytest.raises(HTTPException, match="409"):
        editor.audio_of(1)


def test_edits_of_many_threads_are_made_one_after_another(opened, made):
    editor = opened(made)
    refused = []

    def edit():
        for _ in range(5):
            try:
                editor.edit(editor.state.revision, lambda plan: repeat_step(plan, 3, 1), "again")
            except HTTPException as error:
                refused.append(error.status_code)

    threads = [threading.Thread(target=edit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(editor.state.plan.steps) == len(made.steps) + 20 - len(refused)
    assert set(refused) <= {409}
    assert np.array_equal(sounds(editor), anew(editor.state.plan, sources_of(editor).roots))


def test_failed_edit_changes_nothing(opened, made, workspace):
    editor = opened(made)
    before = editor.state
    heard = sounds(editor)
    with pytest.raises(ParameterError, match="there is no step 9999"):
        editor.edit(
            before.revision, lambda plan: replace_unit(plan, 9999, 0, workspace.database), ""
        )
    assert editor.state is before
    assert np.array_equal(sounds(editor), heard)


def test_steps_of_a_missing_source_are_silent_and_the_rest_is_heard(opened, made, own, workspace):
    used = sorted({step.source for step in made.steps})
    (own / "sounds" / used[0]).unlink()
    editor = opened(made, own / "sounds")
    assert sources_of(editor).problem(used[0]).startswith("missing")
    assert np.array_equal(sounds(editor), anew(made, own / "sounds"))
    silent = next(number for number, step in enumerate(made.steps) if step.source == used[0])
    assert not sources_of(editor).is_playable(made.steps[silent])
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [silent]), "")
    assert np.array_equal(sounds(editor), anew(editor.state.plan, own / "sounds"))


def test_source_that_vanishes_while_the_plan_is_open(opened, made, own):
    editor = opened(made, own / "sounds")
    source = made.steps[10].source
    (own / "sounds" / source).unlink()
    sources_of(editor).close()
    editor.edit(editor.state.revision, lambda plan: shaped(plan, 10, 4), "louder")
    assert sources_of(editor).problem(source).startswith("missing")
    assert np.array_equal(sounds(editor), anew(editor.state.plan, own / "sounds"))


def test_plan_of_which_nothing_can_be_played_is_silence(opened, made, tmp_path):
    editor = opened(made, tmp_path)
    assert editor.audio_facts["state"] == "ready"
    assert not sounds(editor).any()
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0, 1]), "")
    assert not sounds(editor).any()


def test_edits_before_the_sound_is_made(workspace, made):
    told = []
    editor = new_editor(workspace, made, told=told)
    assert (
        editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [4, 5]), "").change
        is None
    )
    assert editor.audio_facts["state"] == "rendering"
    with pytest.MonkeyPatch.context() as patch:
        render = editor.renderer.render
        patch.setattr(editor.renderer, "render", interrupted(editor, render))
        editor.render(lambda: None)
    assert np.array_equal(sounds(editor), anew(editor.state.plan, workspace.roots))
    assert len(editor.state.plan.steps) == len(made.steps) - 3
    states = [data["audio"]["state"] for data in told]
    assert (states[0], states[-1]) == ("rendering", "ready")
    sources_of(editor).close()
    workspace.close()


def interrupted(editor: Editor, render):
    """Render, and edit the plan meanwhile."""

    def rendered(plan, progress):
        result = render(plan, progress)
        editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [7]), "meanwhile")
        return result

    return rendered


def test_rendering_that_fails_says_so(workspace, made):
    def refuse() -> None:
        raise AudioError("it is over")

    editor = new_editor(workspace, made)
    editor.render(refuse)
    assert (editor.audio_facts["state"], editor.audio_facts["error"]) == ("failed", "it is over")
    sources_of(editor).close()
    workspace.close()


def test_edits_that_change_no_sound_keep_the_audio_and_what_is_playing(opened, made):
    editor = opened(made)
    first = editor.state.revision
    sound = editor.state.audio
    for number in range(2 * KEPT_AUDIO):
        editor.edit(
            editor.state.revision,
            lambda plan, number=number: lock_steps(plan, [number], True),
            "locked",
        )
    assert editor.state.audio is editor.audio_of(first) is sound
    for _ in range(KEPT_AUDIO - 1):
        editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "shorter")
    assert editor.audio_of(first) is sound
    editor.edit(editor.state.revision, lambda plan: remove_steps(plan, [0]), "shorter")
    with pytest.raises(HTTPException, match="409"):
        editor.audio_of(first)


def test_source_that_is_put_back_is_heard_when_a_page_is_opened(opened, made, own):
    source = made.steps[10].source
    path = own / "sounds" / source
    away = own / "away"
    path.rename(away)
    editor = opened(made, own / "sounds")
    before = editor.state.revision
    editor.check_failed_sources()
    assert editor.state.revision == before
    away.rename(path)
    editor.check_failed_sources()
    assert sources_of(editor).problem(source) is None
    assert editor.state.revision > before
    assert editor.state.dirty is False
    assert np.array_equal(sounds(editor), anew(made, own / "sounds"))
    assert np.abs(sounds(editor)).max() > 0
    editor.check_failed_sources()
    assert sources_of(editor).problem(source) is None


def test_corpus_that_is_put_back_is_heard(opened, made, own):
    (own / "sounds").rename(own / "away")
    editor = opened(made, own / "sounds")
    silence = editor.state.audio
    editor.check_failed_sources()
    assert editor.state.audio is silence
    (own / "away").rename(own / "sounds")
    editor.check_failed_sources()
    assert np.array_equal(sounds(editor), anew(made, own / "sounds"))


def test_long_edits_let_others_edit_and_are_then_refused(opened, made):
    editor = opened(made)
    begun = threading.Event()
    go_on = threading.Event()
    refused = []

    def slow(plan):
        begun.set()
        assert go_on.wait(10)
        return remove_steps(plan, [0])

    def edit_slowly():
        try:
            editor.edit(editor.state.revision, slow, "slow")
        except HTTPException as error:
            refused.append(error.status_code)

    thread = threading.Thread(target=edit_slowly)
    thread.start()
    assert begun.wait(10)
    editor.edit(editor.state.revision, lambda plan: repeat_step(plan, 0, 1), "quick")
    go_on.set()
    thread.join(10)
    assert (refused, editor.state.undo) == ([409], "quick")


def test_gain_keeps_the_sound_below_full_scale_as_rendering_does(opened, made, tmp_path):
    loud = replace(made, steps=tuple(replace(step, gain_db=20.0) for step in made.steps))
    editor = opened(loud)
    summary = render(
        loud,
        tmp_path / "loud.wav",
        root=sources_of(editor).roots,
        render_options=RenderOptions(CrossfadeOptions.of(loud.settings)),
    )
    assert editor.audio_facts["gain_db"] == pytest.approx(summary.gain_db, abs=1e-9)
    assert summary.gain_db < 0
    peaks = editor.state.audio.peaks(256)
    assert np.abs(peaks).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-3)
    assert opened(made).audio_facts["gain_db"] == 0


def test_audio_in_pieces_reads_as_one(tmp_path):
    tape = Tape(2, tmp_path)
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(-1, 1, (n, 2)).astype(np.float32) for n in (3 * BLOCK_SAMPLES + 7, 500))
    audio = RenderedAudio(tape, [tape.append([a[:100], a[100:]])])
    spliced = audio.spliced(Change(1000, 5000, 1500), tape.append([b]))
    whole = np.concatenate([a[:1000], b, a[5000:]])
    assert np.array_equal(spliced.read(0, len(whole)), whole)
    assert np.array_equal(spliced.read(900, 1600), whole[900:1600])
    assert np.array_equal(audio.read(0, len(a)), a)
    for start, stop in ((0, len(a)), (5, 6), (100, BLOCK_SAMPLES), (4000, 2 * BLOCK_SAMPLES + 1)):
        assert tape.extremes(start, stop - start) == (a[start:stop].max(), a[start:stop].min())
    peaks = spliced.peaks(256).reshape(2, -1)
    assert peaks.shape[1] == -(-len(whole) // 256)
    assert peaks[0, 3] == whole[768:1024].max()
    assert peaks[1, -1] == whole[256 * (peaks.shape[1] - 1) :].min()
    assert RenderedAudio(tape, []).n_samples == 0


def test_tape_of_which_most_is_of_no_use_is_left_behind(tmp_path):
    tape = Tape(1, tmp_path)
    samples = np.random.default_rng(0).uniform(-1, 1, (BLOCK_SAMPLES, 1)).astype(np.float32)
    audio = RenderedAudio(tape, [tape.append([samples])])
    for _ in range(3):
        piece = audio.tape.append([samples])
        whole = Change(0, BLOCK_SAMPLES, BLOCK_SAMPLES)
        audio = audio.spliced(whole, piece).condensed(spare_samples=0)
    assert audio.tape is not tape
    assert np.array_equal(audio.read(0, BLOCK_SAMPLES), samples)
    assert audio.pieces == [Piece(0, BLOCK_SAMPLES)]
    assert list(tmp_path.iterdir()) == []  # its file has no name


def test_few_plans_stay_open_but_none_is_closed_with_unsaved_edits(workspace, made, capsys):
    workspace.folder.mkdir()
    for number in range(KEPT + 3):
        made.save(workspace.folder / f"plan {number:02}.plan.json")
    editors = OpenPlans(workspace)
    files = sorted(editors._plans.files(), key=lambda file: file.name)
    first = editors.get(files[0].id)
    assert editors.get(files[0].id) is first
    first.edit(first.state.revision, lambda plan: remove_steps(plan, [0]), "")
    for file in files[1:]:
        editors.get(file.id)
    assert len(editors._open) == KEPT + 1
    assert editors.get(files[0].id) is first
    assert files[1].id not in editors._open
    workspace.close()
    assert "plan 00 had unsaved edits" in capsys.readouterr().err
    saved = Plan.load(workspace.folder / "plan 00-unsaved.plan.json")
    assert saved == first.state.plan


def test_unsaved_edits_are_kept_elsewhere_if_the_folder_cannot_be_written(
    workspace, made, tmp_path, capsys
):
    made.save(tmp_path / "tabla.plan.json")
    editor = OpenPlans(workspace).get(
        workspace.plans.add(tmp_path / "tabla.plan.json", kind="opened").id
    )
    workspace.folder.write_text("not a folder")
    editor.edit(editor.state.revision, lambda plan: repeat_step(plan, 3, 1), "repeat")
    workspace.close()
    assert Plan.load(tmp_path / "tabla-unsaved.plan.json") == editor.state.plan
    told = capsys.readouterr().err
    assert "free some space" in told
    assert "are in" in told


def test_rendering_that_failed_is_tried_again_when_a_page_is_opened(workspace, made, monkeypatch):
    workspace.folder.mkdir()
    made.save(workspace.folder / "a.plan.json")
    editors = OpenPlans(workspace)
    (file,) = editors._plans.files()

    def refuse(*_):
        raise ParameterError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Renderer, "render", refuse)
        editor = editors.get_for_page(file.id)
        wait_until(lambda: editor.audio_facts["state"] == "failed")
    assert (
        editors.get(file.id).audio_facts["error"] == "no room"
    )  # who only asks how it is going does not start it
    assert editors.get_for_page(file.id) is editor
    wait_until(lambda: editor.audio_facts["state"] == "ready")
    assert np.array_equal(sounds(editor), anew(editor.state.plan, workspace.roots))
    workspace.close()


def test_plan_that_takes_long_to_open_keeps_nobody_from_others(workspace, made, monkeypatch):
    workspace.folder.mkdir()
    for name in ("long", "short"):
        made.save(workspace.folder / f"{name}.plan.json")
    editors = OpenPlans(workspace)
    load = Plan.load
    begun = threading.Event()
    go_on = threading.Event()
    files = {file.name: file.id for file in editors._plans.files()}

    def slow(path):
        if path.name.startswith("long"):
            begun.set()
            assert go_on.wait(10)
        return load(path)

    monkeypatch.setattr(Plan, "load", slow)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(editors.get(files["long"]))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    assert editors.get(files["short"]).state.plan == made
    assert found == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(set(map(id, found))) == 1  # who came meanwhile has the same
    workspace.close()
