// Hearing single units and steps, in place of the whole: one sound at a time.

import { fail, play, stop } from "../lib.js";

/** Tells "heard" when another sound is heard, or none: `heard` is what it was called. */
export class Audition extends EventTarget {
  constructor(session, sound) {
    super();
    [this.session, this.sound] = [session, sound];
    this.heard = null;
    sound.addEventListener("state", () => sound.playing && this.stop());
  }

  /** A unit by itself; what is heard already stops. */
  alone(unit) {
    return this.#hear(`alone ${unit}`, `/units/${unit}/audio.wav`);
  }

  /** A unit at a step, with what is played before and behind it; without a unit the step as it is. */
  inPlace(step, unit = null) {
    const { id, revision } = this.session.plan;
    const asked = new URLSearchParams({ context: "1", revision, ...(unit === null ? {} : { unit }) });
    return this.#hear(`in place ${unit ?? "now"}`, `/plans/${id}/steps/${step}/audio.wav?${asked}`);
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
