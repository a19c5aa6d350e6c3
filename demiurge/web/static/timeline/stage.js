// The canvas beneath the waveform: all lanes, the selection, and a preview of a drag.

import { onTheme } from "../lib.js";
import { themeColours } from "./colours.js";
import { drawCosts, drawLine, extent } from "./curves.js";
import { drawRuler } from "./ruler.js";
import { drawTint, drawUnits } from "./units.js";

const ROOMY = 14; // pixels of a step that a handle does not hide

/** Draws the lanes where the style sheet puts them; `ghost` ({kind, from, until, text}) is the preview of a drag. */
export class Stage {
  constructor(session, view, element) {
    [this.session, this.view, this.element] = [session, view, element];
    this.canvas = element.querySelector("#canvas");
    this.playhead = element.querySelector("#playhead");
    this.context = this.canvas.getContext("2d");
    this.curve = null; // {wanted, matched, extent}
    this.ghost = null;
    this.boxes = {};
    this.#measureCosts();
    this.#resize();
    new ResizeObserver(() => this.#resize()).observe(element);
    view.addEventListener("change", () => this.#draw());
    session.on("plan", () => this.#adopt());
    for (const what of ["selection", "hover", "pending"]) session.on(what, () => this.redraw());
    onTheme(() => this.redraw());
  }

  /** Show this descriptor: wanted and then matched values, in one array. */
  showCurve(values) {
    const n = values.length / 2;
    const [wanted, matched] = [values.subarray(0, n), values.subarray(n)];
    this.curve = { wanted, matched, extent: extent(wanted, matched) };
    this.redraw();
  }

  redraw() {
    this.asked ??= requestAnimationFrame(() => this.#draw());
  }

  /** The lane at this height: "ruler", "wave", "units", "curve", "target" or "join". */
  laneAt(y) {
    return Object.keys(this.boxes).find((name) => y < this.boxes[name].top + this.boxes[name].height) ?? "join";
  }

  #adopt() {
    this.#measureCosts();
    this.view.resize(this.element.clientWidth, this.session.plan.seconds);
  }

  #measureCosts() {
    const { distance, join } = this.session.plan.steps;
    this.costs = { target: extent(distance)[1], join: extent(join)[1] };
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = window.devicePixelRatio;
    [this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    const top = this.element.getBoundingClientRect().top;
    for (const lane of document.querySelectorAll("[data-lane]")) {
      const box = lane.getBoundingClientRect();
      this.boxes[lane.dataset.lane] = { top: Math.round(box.top - top), height: Math.round(box.height) };
    }
    this.view.resize(width, this.session.plan.seconds);
  }

  #draw() {
    cancelAnimationFrame(this.asked);
    this.asked = null;
    const { context, view, boxes } = this;
    const scene = { context, view, plan: this.session.plan, colours: themeColours() };
    context.setTransform(window.devicePixelRatio, 0, 0, window.devicePixelRatio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    drawTint(scene, boxes.wave);
    drawRuler(scene, boxes.ruler, boxes.join.top + boxes.join.height);
    drawUnits(scene, boxes.units);
    this.#drawCurves(scene);
    this.#drawMarks(scene);
  }

  #drawCurves(scene) {
    const { plan, colours: colour } = scene;
    if (this.curve && this.curve.wanted.length === plan.length) {
      const step = (scene.view.scale * plan.seconds) / plan.length; // pixels
      const width = Math.max(1.5, Math.min(4, step / 2));
      drawLine(scene, this.boxes.curve, this.curve.wanted, this.curve.extent, { colour: colour.wanted, width });
      drawLine(scene, this.boxes.curve, this.curve.matched, this.curve.extent, { colour: colour.matched, width: 1.5 });
    }
    drawCosts(scene, this.boxes.target, plan.steps.distance, this.costs.target, colour.target);
    drawCosts(scene, this.boxes.join, plan.steps.join, this.costs.join, colour.join);
  }

  #drawMarks(scene) {
    const { session } = this;
    const [first, last] = session.range;
    if (first >= 0) this.#drawSelection(scene, first, last);
    if (session.hovered >= 0) this.#outline(scene, session.hovered, session.hovered, { width: 1, colour: scene.colours.ink });
    const pending = { width: 2, colour: scene.colours.warn, dash: [4, 3] };
    for (const step of session.pending?.steps ?? []) this.#outline(scene, step, step, pending);
    if (this.ghost) this.#drawGhost(scene);
  }

  #drawSelection(scene, first, last) {
    const { context, view, plan, colours: colour } = scene;
    const [left, right] = [view.x(plan.start(first)), view.x(plan.end(last))];
    context.fillStyle = colour.accent;
    context.globalAlpha = 0.14;
    const { wave, join } = this.boxes;
    context.fillRect(left, wave.top, Math.max(2, right - left), join.top + join.height - wave.top);
    context.globalAlpha = 1;
    this.#outline(scene, first, last, { width: 2, colour: colour.ink });
    const { step } = this.session;
    const isSeen = first !== last && (plan.end(step) - plan.start(step)) * view.scale > 3;
    if (isSeen) this.#outline(scene, step, step, { width: 1, colour: colour.ink });
    if (right - view.x(plan.start(last)) > ROOMY) this.#drawGrip(scene, right);
  }

  /** The handle at the right edge of the selection. */
  #drawGrip({ context, view, colours: colour }, right) {
    if (right < 0 || right > view.width + 4) return;
    const { top, height } = this.boxes.units;
    context.fillStyle = colour.ink;
    context.beginPath();
    context.roundRect(right - 3, top + height / 2 - 9, 6, 18, 3);
    context.fill();
  }

  #outline({ context, view, plan }, first, last, { width, colour, dash = [] }) {
    const { top, height } = this.boxes.units;
    const left = view.x(plan.start(first));
    const across = Math.max(1, view.x(plan.end(last)) - left);
    if (left > view.width || left + across < 0) return;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.strokeRect(left - width / 2, top + width / 2, across + width, height - width); // around it: thin ones stay seen
    context.setLineDash([]);
  }

  /** Where steps would be inserted: a line through all lanes, from which the later steps move away. */
  #drawInsertion({ context, colours: colour }, x) {
    const { units, wave, join } = this.boxes;
    const middle = units.top + units.height / 2;
    context.fillStyle = colour.accent;
    context.fillRect(x - 1.5, wave.top, 3, join.top + join.height - wave.top);
    context.beginPath();
    context.moveTo(x + 4, middle - 8);
    context.lineTo(x + 15, middle);
    context.lineTo(x + 4, middle + 8);
    context.fill();
  }

  #drawGhost(scene) {
    const { context, view, colours: colour } = scene;
    const { top, height } = this.boxes.units;
    const { kind, from, until, text } = this.ghost;
    const [left, right] = [view.x(from), view.x(until)];
    if (kind === "repeat") this.#drawInsertion(scene, left);
    else {
      context.fillStyle = colour.warn;
      context.globalAlpha = 0.45;
      context.fillRect(left, top, right - left, height);
      context.globalAlpha = 1;
    }
    context.font = "600 12px system-ui, sans-serif";
    const across = context.measureText(text).width + 14;
    const at = Math.min(Math.max(4, right - across), view.width - across - 4);
    context.fillStyle = colour.ink;
    context.beginPath();
    context.roundRect(at, top + height + 3, across, 22, 4);
    context.fill();
    context.fillStyle = colour.panel;
    context.textBaseline = "middle";
    context.fillText(text, at + 7, top + height + 14);
  }
}
