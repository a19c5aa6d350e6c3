// Filters and weights: lists that are added to, and taken from.
import { iconButton } from "../icons.js";
import { byId, h } from "../lib.js";
import { onNews, send } from "./socket.js";

const ADDRESSES = { sources: "filter/source", where: "filter/where" };
const NEUTRAL = 1;
const RANGES = { seconds: "s", milliseconds: "ms", loudness: "LUFS" };

const chip = (text, remove) => h("li", {}, h("span", { class: "name", title: text }, text), remove && iconButton("cross", `Remove ${text}`, remove));

/** Connect the fields of filters and the list of those that are set. */
export function startFilters() {
  const set = { sources: [], where: [] };
  const change = (filter, texts) => send(ADDRESSES[filter], ...texts) && (set[filter] = texts); // before the session answers
  const without = (filter, text) => set[filter].filter((other) => other !== text);
  for (const form of document.querySelectorAll("[data-filter]")) {
    const { filter } = form.dataset;
    const [field] = form.elements;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (text && change(filter, [...without(filter, text), text])) field.value = "";
    });
  }
  byId("filters-clear").addEventListener("click", () => send("filter/clear"));
  onNews("knobs", ({ filters }) => {
    const nodes = Object.keys(ADDRESSES).flatMap((filter) => {
      set[filter] = filters[filter] ?? [];
      return set[filter].map((text) => chip(text, () => change(filter, without(filter, text))));
    });
    byId("filters").replaceChildren(...nodes, ...otherTexts(filters).map((text) => chip(text)));
    byId("filters-clear").hidden = Object.keys(filters).length === 0;
  });
}

// What only other controls and scenes can set.
function otherTexts({ tags = [], like, ...filters }) {
  const ranges = Object.keys(RANGES).filter((name) => name in filters);
  const rangeText = (name) => `${name} ${filters[name].map((side) => side ?? "…").join(" to ")} ${RANGES[name]}`;
  return [...tags.map((tag) => `tag ${tag}`), ...ranges.map(rangeText), ...(like ? ["like a sound"] : [])];
}

/** Connect the fields of a weight, and the list of weights. */
export function startWeights() {
  const [name, value] = [byId("weight-name"), byId("weight-value")];
  byId("weigh").addEventListener("submit", (event) => {
    event.preventDefault();
    send(`weight/${name.value.trim()}`, Number(value.value));
  });
  onNews("knobs", ({ weights }) => {
    const changed = Object.entries(weights).filter(([, weight]) => weight !== NEUTRAL);
    byId("weights").replaceChildren(...changed.map(([of, weight]) => chip(`${of} × ${weight}`, () => send(`weight/${of}`, NEUTRAL))));
  });
}
