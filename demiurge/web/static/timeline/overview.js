// The whole plan as a strip: the sources of its voices, the visible part, which can be dragged, and the playing position.

import { colorOfSource, onTheme } from "../lib.js";
import { themeColours } from "./colours.js";
import { laneOf, visibleRuns } from "./units.js";

const NUDGE = 0.25; // of the visible part, by an arrow key

/** Draws the strip and lets it scroll the view. */
export class Overview {
  constructor(session, view, element, onScroll) {
    [this.session, this.view, this.element, this.onScroll] = [session, view, element, onScroll];
    this.canvas = element.querySelector("canvas");
    this.window = element.querySelector("div");
    new ResizeObserver(() => this.draw()).observe(element);
    session.on("plan", () => this.draw());
    onTheme(() => this.draw());
    view.addEventListener("change", () => this.#place());
    element.addEventListener("pointerdown", (event) => this.#grab(event));
    element.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Draw all sources. */
  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = window.devicePixelRatio;
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const { plan } = this.session;
    const scale = width / plan.seconds;
    const all = { width, start: 0, x: (seconds) => seconds * scale, seconds: (x) => x / scale };
    plan.voices.forEach((_, voice) => {
      const lane = laneOf({ top: 4, height: height - 8 }, plan.nVoices, voice);
      for (const { run, left, right } of visibleRuns(plan, all, voice)) {
        context.fillStyle = colorOfSource(plan.source(plan.runFirst(run)).path);
        context.fillRect(left, lane.top, right - left, lane.height);
      }
    });
    context.fillStyle = themeColours().ink;
    for (const [first, last] of plan.lockedSpans) {
      context.fillRect(plan.start(first) * scale, 1, Math.max(1, (plan.end(last) - plan.start(first)) * scale), 2);
    }
    this.#place();
  }

  #place() {
    const { view, element } = this;
    const whole = view.total * view.scale;
    const [start, share] = [view.left / whole, Math.min(1, view.width / whole)];
    const width = Math.max(8, share * element.clientWidth);
    this.window.style.width = `${width}px`;
    this.window.style.transform = `translateX(${Math.min(start * element.clientWidth, element.clientWidth - width)}px)`;
    element.setAttribute("aria-valuenow", Math.round((100 * start) / Math.max(1 - share, 0.0001)));
  }

  #onKey(event) {
    const { left, width, total, scale } = this.view;
    const to = {
      ArrowLeft: left - width * NUDGE, ArrowRight: left + width * NUDGE, PageUp: left - width, PageDown: left + width,
      Home: 0, End: total * scale,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    this.onScroll();
    this.view.scrollTo(to);
  }

  #grab(event) {
    const { element, view } = this;
    const box = element.getBoundingClientRect();
    const seconds = (clientX) => ((clientX - box.left) / box.width) * view.total;
    const inside = event.target === this.window;
    const offset = inside ? seconds(event.clientX) - view.start : (view.end - view.start) / 2;
    const move = ({ clientX }) => {
      this.onScroll();
      view.scrollTo((seconds(clientX) - offset) * view.scale);
    };
    element.setPointerCapture(event.pointerId);
    move(event);
    element.addEventListener("pointermove", move);
    const over = () => element.removeEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, over, { once: true });
  }
}
