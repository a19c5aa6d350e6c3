// The alternatives of a step, each with its cost, which shows why the unit of the step was chosen.

import { icon } from "../icons.js";
import { baseName, databaseLegend, formatSeconds, h, numberSources, semitones, sourceName } from "../lib.js";
import { inPlaceOf } from "./audition.js";
import { swatch } from "./colours.js";

/** The list; `found` is the server's answer that it shows. */
export class Alternatives {
  constructor(session, audition) {
    [this.session, this.audition] = [session, audition];
    this.found = null;
    this.step = -1;
    this.list = h("ol", { class: "alternatives", "aria-label": "Alternatives" });
    this.note = h("p", { class: "muted facts" });
    this.databases = h("div");
    this.pinned = h("ul", { class: "alternatives", "aria-label": "Pinned on the map" });
    this.ofMap = h("div", { hidden: true }, h("div", { class: "head" }, h("h3", {}, "Pinned on the map")), this.pinned);
    this.element = h("section", {}, h("div", { class: "head" }, h("h3", {}, "Alternatives"), this.note), this.databases, this.list, this.ofMap);
  }

  /** Wait for the list of another step. */
  expect(step) {
    if (this.step !== step) this.#clear();
    this.step = step;
    this.found = null;
    this.note.textContent = "Looking for others…";
    this.list.setAttribute("aria-busy", "true");
  }

  /** Say why there is no list. */
  explain(text) {
    this.note.textContent = text;
    this.#clear();
    this.list.removeAttribute("aria-busy");
  }

  #clear() {
    this.list.replaceChildren();
    this.ofMap.hidden = true;
  }

  /** Show the server's answer for a step. */
  show(step, found) {
    this.found = found;
    const { chosen, alternatives } = found;
    const pinned = found.pinned.filter(({ unit }) => unit !== chosen.unit);
    numberSources([...alternatives, ...pinned].map((match) => ({ path: match.source, number: match.source_number })));
    const weight = this.session.plan.options.continuity ?? 0;
    const most = Math.max(...[chosen, ...alternatives, ...pinned].map((match) => totalOf(parts(match, weight))), 1e-9);
    const barsOf = (match) => bars(parts(match, weight), most);
    const focus = this.element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const rows = alternatives.map((match, i) => this.#row(step, match, { number: i + 1, costBars: barsOf(match) }));
    this.list.replaceChildren(nowRow(chosen, barsOf(chosen)), ...rows);
    this.pinned.replaceChildren(...pinned.map((match) => this.#row(step, match, { costBars: barsOf(match) })));
    this.ofMap.hidden = pinned.length === 0;
    this.databases.replaceChildren(databaseLegend() ?? "");
    this.list.removeAttribute("aria-busy");
    this.note.replaceChildren(...(alternatives.length ? legend(weight) : ["No other unit of the database may be played here."]));
    if (focus) this.element.querySelector(`[data-key="${focus}"]`)?.focus();
  }

  /** Use the alternative of this number, counted from 1. */
  choose(number) {
    const match = this.#playable(number);
    if (match) this.#use(this.step, match);
  }

  #use(step, { unit, transpose, source }) {
    this.session.edit(() => ({ what: `Use ${baseName(source)}`, kind: "choose", step, unit, transpose }));
  }

  /** Play the alternative of this number in place. */
  hear(number) {
    const match = this.#playable(number);
    if (match) this.audition.inPlace(this.step, match);
  }

  #playable(number) {
    const match = this.found?.alternatives[number - 1];
    return match && !match.missing ? match : null;
  }

  #row(step, match, { number = null, costBars }) {
    const name = sourceName(match.source);
    const { unit, missing, too_short, seconds, start_seconds } = match;
    const about = missing ? `missing: ${missing}` : too_short ? `lasts only ${formatSeconds(seconds)}` : "";
    const key = (text) => (number ? ` (${text})` : "");
    const all = { type: "button", class: "small", disabled: Boolean(missing) };
    const button = (kind, title, label, inner, attributes) =>
      h("button", { ...all, "data-key": `${kind} ${number ?? `pinned ${unit}`}`, title, "aria-label": label, ...attributes }, inner);
    const acts = [
      button("alone", "Hear it alone", `Hear ${name} alone`, icon("play"), {
        "data-heard": `alone ${unit}`, onclick: () => this.audition.alone(unit),
      }),
      button("within", `Hear it in place${key(`Shift+${number}`)}`, `Hear ${name} in place`, icon("within"), {
        "data-heard": inPlaceOf(match), onclick: () => this.audition.inPlace(step, match),
      }),
      button("use", `Use it${key(number)}`, `Use ${name} at ${formatSeconds(start_seconds)}`, "Use", {
        onclick: () => this.#use(step, match),
      }),
    ];
    const what = h("div", { class: "what" }, titleOf(match, about), costBars);
    return h("li", { title: about ? `${match.source}\n${about}` : match.source },
      number && h("kbd", {}, String(number)), what, h("div", { class: "acts" }, ...acts));
  }
}

const nowRow = (match, costBars) =>
  h("li", { class: "now", title: match.source }, h("kbd", {}, "now"), h("div", { class: "what" }, titleOf(match, ""), costBars));

const titleOf = (match, about) =>
  h("div", { class: "title" }, swatch(match.source), h("span", { class: "name" }, baseName(match.source)),
    h("span", { class: about ? "warn" : "muted" }, match.missing ? "missing" : formatSeconds(match.start_seconds)),
    ...(match.transpose ? [h("span", { class: "muted" }, semitones(match.transpose))] : []));

/** The parts of the cost: target, and the joins to both neighbours times the continuity. */
const parts = ({ distance, join, join_next }, weight) => ({ target: distance, before: weight * join, behind: weight * join_next });

const totalOf = ({ target, before, behind }) => target + before + behind;

function bars(cost, most) {
  const stack = Object.entries(cost).map(([name, value]) => {
    const bar = h("span", { class: name });
    bar.style.width = `${(100 * value) / most}%`;
    return bar;
  });
  const [target, before, behind, total] = [...Object.values(cost), totalOf(cost)].map((value) => value.toFixed(1));
  const label = `${total} in all: target ${target}, join before ${before}, join behind ${behind}`;
  const sum = h("strong", { class: "sum" }, total);
  return h("div", { class: "bars", role: "img", "aria-label": label, title: label }, h("span", { class: "stack" }, ...stack), sum);
}

const legend = (weight) => [
  h("i", { class: "key target" }), "target ",
  h("i", { class: "key before" }), h("i", { class: "key behind" }), `joins${weight === 1 ? "" : ` × ${weight}`}`,
];
