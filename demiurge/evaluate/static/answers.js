// The answers: kept in this browser, counted, and saved as a file.

"use strict";

const STORE = `demiurge-listening-${LISTENING.page}`;
const Z = 1.959964; // of the normal distribution, for 95 %
const MUCH = 2; // preferences are -2 (A much better), -1, 0, 1, 2 (B much better)

const answers = {
  preferences: {}, // by the number of the pair, from 0
  finished: false, // the methods were shown
};

/** Read what was kept here before. */
function loadAnswers() {
  try {
    Object.assign(answers, JSON.parse(localStorage.getItem(STORE) ?? "{}"));
  } catch {
    // a browser that keeps nothing
  }
}

/** Keep the answers; @returns {boolean} whether the browser can. */
function keepAnswers() {
  try {
    localStorage.setItem(STORE, JSON.stringify(answers));
    return true;
  } catch {
    return false;
  }
}

/** Forget all answers. */
function forgetAnswers() {
  answers.preferences = {};
  answers.finished = false;
  keepAnswers();
}

const countAnswers = () => Object.keys(answers.preferences).length;

/** The number of the first pair without an answer; the last pair if all have one. */
function firstUnanswered() {
  const number = LISTENING.pairs.findIndex((_, at) => !(at in answers.preferences));
  return number < 0 ? LISTENING.pairs.length - 1 : number;
}

/** The methods of the files, and the seeds of the pairs. */
function readKey() {
  const bytes = Uint8Array.from(atob(LISTENING.key), (letter) => letter.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** Each answer with the names of what was compared. */
function namedAnswers() {
  const key = readKey();
  return Object.entries(answers.preferences).map(([number, preference]) => {
    const { a, b } = LISTENING.pairs[number];
    return { pair: Number(number) + 1, seed: key.seeds[number], a: key.methods[a], b: key.methods[b], preference };
  });
}

/** The row of each method, the most preferred first: {method, answers, preferred, much, none, share, low, high}. */
function tabulate(named) {
  const rows = new Map();
  const rowOf = (method) => {
    if (!rows.has(method)) rows.set(method, { method, answers: 0, preferred: 0, much: 0, none: 0 });
    return rows.get(method);
  };
  for (const { a, b, preference } of named) {
    rowOf(a).answers += 1;
    rowOf(b).answers += 1;
    if (preference === 0) {
      rowOf(a).none += 1;
      rowOf(b).none += 1;
      continue;
    }
    const preferred = rowOf(preference < 0 ? a : b);
    preferred.preferred += 1;
    if (Math.abs(preference) === MUCH) preferred.much += 1;
  }
  for (const row of rows.values()) Object.assign(row, wilson(row.preferred, row.answers - row.none));
  return [...rows.values()].sort((one, other) => (other.share ?? -1) - (one.share ?? -1) || other.answers - one.answers);
}

/** Share of successes and its 95 % interval (Wilson 1927); null without a trial. */
function wilson(successes, trials) {
  if (!trials) return { share: null, low: null, high: null };
  const share = successes / trials;
  const weight = 1 + Z ** 2 / trials;
  const middle = (share + Z ** 2 / (2 * trials)) / weight;
  const reach = (Z / weight) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  return { share, low: Math.max(0, middle - reach), high: Math.min(1, middle + reach) };
}

/** Save the answers as a JSON file. */
function downloadAnswers() {
  const content = { format: "demiurge-listening", version: 1, page: LISTENING.page, pairs: LISTENING.pairs.length, answers: namedAnswers() };
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(content, null, 1)}\n`], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `listening-${LISTENING.page}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
