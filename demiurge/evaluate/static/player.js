// Two sounds at one position: changing from one to the other keeps the position in time.

"use strict";

const player = {
  sounds: { a: new Audio(), b: new Audio() },
  side: "a", // the one that plays, or would
  playing: false,
  onChange: () => {}, // it plays, pauses, or is elsewhere
  onSilent: () => {}, // a file cannot be played: onSilent(its name)

  get position() {
    return this.sounds[this.side].currentTime;
  },

  /** Load the files of a pair; the position is its beginning. */
  load({ a, b }) {
    this.pause();
    this.sounds.a.src = `sounds/${a}`;
    this.sounds.b.src = `sounds/${b}`;
    this.side = "a";
  },

  /** Play a side from the current position; from the beginning, if that is the end. */
  play(side) {
    const from = this.sounds[this.side];
    const to = this.sounds[side];
    const at = from.ended ? 0 : from.currentTime;
    if (from !== to) from.pause();
    if (to.currentTime !== at) to.currentTime = at;
    this.side = side;
    this.playing = true;
    to.play().catch((error) => this.fail(to, error));
    this.onChange();
  },

  pause() {
    this.playing = false;
    this.sounds[this.side].pause();
    this.onChange();
  },

  seek(seconds) {
    this.sounds[this.side].currentTime = seconds;
    this.onChange();
  },

  fail(sound, error) {
    if (error.name === "AbortError") return; // paused, or another pair was loaded meanwhile
    this.playing = false;
    this.onSilent(sound.src.split("/").at(-1));
    this.onChange();
  },
};

for (const sound of Object.values(player.sounds)) {
  sound.preload = "auto";
  sound.addEventListener("ended", () => player.pause());
  sound.addEventListener("seeked", () => player.onChange());
}
