// The list of plans, kept up to date as jobs make more.

import { byId, data, events, fail, formatCount, formatSeconds, getJson, h } from "../lib.js";

const ORIGINS = { opened: "opened from the terminal", made: "Make", saved: "saved here" };
let jobs = new Map(); // by id

function show({ plans }) {
  byId("plans").hidden = plans.length === 0;
  byId("none").hidden = plans.length > 0;
  document.querySelector("#plans tbody").replaceChildren(...plans.map(row));
}

function row({ id, name, seconds, steps, modified, kind, job, error }) {
  const when = modified ? new Date(1000 * modified) : null;
  const link = h("a", { href: `/timeline/${id}` }, name);
  const date = when && h("time", { datetime: when.toISOString() }, when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  return h("tr", {},
    h("td", {}, error ? [h("strong", {}, name), h("div", { class: "warn" }, error)] : link),
    h("td", { class: "number" }, seconds === null ? "" : formatSeconds(seconds)),
    h("td", { class: "number" }, steps === null ? "" : formatCount(steps)),
    h("td", { class: "muted" }, ORIGINS[kind], howMade(jobs.get(job))),
    h("td", { class: "muted" }, date));
}

/** ": mosaic" or ": MODEL", and the options of the job. */
function howMade(job) {
  if (!job) return null;
  const { voices, continuity, novelty, temperature, random_seed: seed } = job.options;
  const several = !job.model && voices > 1 ? `${voices} voices · ` : "";
  const knobs = `${several}continuity ${continuity} · novelty ${novelty} · temperature ${temperature} · random seed ${seed}`;
  return [`: ${job.model?.name ?? "mosaic"}`, h("div", { class: "knobs" }, knobs)];
}

async function refresh() {
  try {
    const [plans, made] = await Promise.all([getJson("/plans.json"), getJson("/make.json")]);
    jobs = new Map(made.jobs.map((job) => [job.id, job]));
    show(plans);
  } catch (error) {
    fail(error);
  }
}

show(data());
refresh();
events("job", ({ state }) => state === "done" && refresh());
document.addEventListener("reconnected", refresh);
