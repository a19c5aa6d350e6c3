// A variation as a card: play it, see its sources, open or download it.

import { icon, setIcon } from "../icons.js";
import { byId, counted, events, fail, formatSeconds, getFloats, getJson, h, numberSources, onTheme } from "../lib.js";
import * as player from "./player.js";
import { drawVariation, sourceAt } from "./wave.js";

const BUCKETS = 600; // of peaks, across a card
const LEAST_BUCKET = 16; // samples
const SKIP = 1; // seconds, by an arrow key

const keep = byId("keep");
const cards = new Map(); // plan id -> Variation
let turn = Promise.resolve();
const unseen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) loadInTurn(cards.get(target.dataset.plan));
});

/** Fetch one card after another, since the server keeps few plans open; skip a card that already has this revision. */
function loadInTurn(card, revision = null) {
  turn = turn.then(() => card.has(revision) || card.load()).catch((error) => card.refuse(error.message));
}

/** A plan of a job, as a card; it is fetched when it comes into view. */
export class Variation {
  constructor(id, number) {
    this.id = id;
    this.number = number;
    this.name = `Variation ${number}`;
    this.url = `/plans/${id}/audio.wav`;
    this.began = false; // to be fetched
    this.plan = null;
    this.seconds = 0;
    this.peaks = null;
    this.node = this.build();
    cards.set(id, this);
    unseen.observe(this.node);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    onTheme(() => this.draw());
  }

  build() {
    const play = { type: "button", class: "play", "data-icon": "play", disabled: true, onclick: () => this.toggle() };
    this.button = h("button", play, icon("play"), String(this.number));
    this.facts = h("span", { class: "facts muted" }, "…");
    this.canvas = h("canvas");
    this.played = h("div", { class: "played", hidden: true });
    this.wave = h("div", { class: "wave", tabindex: "0", role: "slider", ...this.position() }, this.canvas, this.played);
    this.wave.addEventListener("click", (event) => this.seek(this.timeAt(event)));
    this.wave.addEventListener("keydown", (event) => this.onKey(event));
    this.wave.addEventListener("pointermove", (event) => this.showSource(event));
    this.label(false);
    const head = h("div", { class: "head" }, this.button, this.facts);
    return h("li", { class: "variation", "data-plan": this.id }, head, this.wave, this.links());
  }

  /** Describe the waveform to screen readers, for which it is a slider. */
  position(seconds = 0) {
    return {
      "aria-label": `Position in variation ${this.number}`, "aria-valuemin": "0", "aria-valuemax": this.seconds.toFixed(1),
      "aria-valuenow": seconds.toFixed(1), "aria-valuetext": seconds > 0 ? formatSeconds(seconds) : "at the start",
    }; // prettier-ignore
  }

  links() {
    const link = (href, text, title, more) => {
      const label = `${text}, variation ${this.number}: ${title}`;
      return h("a", { class: "button", href, title, "aria-label": label, ...more }, text);
    };
    const file = (kind) => `/plans/${this.id}/download/${kind}`;
    return h(
      "div", { class: "row links" },
      link(`/timeline/${this.id}`, "Timeline", "see why it plays what it plays, and change it"),
      link(`/map?plan=${this.id}`, "On the map", "its path from unit to unit"),
      link(file("wav"), "WAV", "download the sound", { download: "" }),
      link(file("plan"), "Plan", "download the plan", { download: "" }),
    ); // prettier-ignore
  }

  async load() {
    unseen.unobserve(this.node);
    this.began = true;
    this.plan = await getJson(`/plans/${this.id}.json`);
    numberSources(this.plan.sources);
    const { audio, revision, n_samples: length } = this.plan;
    this.showFacts();
    if (audio.state === "failed") this.refuse(audio.error);
    this.peaks = audio.state === "ready" ? await getPeaks(this.id, length) : null;
    this.draw();
    if (!this.peaks) return; // an event will follow
    this.url = `/plans/${this.id}/audio.wav?revision=${revision}`;
    this.button.disabled = false;
    const from = player.dueFrom(this);
    if (from !== null) this.seek(from, { again: true });
  }

  /** Handle the event that the audio of a revision is rendered, or cannot be. */
  hear({ revision, audio }) {
    if (this.began && audio.state !== "rendering") loadInTurn(this, revision);
  }

  /** Fetch what was missed while there was no connection. */
  catchUp() {
    if (this.began && this.peaks === null) loadInTurn(this);
  }

  has(revision) {
    return this.peaks !== null && this.plan.revision === revision && player.dueFrom(this) === null;
  }

  showFacts() {
    const { steps, sample_rate: rate, n_samples: length } = this.plan;
    const sources = new Set(steps.source).size;
    const joins = steps.contiguous.filter((goesOn) => !goesOn).length - 1;
    this.seconds = length / rate;
    this.wave.setAttribute("aria-valuemax", this.seconds.toFixed(1));
    this.facts.textContent = [formatSeconds(this.seconds), counted(sources, "source"), counted(joins, "join")].join(" · ");
    this.facts.classList.remove("warn");
  }

  /** Show an error instead of the facts. */
  refuse(message) {
    this.facts.textContent = message;
    this.facts.classList.add("warn");
  }

  draw() {
    if (this.plan && this.canvas.clientWidth > 0) drawVariation(this.canvas, this.plan, this.peaks);
  }

  /** Play or stop. With "Keep position" it starts where another variation was, if it is long enough. */
  toggle() {
    if (player.current() === this) return player.stop();
    const from = keepsPosition() && player.current() instanceof Variation ? player.position() : 0;
    this.seek(from < this.seconds ? from : 0);
  }

  seek(seconds, { again = false } = {}) {
    if (this.button.disabled) return;
    const from = Math.min(Math.max(seconds, 0), this.seconds);
    this.show(from);
    for (const [name, value] of Object.entries(this.position(from))) this.wave.setAttribute(name, value);
    player.start(this, from).catch((error) => this.renew(error, again));
  }

  /** Retry a track that does not play: the server may be rendering the plan again, or it was edited. */
  renew(error, again) {
    if (player.dueFrom(this) === null) return;
    if (!again) loadInTurn(this);
    else {
      player.stop();
      fail(error);
    }
  }

  /** Show the position in seconds; null when it no longer plays. */
  show(position) {
    const plays = position !== null;
    this.played.hidden = !plays;
    if (plays) this.played.style.width = `${Math.min(100, (100 * position) / this.seconds)}%`;
    if (plays !== this.node.classList.contains("playing")) this.label(plays);
  }

  label(plays) {
    this.button.setAttribute("aria-label", `${plays ? "Stop" : "Play"} variation ${this.number}`);
    setIcon(this.button, plays ? "stop" : "play");
    this.button.classList.toggle("on", plays);
    this.node?.classList.toggle("playing", plays);
  }

  timeAt(event) {
    const box = this.wave.getBoundingClientRect();
    return (this.seconds * Math.min(box.width, Math.max(0, event.clientX - box.left))) / box.width;
  }

  showSource(event) {
    if (this.plan) this.wave.title = sourceAt(this.plan, this.timeAt(event) * this.plan.sample_rate) ?? "a rest";
  }

  onKey(event) {
    const here = player.current() === this ? player.position() : 0;
    const to = { ArrowLeft: here - SKIP, ArrowRight: here + SKIP, Home: 0, Enter: here }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.seek(to);
  }
}

const keepsPosition = () => keep.getAttribute("aria-pressed") === "true";

/** Switch "Keep position" on or off. */
export const toggleKeep = () => keep.setAttribute("aria-pressed", String(!keepsPosition()));

/** The highest and lowest samples across a card; null while the audio is being rendered. */
const getPeaks = (id, length) => getFloats(`/plans/${id}/peaks?samples=${Math.max(LEAST_BUCKET, Math.ceil(length / BUCKETS))}`);

keep.addEventListener("click", toggleKeep);
events("plan", (told) => cards.get(told.id)?.hear(told));
document.addEventListener("reconnected", () => cards.forEach((card) => card.catchUp()));
