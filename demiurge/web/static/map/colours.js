// The colour of each unit, by source, cluster or a value, and the legend.
import { MOST_COLOURS, colorOf, colorOfDatabase, colorOfIndex, colorOfValue, counted, cssColor, databaseNames, formatCount, h, indexOfSource, sourceName } from "../lib.js";
import { innerRange } from "./ranges.js";
import { formatValue } from "./units.js";

const LEVELS = 64;
const PITCH = "f0"; // 0: there is none
const FADED = 0.16; // share of a faded colour that remains
const MOST_ROWS = 150; // of the legend

/** The colours of all units by one value. @returns {{palette: string[], colours: Uint16Array, legend: object}} */
export async function colourBy(units, name) {
  if (name === "source") return colourBySource(units);
  const values = await units.values(name);
  if (name === "cluster") return colourByGroup(values, (index) => ({ name: `Cluster ${index + 1}`, missing: null }));
  if (name === "database") return colourByGroup(values, (index) => ({ name: databaseNames()[index], missing: null }), { colorOf: colorOfDatabase });
  return colourByValue(values, name);
}

function colourBySource({ source, sources }) {
  const indices = sources.map(({ path }) => indexOfSource(path));
  const factsOf = (index) => ({ name: sourceName(sources[index].path), path: sources[index].path, missing: sources[index].missing });
  return colourByGroup(source, factsOf, { colorOf: colorOfIndex, indexOf: (group) => indices[group] });
}

function colourByGroup(groups, factsOf, { colorOf: colourOf = colorOf, indexOf = (group) => group } = {}) {
  const size = Math.min(MOST_COLOURS, groups.reduce((most, group) => Math.max(most, indexOf(group)), 0) + 1);
  const rowsOf = (counts) => [...counts].map(([group, count]) => ({ group, count, ...factsOf(group), colour: colourOf(indexOf(group) % size) }));
  return {
    palette: () => Array.from({ length: size }, (_, index) => colourOf(index)),
    colours: Uint16Array.from(groups, (group) => indexOf(group) % size),
    legend: {
      rows: (isShown) => rowsOf(countsOf(groups, isShown)).sort((a, b) => b.count - a.count),
      members: (group, isShown) => positionsOf(groups, group, isShown),
    },
  };
}

function countsOf(groups, isShown) {
  const counts = new Map();
  groups.forEach((group, position) => isShown(position) && counts.set(group, (counts.get(group) ?? 0) + 1));
  return counts;
}

function positionsOf(groups, wanted, isShown) {
  const positions = [];
  groups.forEach((group, position) => {
    if (group === wanted && isShown(position)) positions.push(position);
  });
  return positions;
}

function colourByValue(values, name) {
  const isAbsent = (value) => name === PITCH && value === 0;
  const present = name === PITCH ? values.filter((value) => value !== 0) : values;
  const [low, high] = innerRange(present.length ? present : values);
  const scale = (LEVELS - 1) / (high - low || 1);
  const levelOf = (value) => Math.min(LEVELS - 1, Math.max(0, Math.round((value - low) * scale)));
  return {
    palette: () => [...Array.from({ length: LEVELS }, (_, level) => colorOfValue(level / (LEVELS - 1))), cssColor("--absent")],
    colours: Uint16Array.from(values, (value) => (isAbsent(value) ? LEVELS : levelOf(value))),
    legend: { low, high, name, hasAbsent: present.length < values.length },
  };
}

/** The same colours, faded almost to the background, or to a share of themselves. */
export function fade(palette, share = FADED) {
  const ground = channels(cssColor("--ground"));
  return palette.map((colour) => {
    const mixed = channels(colour).map((value, i) => Math.round(share * value + (1 - share) * ground[i]));
    return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
  });
}

const channels = (hex) => [1, 3, 5].map((start) => Number.parseInt(hex.slice(start, start + 2), 16));

/** The legend's contents: a bar with values, or names, of units that `isShown(position)`, that call `choose(positions, name, group)`. */
export const legendNodes = (legend, isShown, choose) => (legend.rows ? groupNodes(legend, isShown, choose) : barNodes(legend));

function groupNodes({ rows: rowsOf, members }, isShown, choose) {
  const rows = rowsOf(isShown);
  const item = ({ group, name, path, count, missing, colour }) => {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = colour;
    const label = `${name}: show its ${counted(count, "unit")} only`;
    const attributes = { type: "button", class: "legend-row", title: missing ?? path ?? name, "aria-label": label, "aria-pressed": "false" };
    const button = h("button", { ...attributes, onclick: () => choose(members(group, isShown), name, group) },
      swatch, h("span", { class: "name" }, name), h("span", { class: "muted" }, formatCount(count)));
    button.classList.toggle("missing", missing !== null);
    button.dataset.group = group;
    return h("li", {}, button);
  };
  const list = h("ul", { class: "legend-list" }, rows.slice(0, MOST_ROWS).map(item));
  if (rows.length <= MOST_ROWS) return [list];
  return [list, h("p", { class: "muted small" }, `and ${formatCount(rows.length - MOST_ROWS)} with fewer units: search them by name`)];
}

function barNodes({ low, high, name, hasAbsent }) {
  const bar = h("div", { class: "colour-bar" });
  const stops = Array.from({ length: 13 }, (_, i) => colorOfValue(i / 12));
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const values = [low, (low + high) / 2, high].map((value) => h("span", {}, formatValue(value, name)));
  const label = `${name}: dark is ${formatValue(low, name)}, light is ${formatValue(high, name)}`;
  const picture = h("div", { role: "img", "aria-label": label }, bar, h("div", { class: "colour-values" }, values));
  return hasAbsent ? [picture, absentNode()] : [picture];
}

function absentNode() {
  const swatch = h("span", { class: "swatch" });
  swatch.style.background = cssColor("--absent");
  return h("p", { class: "small" }, swatch, " no pitch");
}
