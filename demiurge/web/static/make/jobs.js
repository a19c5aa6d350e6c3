// The jobs, newest first, with their progress and variations.

import { byId, clock, counted, fail, h, postJson, say } from "../lib.js";
import * as player from "./player.js";
import { Variation } from "./variation.js";

const GOES_ON = ["queued", "running"];
const INTERRUPTED = "The server ended while this was being made. What it had made is here; make the rest again.";
const list = byId("jobs");
const views = new Map(); // job id -> JobView
let takeAgain = () => {};
let keysAreOf = null; // the JobView whose variations the number keys play

class JobView {
  constructor(job) {
    this.variations = new Map(); // plan id -> Variation
    this.state = h("span", { class: "state" });
    this.place = h("span", { class: "muted" });
    this.elapsed = h("span", { class: "muted elapsed" });
    this.cancel = h("button", { type: "button", onclick: () => cancel(job.id) }, "Cancel");
    this.what = h("span");
    this.bar = h("progress", { "aria-label": "Progress of this job" });
    this.progress = h("div", { class: "progress" }, this.what, this.bar);
    this.error = h("p", { class: "note" });
    this.cards = h("ol", { class: "variations", "aria-label": "Variations" });
    const options = h("p", { class: "options muted" }, describe(job));
    const about = { class: "job panel", tabindex: "-1", "aria-labelledby": `job-${job.id}` };
    this.node = h("li", about, this.head(job), options, this.progress, this.error, this.cards);
    for (const kind of ["pointerdown", "focusin"]) this.node.addEventListener(kind, () => giveKeys(this));
  }

  head({ id, seed, model }) {
    const how = h("span", { class: "muted" }, `→ ${model?.name ?? "mosaic"}`);
    const title = h("h3", { id: `job-${id}`, title: seed.name }, h("span", {}, seed.name), how);
    const fill = { type: "button", title: "Fill the form with its seed, model and knobs", onclick: () => takeAgain(this.job) };
    const again = h("button", fill, "Make again…");
    const spacer = h("span", { class: "spacer" });
    return h("div", { class: "head" }, this.state, title, this.place, this.elapsed, spacer, this.cancel, again);
  }

  show(job) {
    const before = this.job?.state;
    this.job = job;
    const goesOn = GOES_ON.includes(job.state);
    this.node.dataset.state = this.state.textContent = job.state;
    if (this.cancel === document.activeElement && !goesOn) this.node.focus();
    this.cancel.hidden = !goesOn;
    this.error.textContent = job.error ?? (job.state === "interrupted" ? INTERRUPTED : "");
    this.error.hidden = this.error.textContent === "";
    this.progress.hidden = job.state !== "running";
    this.showProgress(job.progress);
    this.showElapsed();
    this.showVariations(job.plans);
    if (before && before !== job.state) say(spoken(job), { quiet: true });
  }

  showProgress({ what, done, total, variation }) {
    const many = this.job.options.variations;
    this.what.textContent = many > 1 && variation ? `Variation ${variation} of ${many}: ${what}` : what;
    if (total > 0) this.bar.value = done / total;
    else this.bar.removeAttribute("value");
  }

  /** Show how long it took, or has taken so far. */
  showElapsed() {
    const { started, finished, state } = this.job;
    const parts = [];
    if (finished) parts.push(moment(finished));
    if (started && finished) parts.push(lasting(finished - started));
    if (state === "running") parts.push(lasting(Date.now() / 1000 - started));
    this.elapsed.textContent = parts.join(" · ");
  }

  showVariations(plans) {
    this.cards.dataset.count = this.job.options.variations;
    this.cards.hidden = plans.length === 0;
    const isFirst = plans.length > 0 && this.variations.size === 0;
    plans.forEach((id, i) => {
      if (this.variations.has(id)) return;
      this.variations.set(id, new Variation(id, i + 1));
      this.cards.append(this.variations.get(id).node);
    });
    if (isFirst && !player.isPlaying()) giveKeys(this);
  }
}

/** Show all jobs as the server has them; `onAgain` is called with a job whose options should fill the form. */
export function showJobs(jobs, onAgain) {
  takeAgain = onAgain;
  for (const job of [...jobs].sort((a, b) => a.created - b.created)) showJob(job);
}

/** Show a job as it is now. */
export function showJob(job) {
  if (!views.has(job.id)) {
    views.set(job.id, new JobView(job));
    list.prepend(views.get(job.id).node);
  }
  const view = views.get(job.id);
  if (view.job && stage(job) < stage(view.job)) return; // an event arrived before this answer
  view.show(job);
  showPlaces();
}

/** Play or stop a variation, by its number, of the job that has the keys. */
export function playNumber(number) {
  [...(keysAreOf?.variations.values() ?? [])][number - 1]?.toggle();
}

const cancel = (id) => postJson(`/jobs/${id}/cancel`).then(showJob).catch(fail);

function giveKeys(view) {
  if (view.variations.size === 0) return;
  keysAreOf?.node.classList.remove("has-keys");
  keysAreOf = view;
  view.node.classList.add("has-keys");
}

/** Show for each queued job how many come before it. */
function showPlaces() {
  for (const view of views.values()) view.place.textContent = "";
  const waiting = [...views.values()].filter((view) => view.job.state === "queued");
  waiting.sort((a, b) => a.job.created - b.job.created).forEach((view, i) => {
    view.place.textContent = i === 0 ? "next" : `${i + 1} in line`;
  });
}

const stage = ({ started, finished }) => (finished ? 2 : started ? 1 : 0);

function describe({ model, options }) {
  const { seconds, variations, voices, transpose, continuity, novelty, temperature, random_seed: seed } = options;
  const several = !model && voices > 1 ? [counted(voices, "voice")] : [];
  const shifted = !model && transpose > 0 ? [`up to ${counted(transpose, "semitone")}`] : [];
  const parts = [counted(variations, "variation"), ...several, ...shifted, `continuity ${continuity}`, `novelty ${novelty}`, `temperature ${temperature}`];
  return [...(model ? [`${seconds} s`] : []), ...parts, `random seed ${seed}`].join(" · ");
}

function spoken({ state, seed, plans, error }) {
  const ends = { done: `: ${counted(plans.length, "variation")}`, failed: `: ${error}` };
  return `${seed.name}: ${state}${ends[state] ?? ""}`;
}

/** The time, with the date unless it is today. */
function moment(seconds) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

const lasting = (seconds) => clock(seconds, { hundredths: false });

setInterval(() => {
  for (const view of views.values()) if (view.job.state === "running") view.showElapsed();
}, 1000);
