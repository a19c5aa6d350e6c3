// Dragging the right edge of a step: to the right repeats it, to the left removes it and those before it.

import { formatSeconds } from "../lib.js";

const NO_ROOM = "no room behind it: voices stay together";
const STILL = 6; // pixels that a pointer may move without dragging

/** The edit for dragging the edge of `step` by so many pixels, and the time that it affects; repeated steps are inserted, of several voices put into silence: {kind, voice, from, until, text}, with step and times or steps. */
export function askedFor({ plan, view, step, pixels }) {
  const width = (plan.end(step) - plan.start(step)) * view.scale;
  const times = Math.min(plan.mostRepeats(step), Math.round(pixels / width));
  if (times >= 1) {
    const more = times * (plan.end(step) - plan.start(step));
    const [from, several] = [plan.end(step), plan.nVoices > 1];
    const length = several ? Math.max(plan.seconds, from + more) : plan.seconds + more;
    const text = `repeat ${times === 1 ? "once" : `${times} times`}: ${formatSeconds(length)} in all`;
    return { kind: "repeat", voice: plan.voice(step), step, times, from, until: several ? from + more : from, text };
  }
  if (pixels > width / 2) return { kind: "nothing", voice: plan.voice(step), from: plan.end(step), until: plan.end(step), text: NO_ROOM };
  const edge = plan.end(step) + pixels / view.scale;
  const least = plan.voices[plan.voice(step)].first;
  let first = step + 1;
  while (first > least && plan.start(first - 1) + plan.end(first - 1) > 2 * edge) first -= 1;
  if (first > step || step - first + 1 === plan.length) return null;
  const steps = Array.from({ length: step - first + 1 }, (_, i) => first + i);
  const text = steps.length === 1 ? "remove" : `remove ${steps.length} steps`;
  return { kind: "remove", voice: plan.voice(step), steps, from: plan.start(first), until: plan.end(step), text };
}

/** A gesture that repeats or removes; `onClick` is called if the pointer does not move. */
export function edgeDrag({ session, view, stage }, step, from, onClick) {
  let moved = false;
  const show = (ghost) => {
    stage.ghost = ghost;
    stage.redraw();
  };
  const begin = () => {
    moved = true;
    if (!session.selected.includes(step)) session.select(step);
  };
  return {
    move: ({ x }) => {
      if (!moved && Math.abs(x - from.x) <= STILL) return;
      if (!moved) begin();
      show(askedFor({ plan: session.plan, view, step, pixels: x - from.x }));
    },
    cancel: () => show(null),
    end: () => {
      if (!moved) onClick();
      const asked = stage.ghost;
      show(null);
      if (asked && asked.kind !== "nothing") session.edit(() => editOf(asked));
    },
  };
}

const editOf = ({ kind, step, times, steps }) =>
  kind === "repeat" ? { what: "Repeat", kind, step, times } : { what: "Remove", kind, steps };
