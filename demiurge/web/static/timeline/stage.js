// The canvas beneath the waveform: all lanes, the selection, and a preview of a drag.

import { onTheme } from "../lib.js";
import { themeColours } from "./colours.js";
import { drawCosts, drawLine, extent, stepWidth } from "./curves.js";
import { drawRuler } from "./ruler.js";
import { drawTint, drawUnits, laneOf } from "./units.js";

const ROOMY = 14; // pixels of a step that a handle does not hide

/** Draws the lanes where the style sheet puts them; `ghost` ({kind, voice, from, until, text}) is the preview of a drag. */
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
    const observer = new ResizeObserver(() => this.#resize());
    for (const measured of [element, ...document.querySelectorAll("[data-lane]")]) observer.observe(measured);
    view.addEventListener("change", () => this.#draw());
    session.on("plan", () => this.#adopt());
    for (const what of ["selection", "hover", "pending", "heard"]) session.on(what, () => this.redraw());
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

  /** The voice whose lane is at this height; elsewhere that which is looked at. */
  voiceAt(y) {
    const { voice, plan } = this.session;
    if (this.laneAt(y) !== "units") return voice;
    const { top, height } = this.boxes.units;
    return Math.max(0, Math.min(plan.nVoices - 1, Math.floor(((y - top) * plan.nVoices) / height)));
  }

  #laneOf(step) {
    const { plan } = this.session;
    return laneOf(this.boxes.units, plan.nVoices, plan.voice(step));
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
    const { context, view, boxes, session } = this;
    const isHeard = (voice) => session.heard.includes(voice);
    const scene = { context, view, plan: session.plan, voice: session.voice, isHeard, colours: themeColours() };
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
      const width = Math.max(1.5, Math.min(4, stepWidth(scene) / 2));
      drawLine(scene, this.boxes.curve, this.curve.wanted, this.curve.extent, { colour: colour.wanted, width });
      drawLine(scene, this.boxes.curve, this.curve.matched, this.curve.extent, { colour: colour.matched, width: 1.5 });
    }
    if (plan.nVoices > 1) this.#drawVoiceName(scene);
    drawCosts(scene, this.boxes.target, plan.steps.distance, this.costs.target, colour.target);
    drawCosts(scene, this.boxes.join, plan.steps.join, this.costs.join, colour.join);
  }

  /** Whose curves they are. */
  #drawVoiceName({ context, colours: colour, voice }) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    context.fillStyle = colour.muted;
    context.fillText(`voice ${voice}`, 6, this.boxes.curve.top + 4);
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
    const { wave, units, curve, join } = this.boxes;
    const lane = this.#laneOf(first);
    for (const [top, bottom] of [[wave.top, units.top], [lane.top, lane.top + lane.height], [curve.top, join.top + join.height]]) {
      context.fillRect(left, top, Math.max(2, right - left), bottom - top);
    }
    context.globalAlpha = 1;
    this.#outline(scene, first, last, { width: 2, colour: colour.ink });
    const { step } = this.session;
    const isSeen = first !== last && (plan.end(step) - plan.start(step)) * view.scale > 3;
    if (isSeen) this.#outline(scene, step, step, { width: 1, colour: colour.ink });
    if (right - view.x(plan.start(last)) > ROOMY) this.#drawGrip(scene, right, lane);
  }

  /** The handle at the right edge of the selection. */
  #drawGrip({ context, view, colours: colour }, right, { top, height }) {
    if (right < 0 || right > view.width + 4) return;
    const size = Math.min(18, height - 2);
    context.fillStyle = colour.ink;
    context.beginPath();
    context.roundRect(right - 3, top + height / 2 - size / 2, 6, size, 3);
    context.fill();
  }

  #outline({ context, view, plan }, first, last, { width, colour, dash = [] }) {
    const { top, height } = this.#laneOf(first);
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
    const { kind, from, until, text, voice } = this.ghost;
    const { top, height } = laneOf(this.boxes.units, scene.plan.nVoices, voice);
    const [left, right] = [view.x(from), view.x(until)];
    if (kind === "repeat" && from === until) this.#drawInsertion(scene, left);
    else {
      context.fillStyle = kind === "repeat" ? colour.accent : colour.warn;
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
