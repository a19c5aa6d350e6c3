// Hearing units: alone or a while longer, and many one after another.
import { fail, play, say, stop } from "../lib.js";

const STORED = "map.listen";

/** Plays units for as long as the user wants to listen. */
export class Ear {
  #series = null;
  #hasActed = false; // a click or a key: from then on browsers play
  #told = null; // what went wrong last, said once until the user does something

  /** `select` says how many seconds are heard at least; `hint` is shown while the browser does not play yet. */
  constructor(units, select, hint) {
    this.units = units;
    this.select = select;
    this.hint = hint;
    this.plan = null; // its sound is not interrupted by hovering, but by all else that is heard
    const usual = units.facts.database.kind === "frame" ? "0.5" : "0";
    select.value = localStorage.getItem(STORED) ?? usual;
    if (!select.value) select.value = usual;
    select.addEventListener("change", () => localStorage.setItem(STORED, select.value));
    for (const event of ["pointerdown", "keydown"]) addEventListener(event, () => this.#onAct());
  }

  /** Whether units play one after another. */
  get isInSeries() {
    return this.#series !== null;
  }

  /** Whether something plays that is not to be interrupted by hovering. */
  get isBusy() {
    return this.isInSeries || this.plan.isPlaying;
  }

  /** Play a unit; says why if it cannot be heard. */
  hear(position, { onEnded = null } = {}) {
    const missing = this.units.missing(position);
    if (missing) return say(missing, { warn: true });
    return this.#play(position, onEnded);
  }

  async #play(position, onEnded) {
    this.plan.pause();
    try {
      await play(`/units/${this.units.ids[position]}/audio.wav?context=${this.select.value}`, { onEnded });
    } catch (error) {
      this.#tell(error);
      this.stop();
    }
  }

  #tell(error) {
    if (!this.#hasActed && navigator.userActivation?.hasBeenActive === false) this.hint.hidden = false;
    else if (error.message !== this.#told) fail(error);
    this.#told = error.message;
  }

  #onAct() {
    this.#hasActed = true;
    this.hint.hidden = true;
    this.#told = null;
  }

  /** Play units one after another, calling `onStep(position, index)` with each and with null at the end. */
  hearAll(positions, onStep) {
    this.stop();
    const series = { onStep };
    const step = (index) => {
      if (index >= positions.length) return this.#endSeries(series);
      onStep(positions[index], index);
      return this.#play(positions[index], (whole) => (whole ? step(index + 1) : this.#endSeries(series)));
    };
    this.#series = series;
    step(0);
  }

  #endSeries(series) {
    if (this.#series !== series) return;
    this.#series = null;
    series.onStep(null);
  }

  /** Be silent. */
  stop() {
    stop(); // ends a series too
  }
}
