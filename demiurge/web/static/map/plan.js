// The plan on the map: chosen in a list, drawn as a path, played with a marker.
import { setIcon } from "../icons.js";
import { counted, events, fail, formatCount, formatSeconds, getJson, h, whySilent } from "../lib.js";
import { recall, remember } from "./address.js";
import { pathLayer } from "./path.js";

/** The plan's section of the panel and its path. */
export class PlanPath {
  #plan = null;
  #path = { nodes: [], voices: [], at: null };
  #moments = []; // when a step begins in any voice, samples
  #moment = null; // that plays
  #audio = new Audio();
  #frame = null;

  constructor({ units, plot, overlay, ear, layouts, section }) {
    Object.assign(this, { units, plot, overlay, ear, layouts, section });
    const draw = pathLayer(plot, this.#path);
    overlay.add((context, view) => this.#path.nodes.length && draw(context, view));
    section.choice.addEventListener("change", () => this.#choose(section.choice.value));
    section.play.addEventListener("click", () => this.playOrStop());
    section.seek.addEventListener("input", () => this.#seek(Number(section.seek.value)));
    for (const event of ["play", "pause", "ended"]) this.#audio.addEventListener(event, () => this.#onPlaying());
    this.#audio.addEventListener("error", () => this.#onError());
    events("plan", (event) => this.#isNews(event) && this.#load(event.id));
    events("job", (job) => job.state === "done" && this.#list().catch(fail));
    document.addEventListener("reconnected", () => this.#catchUp().catch(fail));
  }

  // While a plan is rendered, events report the progress.
  #isNews({ id, revision, audio }) {
    return id === this.#plan?.id && (revision !== this.#plan.revision || audio.state !== this.#plan.audio.state);
  }

  async #catchUp() {
    await this.#list();
    if (this.#plan) await this.#load(this.#plan.id);
  }

  /** Fill the list and show the plan of the address, or the one that the server was started with. */
  async start(given) {
    const plans = await this.#list();
    const wanted = recall("plan") ?? given ?? "";
    if (wanted && plans.some(({ id }) => id === wanted)) await this.#choose(wanted);
  }

  async #list() {
    const { plans } = await getJson("/plans.json");
    const { choice, none } = this.section;
    const chosen = choice.value;
    choice.replaceChildren(h("option", { value: "" }, plans.length ? "None" : "There is none yet"),
      ...plans.map(({ id, name, seconds, error }) =>
        h("option", { value: id, disabled: Boolean(error) }, `${name} (${error ? "cannot be read" : formatSeconds(seconds)})`)));
    choice.value = chosen;
    choice.disabled = plans.length === 0;
    none.hidden = plans.length > 0;
    return plans;
  }

  async #choose(id) {
    this.section.choice.value = id;
    remember("plan", id);
    this.stop();
    if (id) return this.#load(id);
    this.#show(null);
    return null;
  }

  async #load(id) {
    try {
      const plan = await getJson(`/plans/${encodeURIComponent(id)}.json`);
      if (this.section.choice.value === id) this.#show(plan);
    } catch (error) {
      if (this.section.choice.value === id && this.#plan?.id !== id) this.#show(null);
      fail(error);
    }
  }

  #show(plan) {
    const isOther = plan?.id !== this.#plan?.id || plan?.revision !== this.#plan?.revision;
    this.#plan = plan;
    this.#path.nodes = plan ? this.#nodesOf(plan) : [];
    this.#path.voices = plan ? spansOf(plan.steps.voice) : [];
    this.#moments = plan ? [...new Set(plan.steps.at_sample)].sort((a, b) => a - b) : [];
    this.layouts.include(this.#path.nodes.filter((position) => position >= 0));
    this.section.box.hidden = !plan;
    if (plan) this.#describe(plan);
    if (plan && isOther) this.stop();
    this.overlay.refresh();
  }

  // A unit counts as one of this database if its source is the same.
  #nodesOf({ steps, sources }) {
    return steps.unit.map((unit, step) => {
      const position = this.units.positionOf(unit);
      const path = sources[steps.source[step]]?.path;
      return position >= 0 && this.units.sourceOf(position).path === path ? position : -1;
    });
  }

  #describe({ id, n_samples, sample_rate, audio, notes }) {
    const { link, facts, notes: list, play, seek } = this.section;
    const { nodes } = this.#path;
    const absent = nodes.filter((position) => position < 0).length;
    link.href = `/timeline/${encodeURIComponent(id)}`;
    const distinct = new Set(nodes.filter((position) => position >= 0)).size;
    const several = this.#path.voices.length > 1 ? [counted(this.#path.voices.length, "voice")] : [];
    facts.textContent = [counted(nodes.length, "step"), counted(distinct, "unit"), ...several, formatSeconds(n_samples / sample_rate)].join(", ");
    const left = `${formatCount(absent)} of the steps are rests or play no unit of this database; the path leaves them out.`;
    const rendering = { rendering: "Its audio is being rendered.", failed: `Its audio could not be rendered: ${audio.error}` }[audio.state];
    list.replaceChildren(...[...notes, absent && left, rendering].filter(Boolean).map((note) => h("p", { class: "note" }, note)));
    play.disabled = seek.disabled = audio.state !== "ready";
    seek.max = this.#moments.length - 1;
  }

  get isPlaying() {
    return !this.#audio.paused && !this.#audio.ended;
  }

  /** Play the plan from where it was paused, or pause it. */
  async playOrStop() {
    if (!this.#plan || this.section.play.disabled) return;
    if (this.isPlaying) {
      this.pause();
      return;
    }
    this.ear.stop();
    this.#useAudio();
    try {
      await this.#audio.play();
    } catch (error) {
      if (error.name !== "AbortError" && error.name !== "NotSupportedError") fail(error); // #onError handles the latter
    }
  }

  pause() {
    this.#audio.pause();
  }

  #useAudio() {
    const url = `/plans/${encodeURIComponent(this.#plan.id)}/audio.wav?revision=${this.#plan.revision}`;
    if (!this.#audio.src.endsWith(url)) this.#audio.src = url;
  }

  async #onError() {
    if (!this.#audio.getAttribute("src")) return;
    fail(new Error(await whySilent(this.#audio.src)));
  }

  /** Stop, and forget the position. */
  stop() {
    this.#audio.pause();
    this.#audio.removeAttribute("src");
    [this.#path.at, this.#moment] = [null, null];
    this.section.seek.value = 0;
    this.overlay.refresh();
  }

  #seek(moment) {
    this.#useAudio();
    this.#audio.currentTime = this.#moments[moment] / this.#plan.sample_rate;
    this.#setMoment(moment);
  }

  #onPlaying() {
    const { play } = this.section;
    setIcon(play, this.isPlaying ? "pause" : "play");
    play.title = this.isPlaying ? "Pause the plan (K)" : "Play the plan (K)";
    play.setAttribute("aria-label", this.isPlaying ? "Pause the plan" : "Play the plan");
    if (this.isPlaying) this.#follow();
    else if (this.#audio.ended) this.#setMoment(null);
  }

  #follow() {
    cancelAnimationFrame(this.#frame);
    if (!this.isPlaying) return;
    this.#setMoment(lastBegun(this.#moments, this.#audio.currentTime * this.#plan.sample_rate));
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  #setMoment(moment) {
    if (moment === this.#moment) return;
    this.#moment = moment;
    const { voices } = this.#path;
    const { at_sample: starts } = this.#plan.steps;
    const sample = this.#moments[moment];
    this.#path.at = moment === null ? null : voices.map(([first, end]) => lastBegun(starts, sample, first, end));
    this.section.seek.value = moment ?? 0;
    const text = voices.length > 1 ? formatSeconds(this.#moments[moment ?? 0] / this.#plan.sample_rate) : `step ${(moment ?? 0) + 1} of ${this.#moments.length}`;
    this.section.seek.setAttribute("aria-valuetext", text);
    this.overlay.refresh();
  }
}

/** [first, end] of the steps of each voice that has any. */
function spansOf(voice) {
  const firsts = voice.map((_, step) => step).filter((step) => step === 0 || voice[step] !== voice[step - 1]);
  return firsts.map((first, i) => [first, firsts[i + 1] ?? voice.length]);
}

/** The last index from `first` up to `end` whose start is not after the sample. */
function lastBegun(starts, sample, first = 0, end = starts.length) {
  let low = first;
  let high = end - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= sample) low = middle;
    else high = middle - 1;
  }
  return low;
}
