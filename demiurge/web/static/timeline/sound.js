// Playback and waveform: a media element plays the rendered plan, and wavesurfer draws the server's peaks.

import { cssColor, getFloats, onTheme } from "../lib.js";
import WaveSurfer from "../vendor/wavesurfer/wavesurfer.esm.js";

const MOST_PEAKS = 1 << 17;
const FINEST = 16; // samples per peak
const HANDOVER = 0.03; // seconds until another element plays

/** Sends "state" when it plays or pauses, "time" while it plays, "drawn" when the waveform was drawn again,
 *  "broken" when it cannot continue. */
export class Sound extends EventTarget {
  constructor(container, nonce) {
    super();
    this.media = this.#listened(new Audio());
    this.loading = 0; // counts them
    this.loads = Promise.resolve(); // one after another
    this.frame = null;
    this.moved = same;
    this.ready = false;
    this.container = container;
    this.surfer = WaveSurfer.create({
      container, media: this.media, cspNonce: nonce, height: "auto", interact: false, autoScroll: false, hideScrollbar: true,
      normalize: true, cursorWidth: 0, ...colours(),
    });
    this.surfer.on("redrawcomplete", () => this.dispatchEvent(new Event("drawn")));
    onTheme(() => this.surfer.setOptions(colours()));
  }

  #listened(media) {
    const tell = (name) => () => media === this.media && this.dispatchEvent(new Event(name));
    for (const name of ["play", "pause", "ended"]) media.addEventListener(name, tell("state"));
    media.addEventListener("play", () => this.#tick());
    media.addEventListener("error", tell("broken"));
    return media;
  }

  #tick() {
    cancelAnimationFrame(this.frame);
    this.dispatchEvent(new Event("time"));
    if (this.playing) this.frame = requestAnimationFrame(() => this.#tick());
  }

  get playing() {
    return !this.media.paused && !this.media.ended;
  }

  get time() {
    return this.surfer.getCurrentTime();
  }

  seek(seconds) {
    if (!this.ready) return;
    this.surfer.setTime(seconds);
    this.dispatchEvent(new Event("time"));
  }

  async toggle() {
    if (this.playing) return this.pause();
    if (!this.ready) return;
    if (this.media.ended) this.seek(0);
    await this.media.play();
  }

  pause() {
    this.media.pause();
  }

  /** Draw at so many pixels per second; 0: fit the whole plan. */
  zoom(scale) {
    this.surfer.setOptions({ minPxPerSec: scale });
  }

  /** Scroll to this pixel of a waveform that is `stretch` times as wide as it was drawn. */
  scroll(left, stretch) {
    this.surfer.setScroll(left / stretch);
    const shift = stretch === 1 ? 0 : stretch * this.surfer.getScroll() - left;
    this.container.style.transform = stretch === 1 ? "" : `translateX(${shift}px) scaleX(${stretch})`;
  }

  /** Draw a flat line as long as the plan, until its audio is rendered. */
  async blank(plan) {
    await this.surfer.load("", [new Float32Array(1024)], plan.seconds);
  }

  /** Switch to another revision at the current position, which `moved` maps to a time in the new one; `asked` says which voices, if not all. */
  async load(plan, asked, moved = same) {
    const turn = ++this.loading;
    const before = this.moved; // of revisions that were replaced before they played
    this.moved = (seconds) => moved(before(seconds));
    const load = this.loads.then(() => this.#load(plan, asked, turn));
    this.loads = load.catch(() => null);
    try {
      await load;
    } catch (error) {
      if (turn === this.loading) throw error;
    }
  }

  async #load(plan, asked, turn) {
    if (turn !== this.loading) return;
    const url = new URL(`/plans/${plan.id}/audio.wav?${new URLSearchParams({ revision: plan.revision, ...asked })}`, location).href;
    const drawn = getPeaks(plan, asked);
    drawn.catch(() => null); // it is awaited later
    const media = await cued(url, this.moved(this.time));
    if (turn !== this.loading) return;
    await this.#swap(media, turn);
    const peaks = await drawn;
    if (turn !== this.loading) return;
    await this.surfer.load(url, peaks, plan.seconds);
    if (!this.playing) this.surfer.setTime(this.time);
  }

  async #swap(media, turn) {
    const before = this.media;
    await soughtTo(media, this.moved(this.time + (this.playing ? HANDOVER : 0)));
    if (turn !== this.loading) return;
    if (this.playing) await media.play();
    if (before.paused || turn !== this.loading) media.pause();
    if (turn !== this.loading) return;
    this.moved = same;
    this.media = this.#listened(media);
    this.surfer.setMediaElement(media);
    before.pause();
    before.removeAttribute("src");
    before.load();
    this.ready = true;
    this.dispatchEvent(new Event("state"));
    this.#tick();
  }
}

const same = (seconds) => seconds;
const colours = () => ({ waveColor: cssColor("--wave"), progressColor: cssColor("--wave-played") });

/** Highest and lowest sample of each bucket, above and below the middle line. */
async function getPeaks(plan, asked) {
  let samples = FINEST;
  while (plan.n_samples / samples > MOST_PEAKS) samples *= 2;
  const peaks = await getFloats(`/plans/${plan.id}/peaks?${new URLSearchParams({ samples, ...asked })}`);
  const n = peaks.length / 2;
  return [peaks.subarray(0, n).map((high) => Math.max(0, high)), peaks.subarray(n).map((low) => Math.max(0, -low))];
}

/** A media element that is ready to play from this position. */
async function cued(url, seconds) {
  const media = new Audio();
  media.preload = "auto";
  await new Promise((resolve, reject) => {
    media.addEventListener("canplay", resolve, { once: true });
    media.addEventListener("error", () => reject(new Error(`The sound cannot be played (${media.error.message}).`)), { once: true });
    media.src = url;
  });
  await soughtTo(media, seconds);
  return media;
}

async function soughtTo(media, seconds) {
  if (Math.abs(media.currentTime - seconds) < 0.001) return;
  const sought = new Promise((resolve) => media.addEventListener("seeked", resolve, { once: true }));
  media.currentTime = Math.min(seconds, media.duration);
  await sought;
}
