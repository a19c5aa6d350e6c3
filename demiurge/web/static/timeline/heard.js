// Which voices are heard on this page. The plan, and what is downloaded, does not change.

/** Muted voices are not heard, and if any are solo, only these are; `onChange` is called when that changes. */
export class Heard {
  constructor(onChange) {
    this.onChange = onChange;
    this.muted = new Set();
    this.solo = new Set();
  }

  /** Mute a voice or hear it again. */
  toggleMuted(voice) {
    this.#toggle(this.muted, voice);
  }

  /** Hear only this voice, beside others that are solo already, or all again. */
  toggleSolo(voice) {
    this.#toggle(this.solo, voice);
  }

  #toggle(voices, voice) {
    if (!voices.delete(voice)) voices.add(voice);
    this.onChange();
  }

  includes(voice) {
    return !this.muted.has(voice) && (this.solo.size === 0 || this.solo.has(voice));
  }

  /** The voices of a plan that are heard; null if all are. */
  of(plan) {
    const heard = plan.voices.map((_, voice) => voice).filter((voice) => this.includes(voice));
    return heard.length === plan.nVoices ? null : heard;
  }

  /** What a request for their audio asks for: {voices: "0,2"}, nothing if all are heard. */
  asked(plan) {
    const heard = this.of(plan);
    return heard ? { voices: heard.join(",") } : {};
  }
}
