// Highlighting: units that are found or selected stand out; others, and those with missing files, are faded.
import { colourBy, fade, legendNodes } from "./colours.js";

/** Colours of all units, which of them are faded, and which are shown at all. */
export class Focus {
  #masks = new Map();
  #kept = null;
  #colouring = null;
  #choose = null;
  #wanted = null;
  #group = null;

  constructor(units, plot, legend) {
    this.units = units;
    this.plot = plot;
    this.legend = legend;
  }

  /** Let only these units stand out for a reason ("search", "selection"); null: all. */
  set(reason, positions) {
    if (positions) this.#masks.set(reason, maskOf(this.units.length, positions));
    else if (!this.#masks.delete(reason)) return;
    this.paint();
  }

  /** The row of the legend that is selected, or null. */
  get group() {
    return this.#group;
  }

  set group(group) {
    this.#group = group;
    for (const row of this.legend.querySelectorAll("[data-group]")) {
      row.setAttribute("aria-pressed", String(row.dataset.group === String(group)));
    }
  }

  /** Show these units only (rising positions); null: all. */
  keep(positions) {
    this.#kept = positions && maskOf(this.units.length, positions);
    this.#showLegend();
    return this.plot.keep(positions);
  }

  /** Whether a unit is shown and, but for one reason, stands out. */
  includes(position, { but = null } = {}) {
    if (this.#kept && !this.#kept[position]) return false;
    for (const [reason, mask] of this.#masks) if (reason !== but && !mask[position]) return false;
    return true;
  }

  /** Colour by source, cluster or a value; names in the legend call `choose(positions, name)`. */
  async colour(name, choose) {
    this.#wanted = name;
    const colouring = await colourBy(this.units, name);
    if (this.#wanted !== name) return null;
    this.#colouring = colouring;
    this.#choose = choose;
    this.#group = null;
    return this.updateTheme();
  }

  /** Use the colours of the current theme. */
  updateTheme() {
    this.#showLegend();
    return this.paint();
  }

  #showLegend() {
    const isShown = (position) => !this.#kept || Boolean(this.#kept[position]);
    this.legend.replaceChildren(...legendNodes(this.#colouring.legend, isShown, this.#choose));
    this.group = this.#group;
  }

  /** Draw the points in their colours. */
  paint() {
    if (!this.#colouring) return null;
    const { palette: makePalette, colours: full } = this.#colouring;
    const palette = makePalette();
    const colours = full.slice();
    const faded = [];
    for (let i = 0; i < colours.length; i++) {
      if (this.includes(i) && !this.units.missing(i)) continue;
      colours[i] += palette.length;
      faded.push(i);
    }
    return this.plot.paint([...palette, ...fade(palette)], colours, this.#masks.size ? faded : null);
  }
}

function maskOf(length, positions) {
  const mask = new Uint8Array(length);
  for (const position of positions) mask[position] = 1;
  return mask;
}
