// Facts of all units, column by column; a unit has a position in these columns, and an id in its database. It is named by its id, and
// in several databases by NAME:ID.
import { databaseNames, databaseOf, formatSeconds, getFloats, getJson, getUints, numberSources } from "../lib.js";

const ASK_AGAIN_MS = 400;
const VALUE_UNITS = { time: " s", length: " ms" };

/** The units of the database and their sources. */
export class Units {
  #values = new Map();
  #layouts = new Map();
  #kept = null;

  constructor(facts, ids) {
    this.facts = facts;
    this.ids = ids;
    this.length = ids.length;
    this.sources = facts.sources;
    this.descriptors = facts.descriptors;
  }

  /** Load what the first picture needs. */
  static async load() {
    const [facts, ids] = await Promise.all([getJson("/map.json"), getUints("/map/units")]);
    const units = new Units(facts, ids);
    const [source, time, length] = await Promise.all(["source", "time", "length"].map((name) => units.values(name)));
    const indices = new Map(facts.sources.map(({ id }, index) => [id, index]));
    units.source = Uint32Array.from(source, (id) => indices.get(id));
    numberSources(facts.sources);
    units.time = time;
    units.duration = length;
    return units;
  }

  /** A value of every unit. @returns {Promise<Float32Array>} */
  values(name) {
    return askOnce(this.#values, name, () => getReady(`/map/values/${encodeURIComponent(name)}`));
  }

  /** Where a layout puts every unit, all x then all y, once it is there. @returns {Promise<Float32Array>} */
  layout(name) {
    return askOnce(this.#layouts, name, () => getReady(`/map/layouts/${name}`));
  }

  /** The name of the unit at a position. */
  nameOf(position) {
    const database = databaseNames()[databaseOf(this.sourceOf(position).path)];
    return database === undefined ? this.ids[position] : `${database}:${this.ids[position]}`;
  }

  /** The position of a unit by its name, -1 if there is none. */
  positionOf(name) {
    if (databaseNames().length === 0) return this.#find(name, 0, this.length - 1);
    const [database, id] = String(name).split(":");
    const [first, end] = this.#spans.get(database) ?? [0, 0];
    return this.#find(Number(id), first, end - 1);
  }

  /** The first position of each database, and the one behind its last. */
  get #spans() {
    this.#kept ??= spansOf(this.source, this.sources);
    return this.#kept;
  }

  /** The position of an id between two, where ids are in ascending order; -1 if there is none. */
  #find(id, low, high) {
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle] === id) return middle;
      if (this.ids[middle] < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  sourceOf(position) {
    return this.sources[this.source[position]];
  }

  /** Why a unit cannot be played, or null. */
  missing(position) {
    return this.sourceOf(position).missing;
  }

  /** "at 3.25 s for 23 ms" */
  when(position) {
    return `at ${formatSeconds(this.time[position])} for ${formatSeconds(this.duration[position] / 1000)}`;
  }
}

/** [first, end] of the positions of each database, by its name. */
function spansOf(source, sources) {
  const numbers = sources.map(({ path }) => databaseOf(path));
  const spans = new Map();
  source.forEach((number, position) => {
    const name = databaseNames()[numbers[number]];
    if (spans.has(name)) spans.get(name)[1] = position + 1;
    else spans.set(name, [position, position + 1]);
  });
  return spans;
}

/** A value as people read it: four digits or so, with its unit. */
export function formatValue(value, name = "") {
  const digits = Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 100 ? 1 : Math.abs(value) >= 1 ? 2 : 3;
  return `${Number(value.toFixed(digits)).toLocaleString("en").replace("-", "−")}${VALUE_UNITS[name] ?? ""}`;
}

/** The promise of `ask`, kept in a Map by its name; one that failed is made again the next time. */
export function askOnce(kept, name, ask) {
  if (!kept.has(name)) {
    kept.set(name, ask());
    kept.get(name).catch(() => kept.delete(name));
  }
  return kept.get(name);
}

/** Numbers from the server, requested again while they are being computed. */
async function getReady(url) {
  const numbers = await getFloats(url);
  if (numbers) return numbers;
  await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  return getReady(url);
}
