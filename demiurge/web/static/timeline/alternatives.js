// The alternatives of a step: each with what it would cost, so that one sees why the step is what it is.

import { baseName, formatSeconds, h, numberSources } from "../lib.js";
import { swatch } from "./colours.js";
import { icon } from "./icons.js";

/** The list; `found` is what it shows, as the server answered. */
export class Alternatives {
  constructor(session, audition) {
    [this.session, this.audition] = [session, audition];
    this.found = null;
    this.step = -1;
    this.list = h("ol", { class: "alternatives", "aria-label": "Alternatives" });
    this.note = h("p", { class: "muted facts" });
    this.element = h("section", {}, h("div", { class: "head" }, h("h3", {}, "Alternatives"), this.note), this.list);
  }

  /** Another step: what is shown is not its list any more. */
  expect(step) {
    if (this.step !== step) this.list.replaceChildren();
    this.step = step;
    this.found = null;
    this.note.textContent = "Looking for others…";
    this.list.setAttribute("aria-busy", "true");
  }

  /** Why there is no list. */
  explain(text) {
    this.note.textContent = text;
    this.list.replaceChildren();
    this.list.removeAttribute("aria-busy");
  }

  /** List what the server found for a step. */
  show(step, found) {
    if (!found.alternatives.length) return this.explain("No other unit of the database may be played here.");
    this.found = found;
    numberSources(found.alternatives.map((match) => ({ path: match.source, number: match.source_number })));
    const weight = this.session.plan.options.continuity ?? 0;
    const costs = [found.chosen, ...found.alternatives].map((match) => parts(match, weight));
    const most = Math.max(...costs.map(({ target, before, behind }) => target + before + behind), 1e-9);
    const focus = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const rows = found.alternatives.map((match, i) => this.#row(step, match, i + 1, bars(match, costs[i + 1], most)));
    this.list.replaceChildren(nowRow(found.chosen, bars(found.chosen, costs[0], most)), ...rows);
    this.list.removeAttribute("aria-busy");
    this.note.replaceChildren(...legend(weight));
    if (focus) this.list.querySelector(`[data-key="${focus}"]`)?.focus();
    return undefined;
  }

  /** Use the alternative of this number, counted from 1. */
  choose(number) {
    const [step, match] = [this.step, this.#playable(number)];
    if (!match) return;
    this.session.edit(() => ({ what: `Use ${baseName(match.source)}`, kind: "choose", step, unit: match.unit }));
  }

  /** Hear the alternative of this number in place. */
  hear(number) {
    const match = this.#playable(number);
    if (match) this.audition.inPlace(this.step, match.unit);
  }

  #playable(number) {
    const match = this.found?.alternatives[number - 1];
    return match && !match.missing ? match : null;
  }

  #row(step, match, number, costBars) {
    const name = baseName(match.source);
    const { unit, missing, too_short, seconds, start_seconds } = match;
    const about = missing ? `missing: ${missing}` : too_short ? `lasts only ${formatSeconds(seconds)}` : "";
    const all = { type: "button", class: "small", disabled: Boolean(missing) };
    const button = (kind, title, label, inner, attributes) =>
      h("button", { ...all, "data-key": `${kind} ${number}`, title, "aria-label": label, ...attributes }, inner);
    const acts = [
      button("alone", "Hear it alone", `Hear ${name} alone`, icon("play"), {
        "data-heard": `alone ${unit}`, onclick: () => this.audition.alone(unit),
      }),
      button("within", `Hear it in place (Shift+${number})`, `Hear ${name} in place`, icon("within"), {
        "data-heard": `in place ${unit}`, onclick: () => this.hear(number),
      }),
      button("use", `Use it (${number})`, `Use ${name} at ${formatSeconds(start_seconds)}`, "Use", {
        onclick: () => this.choose(number),
      }),
    ];
    const what = h("div", { class: "what" }, titleOf(match, about), costBars);
    return h("li", { title: about ? `${match.source}\n${about}` : match.source },
      h("kbd", {}, String(number)), what, h("div", { class: "acts" }, ...acts));
  }
}

const nowRow = (match, costBars) =>
  h("li", { class: "now", title: match.source }, h("kbd", {}, "now"), h("div", { class: "what" }, titleOf(match, ""), costBars));

const titleOf = (match, about) =>
  h("div", { class: "title" }, swatch(match.source), h("span", { class: "name" }, baseName(match.source)),
    h("span", { class: about ? "warn" : "muted" }, match.missing ? "missing" : formatSeconds(match.start_seconds)));

/** What the search adds up: the target cost, and the joins to both neighbours times the continuity. */
const parts = ({ distance, join, join_next }, weight) => ({ target: distance, before: weight * join, behind: weight * join_next });

function bars({ distance, join, join_next }, cost, most) {
  const stack = Object.entries(cost).map(([name, value]) => {
    const bar = h("span", { class: name });
    bar.style.width = `${(100 * value) / most}%`;
    return bar;
  });
  const [target, before, behind] = [distance, join, join_next].map((value) => value.toFixed(1));
  const label = `target ${target}, join before ${before}, join behind ${behind}`;
  const sum = h("span", { class: "sum" }, `${target} · ${before} · ${behind}`);
  return h("div", { class: "bars", role: "img", "aria-label": label, title: label }, h("span", { class: "stack" }, ...stack), sum);
}

const legend = (weight) => [
  h("i", { class: "key target" }), "target ",
  h("i", { class: "key before" }), h("i", { class: "key behind" }), `joins${weight === 1 ? "" : ` × ${weight}`}`,
];
