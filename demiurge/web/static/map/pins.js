// Pinned units: played again, compared, and used to find similar ones, which are marked on the map.
import { iconButton } from "../icons.js";
import { counted, cssColor, fail, formatSeconds, getJson, h, say, sourceName } from "../lib.js";
import { drawRing, drawTag } from "./overlay.js";
import { askOnce, formatValue } from "./units.js";
import { byMeaning } from "./values.js";

const SIMILAR = 8;
const SHOWN_VALUES = 3;

/** The pinned units, kept by the browser for each database. */
export class Pins {
  #similar = null; // {of: position, list: [{position, distance}]}

  constructor({ units, plot, overlay, ear, cursor, section, shownValues }) {
    Object.assign(this, { units, plot, overlay, ear, cursor, section, shownValues });
    this.positions = [];
    this.facts = new Map();
    this.stored = `map.pins.${units.facts.database.id}`;
    overlay.add((context) => this.#draw(context));
    section.clear.addEventListener("click", () => this.#change([]));
    for (const id of JSON.parse(localStorage.getItem(this.stored) ?? "[]")) this.#restore(id);
    this.show();
  }

  #restore(id) {
    const position = this.units.positionOf(id);
    if (position >= 0) this.positions.push(position);
  }

  /** Pin a unit, or unpin it. */
  toggle(position) {
    const isPinned = this.positions.includes(position);
    this.#change(isPinned ? this.positions.filter((other) => other !== position) : [...this.positions, position]);
    say(isPinned ? "Unpinned." : `Pinned as number ${this.positions.length}.`, { quiet: true });
  }

  #change(positions) {
    this.positions = positions;
    if (this.#similar && !positions.includes(this.#similar.of)) this.#similar = null;
    localStorage.setItem(this.stored, JSON.stringify(this.ids));
    this.show();
    this.overlay.refresh();
  }

  /** The names of the pinned units. */
  get ids() {
    return this.positions.map((position) => this.units.nameOf(position));
  }

  /** Forget the marks of similar units. @returns whether there were any */
  clearSimilar() {
    const were = this.#similar !== null;
    this.#similar = null;
    this.show();
    this.overlay.refresh();
    return were;
  }

  /** Fill the list again, for example when other values are shown. */
  show() {
    this.section.clear.hidden = this.positions.length === 0;
    this.section.none.hidden = this.positions.length > 0;
    this.onShow?.();
    const { list } = this.section;
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    list.replaceChildren(...this.positions.map((position, index) => this.#item(position, index)));
    if (!focused) return;
    const buttons = [...list.querySelectorAll("button")];
    (buttons.find((button) => button.getAttribute("aria-label") === focused) ?? buttons[0] ?? this.plot.canvas).focus();
  }

  #item(position, index) {
    const { path } = this.units.sourceOf(position);
    const values = h("span", { class: "values" });
    this.#fill(values, position);
    const isOpen = this.#similar?.of === position;
    const ask = () => this.#toggleSimilar(position);
    const similar = iconButton("similar", `Units similar to number ${index + 1}`, ask, { "aria-expanded": String(isOpen) });
    const missing = this.units.missing(position) ? " · the file is missing" : "";
    return h("li", {},
      h("div", { class: "pin" },
        h("span", { class: "tag" }, String(index + 1)), this.#hearButton(position, path), similar,
        iconButton("cross", `Unpin number ${index + 1}`, () => this.toggle(position)),
        h("span", { class: "when" }, this.units.when(position) + missing), values),
      isOpen ? this.#similarList() : null);
  }

  #hearButton(position, path) {
    const hear = () => this.cursor.goTo(position);
    const name = sourceName(path);
    return h("button", { type: "button", class: "hear quiet", title: path, "aria-label": `Play ${name}`, onclick: hear }, name);
  }

  async #fill(node, position) {
    try {
      const id = this.units.nameOf(position);
      const { descriptors } = await askOnce(this.facts, id, () => getJson(`/units/${id}.json`));
      const names = [...new Set([...this.shownValues(), ...byMeaning(this.units.descriptors)])].filter((name) => name in descriptors);
      node.replaceChildren(...names.slice(0, SHOWN_VALUES).map((name) => h("span", {}, `${name} ${formatValue(descriptors[name])}`)));
    } catch (error) {
      fail(error);
    }
  }

  async #toggleSimilar(position) {
    if (this.#similar?.of === position) return this.clearSimilar();
    this.#similar = { of: position, list: null };
    this.show();
    try {
      const { units: found } = await getJson(`/units/${this.units.nameOf(position)}/similar.json?k=${SIMILAR}`);
      if (this.#similar?.of !== position) return null;
      this.#similar.list = found.map(({ unit, distance }) => ({ position: this.units.positionOf(unit), distance }));
      say(`${counted(found.length, "similar unit")} marked on the map.`, { quiet: true });
    } catch (error) {
      this.#similar = null;
      fail(error);
    }
    this.show();
    return this.overlay.refresh();
  }

  #similarList() {
    const { list } = this.#similar;
    if (!list) return h("p", { class: "muted small" }, "Searching…");
    return h("ol", { class: "similar" }, list.map(({ position, distance }) => h("li", {},
      this.#hearButton(position, this.units.sourceOf(position).path),
      h("span", { class: "muted" }, formatSeconds(this.units.time[position])),
      h("span", { class: "number", title: "distance of the descriptors" }, distance.toFixed(2)),
      iconButton("plus", "Pin it", () => this.toggle(position)))));
  }

  #draw(context) {
    const [accent, ground] = [cssColor("--accent"), cssColor("--ground")];
    const radius = this.plot.pointSize / 2 + 4;
    for (const { position } of this.#similar?.list ?? []) {
      drawRing(context, this.plot.screenPosition(position), { radius, colour: accent, ground, width: 1.5 });
    }
    this.positions.forEach((position, index) => {
      const [x, y] = this.plot.screenPosition(position);
      drawRing(context, [x, y], { radius: radius + 1, colour: accent, ground });
      drawTag(context, String(index + 1), [x, y - radius - 11], { colour: accent, ground });
    });
  }
}
