// The list of plans, kept up to date as jobs make more.

import { byId, data, events, fail, formatCount, formatSeconds, getJson, h } from "../lib.js";

const ORIGINS = { opened: "opened from the terminal", made: "Make", saved: "saved here" };

function show({ plans }) {
  byId("plans").hidden = plans.length === 0;
  byId("none").hidden = plans.length > 0;
  document.querySelector("#plans tbody").replaceChildren(...plans.map(row));
}

function row({ id, name, seconds, steps, modified, kind, error }) {
  const when = modified ? new Date(1000 * modified) : null;
  const link = h("a", { href: `/timeline/${id}` }, name);
  const date = when && h("time", { datetime: when.toISOString() }, when.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  return h("tr", {},
    h("td", {}, error ? [h("strong", {}, name), h("div", { class: "warn" }, error)] : link),
    h("td", { class: "number" }, seconds === null ? "" : formatSeconds(seconds)),
    h("td", { class: "number" }, steps === null ? "" : formatCount(steps)),
    h("td", { class: "muted" }, ORIGINS[kind]),
    h("td", { class: "muted" }, date));
}

const refresh = () => getJson("/plans.json").then(show, fail);

show(data());
events("job", ({ state }) => state === "done" && refresh());
document.addEventListener("reconnected", refresh);
