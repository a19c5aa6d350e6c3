// The form: model and knobs, and what is asked for with them.

import { h, postJson, say } from "../lib.js";
import { chooseSeed, fillSeeds, isBusy, refuseSeed, seed, startSeed } from "./seed.js";

const KNOBS = ["seconds", "variations", "continuity", "novelty", "temperature", "random_seed"];
const MOST_RANDOM_SEED = 9999;
const KEPT = "make"; // in the session's storage, so that a look at another page costs nothing

const HELP = {
  forecast: {
    model: "Forecasts how the seed goes on.",
    temperature: "Lower: a calmer forecast. Higher: a wilder one.",
    seconds: "How long the continuation lasts.",
  },
  mosaic: {
    model: "Rebuilds the seed itself out of the units, without a forecast.",
    temperature: "0: what fits best. Higher: more chance.",
    seconds: "A mosaic lasts as long as its seed.",
  },
};

const $ = (id) => document.getElementById(id);
let defaults = {};

/** Take what the server offers. What is set already stays; the first time, what was set when this page was left. */
export function fillForm({ models, seeds, defaults: offered, limits, advice }) {
  const first = Object.keys(defaults).length === 0;
  const model = $("model").value;
  defaults = offered;
  const options = models.map(({ id, name, architecture }) => h("option", { value: id }, `${name} (${architecture})`));
  $("model").replaceChildren(...options, h("option", { value: "" }, "none: rebuild the seed itself (mosaic)"));
  $("advice").textContent = advice ?? "";
  $("advice").hidden = !advice;
  $("variations").max = slider("variations").max = limits.variations;
  fillSeeds(seeds, limits);
  if (first) restore();
  else setModel(model);
}

/** Fill in what a job was made with. */
export function takeJob({ seed: of, model, options }) {
  if (!chooseSeed(of.id)) refuseSeed(`${of.name} is no longer there; drop it again.`);
  setModel(model?.id ?? "");
  setKnobs(options);
  keep();
  $("make").focus();
}

/** Wire the controls; `onJob` is called with each job that the server takes. */
export function startForm(onJob) {
  startSeed(keep);
  for (const name of KNOBS) $(name).addEventListener("input", () => showKnob(name));
  for (const range of document.querySelectorAll("[data-of]")) {
    range.addEventListener("input", () => setKnobs({ [range.dataset.of]: range.value }));
  }
  $("random_seed-new").addEventListener("click", () => setKnobs({ random_seed: drawSeed() }));
  $("defaults").addEventListener("click", () => setKnobs(defaults));
  $("form").addEventListener("change", (event) => event.target.id === "model" && setModel($("model").value));
  for (const kind of ["input", "change", "click"]) $("form").addEventListener(kind, keep);
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    make(onJob);
  });
  $("form").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    make(onJob);
  });
}

/** Ask the server for a job with what is set. */
export async function make(onJob) {
  const problem = whatIsMissing();
  refuse(problem);
  if (problem) return;
  $("make").disabled = true;
  try {
    const job = await postJson("/jobs", { seed: seed().id, model: $("model").value || null, ...knobs() });
    onJob(job);
    say(`${job.seed.name}: ${job.state}`, { quiet: true });
  } catch (error) {
    refuse(error.message);
  } finally {
    $("make").disabled = false;
  }
}

const drawSeed = () => Math.floor(Math.random() * (MOST_RANDOM_SEED + 1));

function whatIsMissing() {
  if (isBusy()) return "The seed is still being looked at; in a moment.";
  if (!seed()) {
    $("seed-choose").focus();
    return "There is no seed yet: drop a sound on the page, or choose a file.";
  }
  const empty = KNOBS.find((name) => Number.isNaN($(name).valueAsNumber));
  if (!empty) return null;
  $(empty).focus();
  return `${document.querySelector(`label[for=${empty}]`).textContent} needs a number.`;
}

function refuse(message) {
  $("form-error").textContent = message ?? "";
  $("form-error").hidden = !message;
}

const slider = (name) => document.querySelector(`[data-of=${name}]`);

const knobs = () => Object.fromEntries(KNOBS.map((name) => [name, $(name).valueAsNumber]));

function setKnobs(values) {
  for (const name of KNOBS) {
    if (values[name] === undefined || values[name] === null) continue;
    $(name).value = values[name];
    showKnob(name);
  }
}

function showKnob(name) {
  if (slider(name)) slider(name).value = $(name).value;
}

/** Choose a model by id, if it is there, and say what the knobs do with it. */
function setModel(id) {
  const there = [...$("model").options].some((option) => option.value === id);
  if (there) $("model").value = id;
  const mosaic = $("model").value === "";
  const help = mosaic ? HELP.mosaic : HELP.forecast;
  for (const [name, text] of Object.entries(help)) $(`${name}-help`).textContent = text;
  $("seconds").disabled = slider("seconds").disabled = mosaic;
}

function keep() {
  refuse(null);
  const kept = { seed: seed()?.id ?? null, model: $("model").value, ...knobs() };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  setKnobs({ ...defaults, ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== null)) });
  setModel(kept.model ?? $("model").value);
  if (kept.seed) chooseSeed(kept.seed);
}
