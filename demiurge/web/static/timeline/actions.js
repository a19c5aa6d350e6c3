// Actions of the user, by a button, a key or the pointer.

import { fail } from "../lib.js";

const CLOSER = 1.5;
export const VARY = "Vary the rest";

/** Whether something is kept when the rest is varied, and something is left to vary. */
export function mayVary(plan, selected) {
  const kept = plan.nLocked + selected.filter((step) => !plan.steps.locked[step]).length;
  return plan.has_targets && plan.isOwn && plan.never_again === null && kept > 0 && kept < plan.length;
}

/** All actions by name. */
export function makeActions(page) {
  return { ...listening(page), ...moving(page), ...changing(page), ...looking(page) };
}

function listening({ session, sound, audition, alternatives }) {
  const step = (run) => session.step >= 0 && run(session.step);
  const unitOf = (number) => (session.plan.isOwn ? session.plan.steps.unit[number] : -1);
  return {
    play: () => {
      audition.stop();
      sound.toggle().catch(fail);
    },
    hearInPlace: () => step(() => audition.selected()),
    hearAlone: () => step((number) => unitOf(number) !== -1 && audition.alone(unitOf(number))),
    hearAlternative: (number) => alternatives.hear(number),
    mute: () => session.plan.nVoices > 1 && session.heard.toggleMuted(session.voice),
    solo: () => session.plan.nVoices > 1 && session.heard.toggleSolo(session.voice),
    leave: () => {
      if (audition.heard === null) session.select(-1);
      else audition.stop();
    },
  };
}

function moving({ session, view, sound }) {
  const go = (step, extend = false) => {
    const within = session.plan.within(step, session.voice);
    if (within < 0) return;
    session.select(within, { extend });
    view.reveal(session.plan.start(session.step), session.plan.end(session.step));
  };
  const fromPlayhead = () => session.plan.near(sound.time, session.voice);
  const run = (by, extend = false) => {
    const { plan, last } = session;
    if (last < 0) return go(fromPlayhead());
    const here = plan.runOf(last);
    if (by < 0) return go(last > plan.runFirst(here) ? plan.runFirst(here) : plan.runFirst(Math.max(0, here - 1)), extend);
    return go(here + 1 < plan.nRuns ? plan.runFirst(here + 1) : plan.length - 1, extend);
  };
  const voice = (by) => {
    const { plan, last } = session;
    const to = Math.max(0, Math.min(plan.nVoices - 1, session.voice + by));
    const seconds = last < 0 ? sound.time : (plan.start(last) + plan.end(last)) / 2;
    session.lookAt(to);
    go(plan.near(seconds, to));
  };
  const goToSource = (source) => {
    const { plan } = session;
    const behind = plan.steps.source.indexOf(source, session.step + 1);
    const step = behind >= 0 ? behind : plan.steps.source.indexOf(source);
    session.selectRun(plan.runOf(step));
    view.reveal(plan.start(step), plan.end(session.last));
  };
  return {
    step: (by, extend = false) => go(session.last < 0 ? fromPlayhead() : session.last + by, extend),
    run, voice, goToSource,
    first: () => go(0),
    last: () => go(session.plan.length - 1),
  };
}

function changing({ session, alternatives }) {
  const selected = (make) => session.edit(() => (session.selected.length ? make(session.selected) : null));
  return {
    undo: () => session.edit(() => (session.plan.can_undo ? { what: "Undo", kind: "undo" } : null)),
    redo: () => session.edit(() => (session.plan.can_redo ? { what: "Redo", kind: "redo" } : null)),
    save: () => session.save(),
    repeat: () => session.edit(() => (session.step < 0 ? null : { what: "Repeat", kind: "repeat", step: session.step, times: 1 })),
    remove: () => selected((steps) => ({ what: "Remove", kind: "remove", steps })),
    lock: () =>
      selected((steps) => {
        const locked = !steps.every((step) => session.plan.steps.locked[step]);
        return { what: locked ? "Lock" : "Unlock", kind: "lock", steps, locked };
      }),
    vary: () =>
      session.edit(() => {
        const { plan, selected } = session;
        if (!mayVary(plan, selected)) return null;
        return { what: VARY, kind: "vary", steps: selected, random_seed: Math.floor(Math.random() * 1e6) };
      }),
    chooseAlternative: (number) => alternatives.choose(number),
  };
}

function looking({ session, view, sound, playhead }) {
  const middle = () => {
    const { step, plan } = session;
    const x = view.x(step >= 0 ? plan.start(step) : sound.time);
    return x >= 0 && x <= view.width ? x : view.width / 2;
  };
  return {
    zoomIn: () => view.zoom(view.scale * CLOSER, middle()),
    zoomOut: () => view.zoom(view.scale / CLOSER, middle()),
    fit: () => view.fit(),
    follow: () => playhead.setFollow(!playhead.follow),
  };
}
