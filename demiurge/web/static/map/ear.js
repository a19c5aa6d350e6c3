// Hearing units: alone or a while longer, and many one after another.
import { fail, play, playing, say, stop } from "../lib.js";

const STORED = "map.listen";

/** Plays units for as long as the user wants to listen. */
export class Ear {
  #series = null;

  /** `select` says how many seconds are heard at least; `hint` is shown while the browser does not play yet. */
  constructor(units, select, hint) {
    this.units = units;
    this.select = select;
    this.hint = hint;
    this.isTaken = () => false; // by another sound, which is not to be interrupted by hovering
    const usual = units.facts.database.kind === "frame" ? "0.5" : "0";
    select.value = localStorage.getItem(STORED) ?? usual;
    if (!select.value) select.value = usual;
    select.addEventListener("change", () => localStorage.setItem(STORED, select.value));
    addEventListener("pointerdown", () => (hint.hidden = true));
  }

  /** Whether something plays that is not to be interrupted by hovering. */
  get isBusy() {
    return this.#series !== null || this.isTaken();
  }

  /** Play a unit; says why if it cannot be heard. */
  hear(position, { onEnded = null } = {}) {
    const missing = this.units.missing(position);
    if (missing) return say(missing, { warn: true });
    return this.#play(position, onEnded);
  }

  async #play(position, onEnded) {
    try {
      await play(`/units/${this.units.ids[position]}/audio.wav?context=${this.select.value}`, { onEnded });
    } catch (error) {
      if (navigator.userActivation?.hasBeenActive === false) this.hint.hidden = false;
      else fail(error);
      this.stop();
    }
  }

  /** Play units one after another, calling `onStep(position)` with each and with null at the end. */
  hearAll(positions, onStep) {
    this.stop();
    const series = { onStep };
    const step = (index) => {
      const ends = this.#series !== series || playing() || index >= positions.length; // playing: something else instead
      if (ends) return this.#endSeries(series);
      onStep(positions[index]);
      return this.#play(positions[index], () => step(index + 1));
    };
    this.#series = series;
    step(0);
  }

  #endSeries(series) {
    if (this.#series === series) this.#series = null;
    series.onStep(null);
  }

  /** Be silent. */
  stop() {
    const series = this.#series;
    this.#series = null;
    stop();
    series?.onStep(null);
  }
}
