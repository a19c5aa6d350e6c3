// The form: seed, model and options of a job.

import { byId, h, postJson, say } from "../lib.js";
import { chooseSeed, dropSeed, fillSeeds, isBusy, seed, startSeed } from "./seed.js";

const KNOBS = ["seconds", "variations", "voices", "transpose", "continuity", "novelty", "temperature", "random_seed"];
const MOST_RANDOM_SEED = 9999;
const KEPT = "make"; // in session storage, so that the form survives a visit to another page

const HELP = {
  forecast: {
    model: "Forecasts how the seed goes on.",
    temperature: "Of the forecast. Lower: calmer. Higher: wilder.",
    seconds: "How long the continuation lasts.",
    voices: "A continuation has one voice.",
    transpose: "Only the units of a mosaic are transposed.",
  },
  mosaic: {
    model: "Rebuilds the seed itself out of the units, without a forecast.",
    temperature: "Of the path, as in Choose again. 0: what fits best. Higher: more chance.",
    seconds: "A mosaic lasts as long as its seed.",
    voices: "How many units sound at once.",
    transpose: "How far units may be transposed to fit, in semitones.",
  },
};

let defaults = {};

/** Fill the form with the server's options; keep values that are set, or were set when the page was left. */
export function fillForm({ models, seeds, defaults: offered, limits, advice }) {
  const first = Object.keys(defaults).length === 0;
  const model = chosenModel();
  defaults = offered;
  const options = models.map(({ id, name, architecture }) => h("option", { value: id }, `${name} (${architecture})`));
  byId("model").replaceChildren(...options, h("option", { value: "" }, "none: rebuild the seed itself (mosaic)"));
  byId("advice").textContent = advice ?? "";
  byId("advice").hidden = !advice;
  for (const name of ["variations", "voices"]) byId(name).max = slider(name).max = limits[name];
  fillSeeds(seeds, limits);
  if (first) restore();
  else setModel(model);
}

/** Fill in the options of a job. */
export function takeJob({ seed: of, model, options }) {
  setModel(model?.id ?? "");
  setKnobs({ voices: 1, transpose: 0, ...options }); // of jobs from before there were these
  if (!chooseSeed(of.id)) dropSeed(`${of.name} is no longer there; drop it again, or take another seed.`);
  keep();
  byId("make").focus();
  if (chosenModel() === null) refuse(`The model ${model.name} is no longer there; choose another one.`);
}

/** Wire the controls; `onJob` is called with each job that the server accepts. */
export function startForm(onJob) {
  startSeed(keep);
  for (const name of KNOBS) byId(name).addEventListener("input", () => showKnob(name));
  for (const range of document.querySelectorAll("[data-of]")) {
    range.addEventListener("input", () => setKnobs({ [range.dataset.of]: range.value }));
  }
  byId("random_seed-new").addEventListener("click", () => setKnobs({ random_seed: drawSeed() }));
  byId("defaults").addEventListener("click", () => setKnobs(ownDefaults()));
  byId("form").addEventListener("change", (event) => event.target.id === "model" && changeModel());
  for (const kind of ["input", "change", "click"]) byId("form").addEventListener(kind, keep);
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    make(onJob);
  });
  byId("form").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    make(onJob);
  });
}

/** Send a job with these options. */
export async function make(onJob) {
  if (isAsking()) return;
  const problem = whatIsMissing();
  refuse(problem);
  if (problem) return;
  byId("make").setAttribute("aria-disabled", "true"); // not disabled: it would lose the focus
  try {
    const job = await postJson("/jobs", { seed: seed().id, model: chosenModel() || null, ...knobs() });
    onJob(job);
    say(`${job.seed.name}: ${job.state}`, { quiet: true });
  } catch (error) {
    refuse(error.message);
  } finally {
    byId("make").removeAttribute("aria-disabled");
  }
}

const isAsking = () => byId("make").hasAttribute("aria-disabled");
const drawSeed = () => Math.floor(Math.random() * (MOST_RANDOM_SEED + 1));

function whatIsMissing() {
  if (isBusy()) return "The seed is still being checked; try again in a moment.";
  if (!seed()) {
    byId("seed-choose").focus();
    return "There is no seed yet: drop a sound on the page, or choose a file.";
  }
  if (chosenModel() === null) {
    byId("model").focus();
    return "There is no model chosen: choose one, or none.";
  }
  const empty = KNOBS.find((name) => Number.isNaN(byId(name).valueAsNumber));
  if (!empty) return null;
  byId(empty).focus();
  return `${document.querySelector(`label[for=${empty}]`).textContent} needs a number.`;
}

function refuse(message) {
  byId("form-error").textContent = message ?? "";
  byId("form-error").hidden = !message;
}

const slider = (name) => document.querySelector(`[data-of=${name}]`);

const knobs = () => Object.fromEntries(KNOBS.map((name) => [name, byId(name).valueAsNumber]));

function setKnobs(values) {
  for (const name of KNOBS) {
    if (values[name] === undefined || values[name] === null) continue;
    byId(name).value = values[name];
    showKnob(name);
  }
}

function showKnob(name) {
  if (slider(name)) slider(name).value = byId(name).value;
}

/** The id of the model, "" for a mosaic, null if none is chosen. */
const chosenModel = () => (byId("model").selectedIndex < 0 ? null : byId("model").value);

/** Choose a model by id, none if it does not exist, and explain the options that depend on it. */
function setModel(id) {
  byId("model").selectedIndex = [...byId("model").options].findIndex((option) => option.value === id);
  const mosaic = chosenModel() === "";
  const help = mosaic ? HELP.mosaic : HELP.forecast;
  for (const [name, text] of Object.entries(help)) byId(`${name}-help`).textContent = text;
  for (const name of ["seconds", "voices", "transpose"]) byId(name).disabled = slider(name).disabled = mosaic === (name === "seconds");
}

/** Reset what means something else for a continuation than for a mosaic. */
function changeModel() {
  setModel(chosenModel());
  const { temperature, continuity, novelty } = ownDefaults();
  setKnobs({ temperature, continuity, novelty });
}

/** The defaults for the chosen model. */
const ownDefaults = () => (chosenModel() === "" ? defaults.mosaic : defaults.continuation);

function keep() {
  refuse(null);
  const kept = { seed: seed()?.id ?? null, model: chosenModel(), ...knobs() };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

function restore() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  setModel(kept.model ?? chosenModel());
  if (chosenModel() === null) setModel(byId("model").options[0].value);
  setKnobs({ ...ownDefaults(), ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== null)) });
  if (kept.seed) chooseSeed(kept.seed);
}
