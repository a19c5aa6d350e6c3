// Listening to single units and steps instead of the whole plan, one at a time.

import { fail, play, stop } from "../lib.js";

const ALONE = 0.5; // seconds that a unit plays at least
const AROUND = 1; // seconds on both sides of a step that plays in place
const MOST_AROUND = 10; // seconds that the server renders

/** The name of a unit that is heard at a step. */
export const inPlaceOf = ({ unit, transpose }) => `in place ${unit} ${transpose}`;

/** Sends "heard" when another sound starts or the sound stops; `heard` is its name, or null. */
export class Audition extends EventTarget {
  constructor(session, sound) {
    super();
    [this.session, this.sound] = [session, sound];
    this.heard = null;
    sound.addEventListener("state", () => sound.playing && this.stop());
  }

  /** Play a unit alone, with what follows in its source if it is short; the same one again stops it. */
  alone(unit) {
    return this.#hear(`alone ${unit}`, `/units/${unit}/audio.wav?context=${ALONE}`);
  }

  /** Play a unit {unit, transpose} at a step, between its neighbours; without one the step as it is. */
  inPlace(step, match = null) {
    return this.#inPlace(step, AROUND, match);
  }

  /** Play the selected steps as they are; of very long selections the middle. */
  selected() {
    const { plan, voice, range: [first, last] } = this.session;
    const [start, end] = [plan.start(first), plan.end(last)];
    const middle = Math.min(last, Math.max(first, plan.firstAfter((start + end) / 2, voice)));
    const around = AROUND + Math.max(plan.start(middle) - start, end - plan.end(middle));
    return this.#inPlace(middle, Math.min(MOST_AROUND, around));
  }

  #inPlace(step, context, match = null) {
    const { plan, heard } = this.session;
    const { id, revision } = plan;
    const asked = new URLSearchParams({ context, revision, ...heard.asked(plan), ...(match && { unit: match.unit, transpose: match.transpose }) });
    return this.#hear(match ? inPlaceOf(match) : "in place now", `/plans/${id}/steps/${step}/audio.wav?${asked}`);
  }

  stop() {
    if (this.heard === null) return;
    this.#set(null);
    stop();
  }

  async #hear(what, url) {
    if (this.heard === what) return this.stop();
    this.sound.pause();
    this.#set(what);
    try {
      await play(url, { onEnded: () => this.heard === what && this.#set(null) });
    } catch (error) {
      this.#set(null);
      fail(error);
    }
  }

  #set(what) {
    this.heard = what;
    this.dispatchEvent(new Event("heard"));
  }
}
