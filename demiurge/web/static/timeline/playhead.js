// The line at the playing position, and the view that follows it.

import { byId } from "../lib.js";

const TURN = 0.94; // share of the window that the line crosses before the view moves
const BACK = 0.06;

/** Moves the line; with `follow` the view moves as well. */
export class Playhead {
  constructor(sound, view) {
    [this.sound, this.view] = [sound, view];
    this.line = byId("playhead");
    this.button = byId("follow");
    this.follow = true;
    view.addEventListener("change", () => this.#place());
    sound.addEventListener("time", () => this.#go());
    this.setFollow(true);
  }

  setFollow(follow) {
    this.follow = follow;
    this.button.setAttribute("aria-pressed", follow);
    if (follow) this.#turn();
  }

  /** Stop following: the user has scrolled elsewhere. */
  letGo = () => {
    if (this.sound.playing && this.follow) this.setFollow(false);
  };

  #go() {
    if (this.follow) this.#turn();
    this.#place();
  }

  #turn() {
    if (!this.sound.playing) return;
    const x = this.view.x(this.sound.time);
    if (x >= 0 && x <= this.view.width * TURN) return;
    this.view.scrollTo(this.view.left + x - this.view.width * BACK);
  }

  #place() {
    const x = this.view.x(this.sound.time);
    this.line.hidden = x < -1 || x > this.view.width + 1;
    this.line.style.transform = `translateX(${x}px)`;
  }
}
