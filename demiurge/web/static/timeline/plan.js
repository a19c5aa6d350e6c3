// One revision of a plan. Its steps are columns in time order, so that a time is found by bisection.

import { baseName, numberSources } from "../lib.js";

/** A plan as the server describes it; times in samples unless the name says seconds. */
export class Plan {
  #document;

  constructor(document) {
    this.#document = document;
    numberSources(document.sources);
    const { steps, ...rest } = document;
    Object.assign(this, rest);
    this.rate = document.sample_rate;
    this.steps = steps;
    this.length = steps.unit.length;
    this.starts = Float64Array.from(steps.at_sample);
    this.ends = Float64Array.from(steps.at_sample, (at, i) => at + steps.n_samples[i]);
    this.runFirsts = Float64Array.from(runFirsts(steps.contiguous));
    this.lockedSpans = spansOf(steps.locked);
    this.nLocked = steps.locked.filter(Boolean).length;
  }

  /** The plan after an edit; the server's answer holds the steps that changed, and other facts that may have. */
  edited({ start, stop, shift, steps: changed, sources: named, missing, change: _, ...facts }) {
    const { sources, numbers } = withSources(this.sources, named, missing);
    const columns = { ...changed, source: changed.source.map((number) => numbers[number]) };
    const steps = {};
    for (const [name, old] of Object.entries(this.steps)) {
      const after = name === "at_sample" ? old.slice(stop).map((at) => at + shift) : old.slice(stop);
      steps[name] = [...old.slice(0, start), ...columns[name], ...after];
    }
    return new Plan({ ...this.#document, ...facts, sources, steps });
  }

  get seconds() {
    return this.n_samples / this.rate;
  }

  /** Whether its units are in the open database. */
  get isOwn() {
    return this.descriptors.length > 0;
  }

  get nRuns() {
    return this.runFirsts.length;
  }

  /** When a step begins and ends, seconds. */
  start(step) {
    return this.starts[step] / this.rate;
  }

  end(step) {
    return this.ends[step] / this.rate;
  }

  /** The first step that ends after this time; the number of steps if none does. */
  firstAfter(seconds) {
    return countUpTo(this.ends, seconds * this.rate);
  }

  /** The step at this time, -1 in a rest. */
  at(seconds) {
    const step = this.firstAfter(seconds);
    return step < this.length && this.starts[step] <= seconds * this.rate ? step : -1;
  }

  /** The run of a step: adjacent steps that are contiguous in their source. */
  runOf(step) {
    return countUpTo(this.runFirsts, step) - 1;
  }

  runFirst(run) {
    return this.runFirsts[run];
  }

  runLast(run) {
    return run + 1 < this.nRuns ? this.runFirsts[run + 1] - 1 : this.length - 1;
  }

  source(step) {
    return this.sources[this.steps.source[step]];
  }

  /** For each source in use how long it plays, longest first: [{path, missing, seconds}]. */
  shares() {
    const samples = new Float64Array(this.sources.length);
    this.steps.source.forEach((source, i) => (samples[source] += this.steps.n_samples[i]));
    const shares = this.sources.map((source, i) => ({ ...source, index: i, seconds: samples[i] / this.rate }));
    return shares.filter((share) => share.seconds > 0).sort((a, b) => b.seconds - a.seconds);
  }
}

/** The sources, with others added, and the numbers of `named` among them. */
function withSources(sources, named, missing) {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  for (const source of named) if (!byPath.has(source.path)) byPath.set(source.path, source);
  const paths = [...byPath.keys()];
  const numbers = named.map(({ path }) => paths.indexOf(path));
  return { sources: [...byPath.values()].map((source) => ({ ...source, missing: missing[source.path] ?? null })), numbers };
}

function runFirsts(contiguous) {
  const firsts = [];
  contiguous.forEach((goesOn, i) => {
    if (!goesOn || i === 0) firsts.push(i);
  });
  return firsts;
}

/** [first, last] of each stretch of steps that have the flag. */
function spansOf(flags) {
  const spans = [];
  flags.forEach((flag, i) => {
    if (!flag) return;
    if (i > 0 && flags[i - 1]) spans.at(-1)[1] = i;
    else spans.push([i, i]);
  });
  return spans;
}

/** How many of the rising values are at most `limit`. */
export function countUpTo(values, limit) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A source's name without its folder and suffix. */
export const shortName = (path) => baseName(path).replace(/\.[^.]+$/, "");
