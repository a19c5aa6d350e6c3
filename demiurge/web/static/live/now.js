// What plays, the levels, and how well the machine keeps up.
import { byId, clock, colorOfSource, formatCount, formatSeconds, withMinus } from "../lib.js";
import { onNews } from "./socket.js";

const FLOOR_DB = -60;
const LOUD_DB = -1; // from here on a meter warns
const FALL_DB = 20; // of a meter's peak, in a second
const HOLD_MS = 1000; // before it falls
const WORK_MS = 10_000; // over which the most work is shown
const FAULTS = ["late", "underruns", "clipped", "repaired", "dropped"];

/** A meter: a bar for the level, and a line for the peak, which falls slowly. */
class Meter {
  #peak = FLOOR_DB;
  #at = 0;

  constructor(element, text) {
    [this.element, this.text] = [element, text];
    [this.bar, this.line] = element.children;
  }

  show(db) {
    const level = Math.max(FLOOR_DB, Math.min(0, db ?? FLOOR_DB));
    this.#keepPeak(level);
    const share = (value) => 1 - value / FLOOR_DB;
    this.bar.style.transform = `scaleX(${share(level)})`;
    this.line.style.left = `${100 * share(this.#peak)}%`;
    this.element.classList.toggle("loud", this.#peak >= LOUD_DB);
    const text = level <= FLOOR_DB ? "−∞ dB" : withMinus(`${db.toFixed(1)} dB`);
    this.text.textContent = text;
    this.element.setAttribute("aria-valuenow", level.toFixed(1));
    this.element.setAttribute("aria-valuetext", text);
  }

  #keepPeak(level) {
    const now = performance.now();
    const fallen = (FALL_DB * Math.max(0, now - this.#at - HOLD_MS)) / 1000;
    if (level >= this.#peak - fallen) [this.#peak, this.#at] = [level, now];
    else if (fallen > 0) [this.#peak, this.#at] = [this.#peak - fallen, now - HOLD_MS];
  }
}

/** The most of the values within some time. */
class Most {
  #values = [];

  add(value) {
    const now = performance.now();
    this.#values = this.#values.filter((other) => now - other.at < WORK_MS && other.value > value);
    this.#values.push({ value, at: now });
    return this.#values[0].value;
  }
}

function showUnit({ unit, source, start_seconds: start, distance, join, voice }) {
  byId("source").textContent = unit < 0 ? "A rest" : source;
  const cost = (name, value) => (value === null ? [] : [`${name} ${value.toFixed(2)}`]);
  const facts = unit < 0 ? [] : [`at ${formatSeconds(start)}`, `unit ${formatCount(unit)}`];
  byId("place").textContent = [...facts, ...(voice ? [`voice ${voice + 1}`] : []), ...cost("target cost", distance), ...cost("join cost", join)].join(", ");
}

function showFigures(status, most) {
  byId("seconds").textContent = clock(status.seconds, { hundredths: false });
  byId("step").textContent = formatCount(status.step);
  byId("beat").textContent = status.tempo ? `${Math.floor(status.beat)} (${status.tempo.toFixed(1)} bpm)` : "–";
  byId("work").textContent = `${status.work_ms.toFixed(1)} ms (${most.toFixed(1)})`;
  for (const name of FAULTS) {
    byId(name).textContent = formatCount(status[name]);
    byId(name).classList.toggle("warn", status[name] > 0);
  }
}

/** Show why filters or weights are not followed, once. */
function showProblem(problem) {
  if (byId("problem").textContent !== problem) byId("problem").textContent = problem;
}

function showState(state) {
  if (byId("state").dataset.state === state) return; // screen readers would say it again
  byId("state").textContent = byId("state").dataset.state = state;
}

/** Show each status of the session. */
export function startNow() {
  const meters = { input: new Meter(byId("input"), byId("input-text")), output: new Meter(byId("output"), byId("output-text")) };
  const work = new Most();
  onNews("status", (status) => {
    meters.input.show(status.input_db);
    meters.output.show(status.output_db);
    showState(status.state);
    showProblem(status.problem);
    if (status.step) showUnit(status);
    showFigures(status, work.add(status.work_ms));
  });
}

/** Give the unit that plays the colour of its source, or none for null. */
export function showColour(path) {
  byId("swatch").hidden = path === null;
  byId("swatch").style.background = path === null ? "" : colorOfSource(path);
}
