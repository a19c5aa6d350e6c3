// The panel beside the timeline: the selected step, its costs and alternatives; without one the sources of the plan.

import { icon } from "../icons.js";
import { baseName, byId, colorOfSource, counted, databaseLegend, formatCount, formatSeconds, getJson, h, onTheme, say, semitones, sourceName, withMinus } from "../lib.js";
import { swatch } from "./colours.js";
import { pinnedUnits } from "./pinned.js";
import { databaseShares, withoutSuffix } from "./plan.js";

const PATIENCE = 70; // ms without another selection before alternatives are requested

/** Fills the panel. */
export class Inspector {
  constructor(session, audition, alternatives, actions, element) {
    [this.session, this.audition, this.alternatives] = [session, audition, alternatives];
    [this.actions, this.element] = [actions, element];
    session.on("selection", () => this.show());
    session.on("pending", () => element.setAttribute("aria-busy", session.pending !== null));
    audition.addEventListener("heard", () => this.#showHeard());
    onTheme(() => this.show());
    this.show();
  }

  /** Fill the panel for the current selection. */
  show() {
    const { step, plan } = this.session;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    clearTimeout(this.waiting);
    if (step < 0) this.element.replaceChildren(...this.#planPanel());
    else {
      this.element.replaceChildren(...this.#stepPanel(step), this.alternatives.element);
      this.alternatives.expect(step);
      if (!plan.isOwn) this.alternatives.explain("They are in the database that the plan was made from.");
      else this.waiting = setTimeout(() => this.#fetch(step), PATIENCE);
    }
    this.#showHeard();
    if (focused) (this.element.querySelector(`[data-key="${focused.dataset.key}"]`) ?? byId("stage")).focus();
  }

  async #fetch(step) {
    const { plan } = this.session;
    const current = () => this.session.plan === plan && this.session.step === step;
    try {
      const pinned = await pinnedUnits();
      const asked = pinned.length ? `&units=${encodeURIComponent(pinned.join(","))}` : "";
      const found = await getJson(`/plans/${plan.id}/steps/${step}/alternatives.json?k=9${asked}`);
      if (current()) this.alternatives.show(step, found);
    } catch (error) {
      if (current()) this.alternatives.explain(error.message);
    }
  }

  #showHeard() {
    for (const button of this.element.querySelectorAll("[data-heard]")) {
      const heard = button.dataset.heard === this.audition.heard;
      button.setAttribute("aria-pressed", heard);
    }
  }

  #planPanel() {
    const { plan } = this.session;
    const shares = plan.shares();
    const voices = plan.nVoices > 1 ? ` and ${counted(plan.nVoices, "voice")}` : "";
    const used = `${counted(plan.length, "step")} in ${counted(plan.nRuns, "run")} of ${counted(shares.length, "source")}${voices}`;
    const ofDatabases = databaseShares(plan);
    const databases = databaseLegend((number) => `${Math.round(100 * ofDatabases[number])} %`);
    return [
      ...(databases ? [h("h2", {}, "Databases"), databases] : []),
      h("h2", {}, "Sources"),
      h("p", { class: "muted facts" }, `${used}. Click a step to see why it was chosen, and what else fits.`),
      h("ul", { class: "shares" }, ...shares.map((share) => this.#share(share, shares[0].seconds))),
    ];
  }

  #share({ path, seconds, missing, index }, longest) {
    const bar = h("span", { class: "bar" });
    bar.style.width = `${(100 * seconds) / longest}%`;
    bar.style.background = colorOfSource(path);
    const title = missing ? `${path}: ${missing}` : `${path}: go to where it is heard next`;
    const attributes = { type: "button", class: "quiet share", title, onclick: () => this.actions.goToSource(index) };
    const button = h("button", attributes,
      h("span", { class: "name" }, withoutSuffix(sourceName(path)), missing && h("em", { class: "warn" }, " missing")),
      h("span", { class: "number" }, formatSeconds(seconds)), h("span", { class: "track" }, bar));
    return h("li", {}, button);
  }

  #stepPanel(step) {
    const { plan, selected } = this.session;
    const source = plan.source(step);
    const close = { type: "button", class: "quiet small", title: "Back to the sources (Esc)", "data-key": "close" };
    return [
      h("div", { class: "head" },
        h("h2", {}, `Step ${formatCount(step)}`),
        h("button", { ...close, onclick: () => this.session.select(-1) }, "Close")),
      h("div", { class: "source", title: source.path },
        swatch(source.path), h("strong", {}, baseName(source.path)), h("span", { class: "muted" }, folderOf(source.path))),
      source.missing && h("p", { class: "note" }, `This source is missing: ${source.missing}`),
      factTable(plan, step),
      this.#stepButtons(step, source),
      selected.length > 1 && h("p", { class: "facts muted" }, selectionText(plan, this.session.range, step)),
    ].filter(Boolean);
  }

  #stepButtons(step, { missing }) {
    const { plan, selected } = this.session;
    const unit = plan.steps.unit[step];
    const many = selected.length > 1;
    const remove = many ? `Remove these ${counted(selected.length, "step")} (Delete)` : "Remove this step (Delete)";
    return h("div", { class: "row buttons" },
      this.#button("hear", "play", "Alone", "Hear the unit alone, if it is short with what follows it in its source (A)", {
        "data-heard": `alone ${unit}`, onclick: () => this.audition.alone(unit), disabled: !plan.isOwn || unit === -1 || Boolean(missing),
      }),
      this.#button("place", "within", "In place", `Hear ${many ? "the selected steps" : "it"} in place, with a second around (Enter)`, {
        "data-heard": "in place now", onclick: this.actions.hearInPlace,
      }),
      this.#lockButton(),
      this.#repeatButton(step, many),
      this.#button("remove", "remove", null, remove, { onclick: this.actions.remove }));
  }

  #repeatButton(step, many) {
    if (this.session.plan.mostRepeats(step) === 0) return this.#button("repeat", "repeat", null, "Repeat: there is no room behind this step, and voices stay together", { disabled: true });
    const title = many ? `Repeat step ${formatCount(step)} alone (R)` : "Repeat this step (R)";
    return this.#button("repeat", "repeat", null, title, { onclick: this.actions.repeat });
  }

  #lockButton() {
    const locked = this.session.selected.every((step) => this.session.plan.steps.locked[step]);
    const title = `${locked ? "Unlock" : "Lock"}: locked steps stay when the rest is chosen again (L)`;
    const attributes = { onclick: this.actions.lock, "aria-pressed": String(locked) };
    return this.#button("lock", locked ? "locked" : "unlocked", locked ? "Locked" : "Lock", title, attributes);
  }

  #button(key, name, text, title, attributes) {
    const all = { type: "button", "data-key": key, title, "aria-label": title };
    return h("button", { ...all, ...attributes }, icon(name), text && h("span", {}, text));
  }
}

function factTable(plan, step) {
  const { start_sample, n_samples, distance, join, gain_db, transpose, stretch } = plan.steps;
  const seconds = (samples) => formatSeconds(samples / plan.rate);
  const voice = plan.voice(step);
  const next = step + 1 < plan.voices[voice].end ? join[step + 1].toFixed(2) : "none";
  const facts = [
    ["In its source", seconds(start_sample[step])], ["Target cost", distance[step].toFixed(2)],
    ["In the plan", formatSeconds(plan.start(step))], ["Join before", join[step].toFixed(2)],
    ["Length", seconds(n_samples[step])], ["Join behind", next],
  ];
  if (plan.nVoices > 1) facts.push(["Voice", String(voice)]);
  if (gain_db[step]) facts.push(["Gain", `${withMinus(gain_db[step].toFixed(1))} dB`]);
  if (transpose[step]) facts.push(["Transposed", semitones(transpose[step])]);
  if (stretch[step] !== 1) facts.push(["Stretched", `× ${Number(stretch[step].toFixed(3))}`]);
  return h("dl", { class: "figures" }, ...facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

const selectionText = (plan, [first, last], step) =>
  `${counted(last - first + 1, "step")} selected, ${formatSeconds(plan.end(last) - plan.start(first))}: In place, Lock and Remove take all, Alone and Repeat step ${formatCount(step)}.`;

const folderOf = (path) => path.slice(0, -baseName(path).length - 1);

/** Tell screen readers which step is selected. */
export function speak(session) {
  const { plan, step, range } = session;
  if (step < 0) return;
  const { distance, join, start_sample, locked } = plan.steps;
  const from = `${sourceName(plan.source(step).path)} at ${formatSeconds(start_sample[step] / plan.rate)}`;
  const costs = `target ${distance[step].toFixed(1)}, join ${join[step].toFixed(1)}`;
  const many = range[1] > range[0] ? `; ${counted(range[1] - range[0] + 1, "step")} selected` : "";
  const voice = plan.nVoices > 1 ? `, voice ${plan.voice(step)}` : "";
  say(`step ${formatCount(step)}${voice}, ${from}, ${costs}${locked[step] ? ", locked" : ""}${many}`, { quiet: true });
}
