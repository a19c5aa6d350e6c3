// One revision of a plan. Its steps are columns, voice by voice and in time order, so that a time is found by bisection.

import { baseName, databaseNames, databaseOf, nameDatabases, numberSources } from "../lib.js";

const MOST_TIMES = 100; // repetitions of a step that the server accepts in one edit
const EMPTY = { first: 0, end: 0 }; // a voice that has lost its last step

/** A plan as the server describes it; times in samples unless the name says seconds. */
export class Plan {
  #document;

  constructor(document) {
    this.#document = document;
    nameDatabases(document.databases);
    numberSources(document.sources);
    const { steps, ...rest } = document;
    Object.assign(this, rest);
    this.rate = document.sample_rate;
    this.steps = steps;
    this.length = steps.unit.length;
    this.starts = Float64Array.from(steps.at_sample);
    this.ends = Float64Array.from(steps.at_sample, (at, i) => at + steps.n_samples[i]);
    this.runFirsts = Float64Array.from(runFirsts(steps));
    this.voices = voicesOf(steps.voice, (step) => this.runOf(step));
    this.lockedSpans = spansOf(steps.locked, steps.voice);
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

  /** How often a step can be repeated; of several voices none moves, so that only the silence behind it is free. */
  mostRepeats(step) {
    const isLast = step + 1 === this.voices[this.voice(step)].end;
    if (this.nVoices === 1 || isLast) return MOST_TIMES;
    return Math.min(MOST_TIMES, Math.floor((this.starts[step + 1] - this.ends[step]) / this.steps.n_samples[step]));
  }

  /** Whether its units are in the open database. */
  get isOwn() {
    return this.descriptors.length > 0;
  }

  get nRuns() {
    return this.runFirsts.length;
  }

  get nVoices() {
    return this.voices.length;
  }

  /** The voice of a step, which counts from 0. */
  voice(step) {
    return this.steps.voice[step];
  }

  /** When a step begins and ends, seconds. */
  start(step) {
    return this.starts[step] / this.rate;
  }

  end(step) {
    return this.ends[step] / this.rate;
  }

  /** The first step of a voice that ends after this time; the end of the voice if none does. */
  firstAfter(seconds, voice) {
    const { first, end } = this.voices[voice];
    return countUpTo(this.ends, seconds * this.rate, first, end);
  }

  /** The step of a voice at this time, -1 in a rest. */
  at(seconds, voice) {
    const step = this.firstAfter(seconds, voice);
    return step < this.voices[voice].end && this.starts[step] <= seconds * this.rate ? step : -1;
  }

  /** The step of a voice at this time, or the one that comes next, or the last; -1 if the voice is empty. */
  near(seconds, voice) {
    const { first, end } = this.voices[voice];
    return first === end ? -1 : Math.min(end - 1, this.firstAfter(seconds, voice));
  }

  /** The step of a voice that is nearest to this one in number; -1 if the voice is empty. */
  within(step, voice) {
    const { first, end } = this.voices[voice] ?? EMPTY;
    return first === end ? -1 : Math.max(first, Math.min(end - 1, step));
  }

  /** The run of a step: adjacent steps of a voice that are contiguous in their source. */
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

/** The share of each of several databases in what plays, 0 to 1. */
export function databaseShares(plan) {
  const seconds = databaseNames().map(() => 0);
  const shares = plan.shares();
  for (const share of shares) seconds[databaseOf(share.path)] += share.seconds;
  const whole = shares.reduce((sum, share) => sum + share.seconds, 0);
  return seconds.map((one) => one / whole);
}

/** The sources, with others added, and the numbers of `named` among them. */
function withSources(sources, named, missing) {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  for (const source of named) if (!byPath.has(source.path)) byPath.set(source.path, source);
  const paths = [...byPath.keys()];
  const numbers = named.map(({ path }) => paths.indexOf(path));
  return { sources: [...byPath.values()].map((source) => ({ ...source, missing: missing[source.path] ?? null })), numbers };
}

function runFirsts({ contiguous, voice }) {
  const firsts = [];
  contiguous.forEach((goesOn, i) => {
    if (!goesOn || i === 0 || voice[i] !== voice[i - 1]) firsts.push(i);
  });
  return firsts;
}

/** The steps of each voice, `first` up to `end`, and the end of its runs; a voice may have none. */
function voicesOf(voice, runOf) {
  const n = voice.at(-1) + 1;
  const bounds = Array.from({ length: n + 1 }, (_, i) => countUpTo(voice, i - 1));
  return bounds.slice(0, n).map((first, i) => {
    const end = bounds[i + 1];
    return { first, end, endRun: end > first ? runOf(end - 1) + 1 : 0 };
  });
}

/** [first, last] of each stretch of a voice's steps that have the flag. */
function spansOf(flags, voice) {
  const spans = [];
  flags.forEach((flag, i) => {
    if (!flag) return;
    if (i > 0 && flags[i - 1] && voice[i] === voice[i - 1]) spans.at(-1)[1] = i;
    else spans.push([i, i]);
  });
  return spans;
}

/** The first index from `low` to `high` whose value, which rise there, is above `limit`; `high` if none is. */
export function countUpTo(values, limit, low = 0, high = values.length) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A source's name without its folder and suffix. */
export const shortName = (path) => withoutSuffix(baseName(path));

/** A file's name without its suffix. */
export const withoutSuffix = (name) => name.replace(/\.[^.]+$/, "");
