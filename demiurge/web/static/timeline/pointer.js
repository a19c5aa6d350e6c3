// Mouse, pen and fingers on the timeline. A gesture is {move, end, cancel}; one runs at a time.

import { edgeDrag } from "./drag.js";

const NEAR_MOUSE = 6; // pixels around an edge
const NEAR_FINGER = 18;
const STILL = 6; // pixels that a finger that taps may move
const THIN = 5; // pixels; of steps that are thinner the whole run is taken

/** Let the pointer scrub, select, drag edges, scroll and zoom. */
export function listenToPointer({ session, view, stage, sound, onScroll }) {
  const { element } = stage;
  const fingers = new Map();
  let gesture = null;

  const place = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const take = (at, extend) => {
    const step = stepAt(at);
    if (step < 0) session.lookAt(stage.voiceAt(at.y));
    if (step >= 0 && !extend && stepWidth(step) < THIN) return session.selectRun(session.plan.runOf(step), step);
    return session.select(step, { extend });
  };
  const stepWidth = (step) => (session.plan.end(step) - session.plan.start(step)) * view.scale;
  const stepAt = ({ x, y }) => session.plan.at(view.seconds(x), stage.voiceAt(y));
  const nearEdge = ({ x, y }, near) => {
    const [, last] = session.range;
    const isHere = last >= 0 && session.plan.voice(last) === stage.voiceAt(y);
    if (isHere && stepWidth(last) > 2 * near && Math.abs(view.x(session.plan.end(last)) - x) <= near) return last;
    const step = stepAt({ x, y });
    return step >= 0 && stepWidth(step) > 4 * near && view.x(session.plan.end(step)) - x <= near ? step : -1;
  };

  const scrub = () => {
    const move = ({ x }) => sound.seek(view.seconds(x));
    return { move, end: () => {}, cancel: () => {} };
  };
  const selectRange = (from) => {
    const { voice } = session;
    const move = ({ x }) => {
      const step = session.plan.at(view.seconds(x), voice);
      if (step >= 0 && Math.abs(x - from.x) > STILL) session.select(step, { extend: true });
    };
    return { move, end: () => {}, cancel: () => {} };
  };
  const panOrTap = (from, event) => {
    const left = view.left;
    let moved = false;
    const move = ({ x }) => {
      moved ||= Math.abs(x - from.x) > STILL;
      if (!moved) return;
      onScroll();
      view.scrollTo(left + from.x - x);
    };
    return { move, end: () => moved || tap(from, event), cancel: () => {} };
  };
  const tap = ({ x, y }, event) => {
    if (["ruler", "wave"].includes(stage.laneAt(y))) sound.seek(view.seconds(x));
    else take({ x, y }, event.shiftKey);
  };
  const pinch = () => {
    const spread = () => {
      const [a, b] = [...fingers.values()];
      return { x: (a.x + b.x) / 2, apart: Math.max(20, Math.abs(a.x - b.x)) };
    };
    const [start, scale] = [spread(), view.scale];
    let middle = start.x;
    const move = () => {
      const now = spread();
      onScroll();
      view.zoom((scale * now.apart) / start.apart, now.x);
      view.scrollTo(view.left + middle - now.x);
      middle = now.x;
    };
    return { move, end: () => {}, cancel: () => {} };
  };

  const begin = (at, event) => {
    const finger = event.pointerType === "touch";
    const lane = stage.laneAt(at.y);
    const edge = lane === "units" ? nearEdge(at, finger ? NEAR_FINGER : NEAR_MOUSE) : -1;
    if (edge >= 0 && !event.shiftKey) return edgeDrag({ session, view, stage }, edge, at, () => take(at, false));
    if (lane === "ruler" || (lane === "wave" && !finger && event.button === 0)) {
      const gesture = scrub();
      gesture.move(at);
      return gesture;
    }
    if (finger || event.button === 1) return panOrTap(at, event);
    take(at, event.shiftKey);
    return selectRange(at);
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button === 2) return;
    element.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1) gesture = begin(place(event), event);
    else if (fingers.size === 2) {
      gesture?.cancel();
      gesture = pinch();
    }
  });
  element.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
    if (gesture) return gesture.move(at);
    const lane = stage.laneAt(at.y);
    session.hover(lane === "ruler" ? -1 : stepAt(at));
    element.classList.toggle("edge", lane === "units" && nearEdge(at, NEAR_MOUSE) >= 0);
  });
  element.addEventListener("pointerup", (event) => {
    if (!fingers.delete(event.pointerId)) return;
    gesture?.end();
    gesture = null;
  });
  element.addEventListener("pointercancel", (event) => {
    fingers.delete(event.pointerId);
    gesture?.cancel();
    gesture = null;
  });
  element.addEventListener("pointerleave", () => gesture || session.hover(-1));
  element.addEventListener("dblclick", (event) => {
    const step = stepAt(place(event));
    if (step >= 0) session.selectRun(session.plan.runOf(step), step);
  });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !gesture) return;
    event.preventDefault();
    gesture.cancel();
    gesture = null;
  });
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const unit = event.deltaMode === 1 ? 16 : 1;
      onScroll();
      if (event.ctrlKey || event.metaKey) return view.zoom(view.scale * Math.exp(-event.deltaY * unit * 0.004), place(event).x);
      return view.scrollTo(view.left + unit * (Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY));
    },
    { passive: false },
  );
}
