// The visible part of the plan, in seconds and pixels.

const CLOSEST = 8000; // pixels per second
const WIDEST = 1.6e7; // pixels that browsers scroll through
const REDRAWN = 90; // ms until the waveform is drawn at a new scale; meanwhile the old one is stretched

/** Holds scale and scroll position of the timeline; sends "change". */
export class View extends EventTarget {
  constructor(sound) {
    super();
    this.sound = sound;
    this.width = 1;
    this.total = 1; // seconds
    this.scale = 1; // pixels per second
    this.left = 0; // pixels
    this.fits = true;
    this.drawnScale = 0;
    this.drawnAt = 0;
    sound.addEventListener("drawn", () => this.#placeWave());
  }

  get whole() {
    return this.width / this.total;
  }

  get closest() {
    return Math.max(this.whole, Math.min(CLOSEST, WIDEST / this.total));
  }

  /** Seconds at both edges. */
  get start() {
    return this.left / this.scale;
  }

  get end() {
    return (this.left + this.width) / this.scale;
  }

  x(seconds) {
    return seconds * this.scale - this.left;
  }

  seconds(x) {
    return Math.min(this.total, Math.max(0, (x + this.left) / this.scale));
  }

  /** Take another width of the window or another length of the plan. */
  resize(width, total) {
    const [start, wasFit] = [this.start, this.fits];
    [this.width, this.total] = [Math.max(1, width), total];
    this.#set(wasFit ? this.whole : this.scale, start * this.scale, wasFit);
  }

  /** Change the scale around the pixel `x`. */
  zoom(scale, x = this.width / 2) {
    const seconds = this.seconds(x);
    const within = Math.min(this.closest, Math.max(this.whole, scale));
    this.#set(within, seconds * within - x, within <= this.whole * 1.0001);
  }

  fit() {
    this.#set(this.whole, 0, true);
  }

  scrollTo(left) {
    this.#set(this.scale, left, this.fits);
  }

  /** Scroll so that these seconds are visible. */
  reveal(start, end) {
    const margin = Math.min(60, this.width / 8);
    if (this.x(start) >= 0 && this.x(end) <= this.width) return;
    const left = this.x(start) < margin || (end - start) * this.scale > this.width - 2 * margin;
    this.scrollTo(left ? start * this.scale - margin : end * this.scale - this.width + margin);
  }

  #set(scale, left, fits) {
    this.scale = scale;
    this.left = Math.round(Math.min(Math.max(0, left), Math.max(0, this.total * scale - this.width)));
    this.fits = fits;
    this.asked ??= requestAnimationFrame(() => this.#apply());
  }

  #apply() {
    this.asked = null;
    if (performance.now() - this.drawnAt > REDRAWN || !this.drawnScale) this.#drawWave();
    this.#placeWave();
    this.dispatchEvent(new Event("change"));
  }

  #drawWave() {
    if (this.scale === this.drawnScale) return;
    this.sound.zoom(this.fits ? 0 : this.scale);
    [this.drawnScale, this.drawnAt] = [this.scale, performance.now()];
  }

  /** Scroll the waveform; if the scale has changed, stretch it until it is drawn again. */
  #placeWave() {
    const stretch = this.scale / this.drawnScale;
    clearTimeout(this.waiting);
    if (stretch !== 1) this.waiting = setTimeout(() => this.#apply(), REDRAWN + 1);
    this.sound.scroll(this.left, stretch);
  }
}
