// Where the points are: a layout from the server, or two values as axes.
import { events, fail, getJson, h, postJson, say } from "../lib.js";
import { remember } from "./address.js";
import { mainRange } from "./ranges.js";

const AXES_ROOM = 0.3; // margin, since outlying values, unlike places in a layout, are not drawn in
const SEEN = 1.01; // in plot coordinates; allows for rounding

/** The current layout, and the controls that choose it. */
export class Layouts {
  #placed = Promise.resolve();
  #included = []; // positions that are always visible, however far out

  constructor(units, plot, controls, { kind, x, y }) {
    this.units = units;
    this.plot = plot;
    this.controls = controls;
    this.kind = kind;
    this.x = x;
    this.y = y;
    this.quality = units.facts.layouts.quality;
    this.#connect();
  }

  #connect() {
    const { kinds, x, y, quality } = this.controls;
    for (const button of kinds) button.addEventListener("click", () => this.choose({ kind: button.value }));
    x.addEventListener("change", () => this.choose({ x: x.value }));
    y.addEventListener("change", () => this.choose({ y: y.value }));
    quality.start.addEventListener("click", () => this.#start());
    events("layout", (event) => event.name === "quality" && this.#onQuality(event));
    document.addEventListener("reconnected", () => this.#ask().catch(fail));
  }

  /** Choose another layout or axis. */
  choose(choice) {
    Object.assign(this, choice);
    remember("layout", this.kind === "pca" ? null : this.kind);
    remember("x", this.kind === "axes" ? this.x : null);
    remember("y", this.kind === "axes" ? this.y : null);
    this.place({ move: true }).catch(fail);
  }

  /** Place the points by the current choice. */
  place({ move = false } = {}) {
    this.#showControls();
    const placed = this.#placed.then(() => this.#place(move));
    this.#placed = placed.catch(() => {});
    return placed;
  }

  /** Let the whole map show these positions too. */
  include(positions) {
    this.#included = positions;
    const isOut = (position) => {
      const [x, y] = this.plot.coordinates(position);
      return Math.abs(x) > SEEN * this.plot.aspect || Math.abs(y) > SEEN;
    };
    if (this.plot.isHome && positions.some(isOut)) this.place().catch(fail);
  }

  async #place(move) {
    const [x, y, axes] = this.kind === "axes" ? await this.#axes() : await this.#layout();
    if (move && !this.plot.isHome) await this.plot.goHome({ move: false });
    this.axes = axes;
    await this.plot.place(x, y, { move });
  }

  async #layout() {
    const ready = this.kind === "quality" && this.quality.state === "ready";
    const flat = await this.units.layout(ready ? "quality" : "pca");
    const count = this.units.length;
    return [...fitted(flat.subarray(0, count), flat.subarray(count), this.plot.aspect, this.#included), null];
  }

  async #axes() {
    const [x, y] = await Promise.all([this.units.values(this.x), this.units.values(this.y)]);
    const [xs, ys] = [spread(x, this.plot.aspect, this.#included), spread(y, 1, this.#included)];
    return [xs.places, ys.places, { x: { name: this.x, ...xs }, y: { name: this.y, ...ys } }];
  }

  async #start() {
    this.#onQuality({ state: "running", done: 0, note: "" });
    try {
      this.#onQuality(await postJson("/map/layouts/quality"));
    } catch (error) {
      this.#onQuality({ state: "failed", done: 0, note: error.message });
    }
  }

  #onQuality({ state, done, note }) {
    const wasReady = this.quality.state === "ready";
    this.quality = { state, done, note };
    if (this.kind !== "quality") {
      if (state === "ready" && !wasReady) say("The quality layout is ready.");
      return;
    }
    this.#showControls();
    if (state === "ready" && !wasReady) this.place({ move: true }).catch(fail);
  }

  // After a lost connection, fetch what was missed.
  async #ask() {
    this.#onQuality((await getJson("/map.json")).layouts.quality);
  }

  #showControls() {
    const { kinds, rim, quality } = this.controls;
    for (const button of kinds) button.setAttribute("aria-pressed", String(button.value === this.kind));
    rim.hidden = this.kind !== "axes";
    this.controls.x.value = this.x;
    this.controls.y.value = this.y;
    const { state, done, note } = this.quality;
    quality.box.hidden = this.kind !== "quality" || state === "ready";
    quality.start.hidden = state === "running" || state === "unavailable";
    quality.start.textContent = state === "failed" ? "Try again" : "Compute it";
    quality.progress.hidden = state !== "running";
    if (done) quality.progress.value = done;
    else quality.progress.removeAttribute("value"); // in progress, but it is unknown how far
    quality.text.replaceChildren(...qualityText(state, done, note));
  }
}

function qualityText(state, done, note) {
  const head = {
    absent: "PCA is shown until this layout (UMAP) is computed: less than a minute for most, once.",
    running: done ? `Computing the quality layout: ${Math.round(100 * done)} %.` : "Computing the quality layout.",
    failed: "The quality layout could not be computed: PCA is shown.",
    unavailable: "The quality layout is not available: PCA is shown.",
  }[state];
  return [head, " ", h("span", { class: "muted" }, note || (state === "running" ? "PCA is shown, and can be used, meanwhile." : ""))];
}

/** Columns centred and enlarged, with one scale, to fill plot coordinates with nearly all points. */
export function fitted(x, y, aspect, included = []) {
  const [left, right] = mainRange(x, { included });
  const [bottom, top] = mainRange(y, { included });
  const scale = Math.min((2 * aspect) / (right - left || 1), 2 / (top - bottom || 1));
  return [x.map((value) => (value - (left + right) / 2) * scale), y.map((value) => (value - (bottom + top) / 2) * scale)];
}

/** Values spread over [-extent, extent], but for a few far out. */
function spread(values, extent, included) {
  const [low, high] = mainRange(values, { included, room: AXES_ROOM });
  const scale = (2 * extent) / (high - low || 1);
  return { places: values.map((value) => (value - (low + high) / 2) * scale), scale, middle: (low + high) / 2 };
}
