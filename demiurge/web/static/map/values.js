// The values of units, in groups, the most useful ones first.
import { h } from "../lib.js";

const FIRST = ["loudness", "centroid", "f0", "flatness", "rolloff", "rms"];
const NOT_HEARD = ["time", "length"];
const OF_MFCC = ["MFCC", "MFCC Δ", "MFCC ΔΔ"];

/** Descriptors, those with descriptive names first. */
export const byMeaning = (descriptors) => [...FIRST.filter((name) => descriptors.includes(name)), ...descriptors.filter((name) => !FIRST.includes(name))];

/** The options of a menu of all values: descriptive names first, then the others in groups. */
export function valueOptions(descriptors) {
  const count = descriptors.filter((name) => /^mfcc\d+$/.test(name)).length / OF_MFCC.length; // statics, Δ, ΔΔ
  const groups = new Map();
  for (const name of [...byMeaning(descriptors), ...NOT_HEARD]) {
    const group = groupOf(name, count);
    groups.set(group, [...(groups.get(group) ?? []), name]);
  }
  const options = (names) => names.map((name) => h("option", { value: name }, name));
  const { "": telling, ...others } = Object.fromEntries(groups);
  return [...options(telling), ...Object.entries(others).map(([label, names]) => h("optgroup", { label }, options(names)))];
}

function groupOf(name, count) {
  if (FIRST.includes(name) || NOT_HEARD.includes(name)) return "";
  if (name.endsWith("_std")) return "Deviation";
  if (name.startsWith("mfcc")) return OF_MFCC[Math.floor(Number(name.slice(4)) / count)];
  return name.startsWith("chroma") ? "Chroma" : "Others";
}
