// The knobs: a slider and a number for each, which follow what others turn.
import { withMinus } from "../lib.js";
import { onNews, sendSoon } from "./socket.js";

const CURVES = { continuity: 2, novelty: 2, temperature: 2, min_reuse: 3, max_run: 3 }; // finer near the least value
const STEPS = { transpose: 1, voices: 1, level: 0.5, tempo: 0.5, follow_loudness: 0.01 }; // of the others
const FINE = 0.005; // step of a curved slider, as a share of it
const OWN_MS = 400; // after a turn here, during which news of the knob are older

/** A knob's row of the page. */
class Row {
  #turned = -Infinity;
  #timer = null;

  constructor(element, facts, usual) {
    this.name = element.dataset.knob;
    [this.slider, this.number] = element.querySelectorAll("input");
    Object.assign(this, facts, { usual, curve: CURVES[this.name] ?? 1 });
    const [least, most, step] = this.curve === 1 ? [this.least, this.most, STEPS[this.name]] : [0, 1, FINE];
    Object.assign(this.slider, { min: least, max: most, step });
    this.slider.addEventListener("input", () => this.turn(this.#fromSlider()));
    this.number.addEventListener("change", () => this.#onNumber());
    element.addEventListener("dblclick", (event) => event.target === this.number || this.turn(this.usual));
    element.title += ` Double click: ${usual}.`;
  }

  /** Set the knob, here and in the session. */
  turn(value) {
    this.#turned = performance.now();
    this.show(value);
    sendSoon(`knob/${this.name}`, value);
  }

  /** Take what the session says, unless it is older than what was turned here. */
  take(value) {
    clearTimeout(this.#timer);
    const wait = this.#turned + OWN_MS - performance.now();
    if (wait > 0) this.#timer = setTimeout(() => this.take(value), wait);
    else if (value !== this.value) this.show(value);
  }

  show(value) {
    this.value = value;
    this.number.value = value;
    const place = this.curve === 1 ? value : ((value - this.least) / (this.most - this.least)) ** (1 / this.curve);
    if (this.#fromSlider() !== value) this.slider.value = place;
    this.slider.setAttribute("aria-valuetext", withMinus(`${value} ${this.unit}`.trim()));
  }

  #fromSlider() {
    const place = Number(this.slider.value);
    if (this.curve === 1) return Number(place.toFixed(3));
    return Number((this.least + (this.most - this.least) * place ** this.curve).toPrecision(3));
  }

  #onNumber() {
    const value = Number(this.number.value);
    const isValue = this.number.value !== "" && value >= this.least && value <= this.most;
    if (isValue) this.turn(this.is_integer ? Math.round(value) : value);
    else this.show(this.value);
  }
}

/** Connect the rows of all knobs, given their facts, their defaults, and the button that sets these. */
export function startKnobs({ knobs, defaults, values }, button) {
  const rows = [...document.querySelectorAll("[data-knob]")].map((element) => {
    const { knob: name } = element.dataset;
    const row = new Row(element, knobs[name], defaults[name]);
    row.show(values[name]);
    return row;
  });
  onNews("knobs", (turned) => rows.forEach((row) => row.take(turned[row.name])));
  button.addEventListener("click", () => rows.forEach((row) => row.turn(row.usual)));
}
