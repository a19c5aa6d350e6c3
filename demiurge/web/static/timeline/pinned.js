// The units that are pinned on the map: the browser keeps them for each database.

import { getJson } from "../lib.js";

const KEPT = "map.pins.";
const MOST = 16; // units that the server measures at once

let database = null; // its id

/** @returns {Promise<number[]>} ids of those that were pinned last */
export async function pinnedUnits() {
  if (!Object.keys(localStorage).some((key) => key.startsWith(KEPT))) return [];
  database ??= (await getJson("/map.json")).database.id;
  return JSON.parse(localStorage.getItem(KEPT + database) ?? "[]").slice(-MOST);
}
