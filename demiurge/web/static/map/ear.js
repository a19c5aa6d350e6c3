// Plays units: one with what follows it, or many one after another.
import { fail, play, say, stop } from "../lib.js";

const STORED = "map.listen";

/** Plays units for as long as the user has chosen. */
export class Ear {
  #series = null;
  #hasActed = false; // a click or a key; before one, browsers do not play sound
  #told = null; // the last error, shown once until the user does something

  /** `select` has the least seconds to play; `hint` is shown while the browser does not play sound yet. */
  constructor(units, select, hint) {
    this.units = units;
    this.select = select;
    this.hint = hint;
    this.plan = null; // hovering does not interrupt it, any other sound does
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

  /** Whether something plays that hovering must not interrupt. */
  get isBusy() {
    return this.isInSeries || this.plan.isPlaying;
  }

  /** Play a unit; show an error if it cannot be played. */
  hear(position, { onEnded = null } = {}) {
    const missing = this.units.missing(position);
    if (missing) return say(missing, { warn: true });
    return this.#play(position, onEnded);
  }

  async #play(position, onEnded) {
    this.plan.pause();
    try {
      await play(`/units/${this.units.nameOf(position)}/audio.wav?context=${this.select.value}`, { onEnded });
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

  /** Stop all sound. */
  stop() {
    stop(); // ends a series too
  }
}
