// Shared by all pages: requests, events, messages, one sound at a time, keys, colours, the theme.

const TELL_MS = 50;
/** Selects the elements that take text. */
export const TYPED_INTO = "input:not([type=range], [type=checkbox], [type=radio]), select, textarea";
const OF_RANGES = /^(Arrow.*|Home|End|PageUp|PageDown)$/; // keys that move the slider that has the focus

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** The JSON that the page was served with. */
export const data = () => JSON.parse(byId("data")?.textContent ?? "null");

async function answer(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    throw new Error("The server does not answer. Is demiurge browse still running in its terminal?");
  }
  if (!response.ok) throw new Error(await errorOf(response));
  return response;
}

async function errorOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `${response.status} ${response.statusText}`;
  }
}

/** @returns {Promise<object>} the document, or an Error with the server's message */
export const getJson = async (url) => (await answer(url)).json();

/** Send a JSON document. */
export async function postJson(url, body = {}) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await answer(url, options)).json();
}

/** Send a file's bytes as they are. */
export const postFile = async (url, file) => (await answer(url, { method: "POST", body: file })).json();

/** @returns {Promise<Float32Array|null>} null while the server is still computing them */
export async function getFloats(url) {
  const response = await answer(url);
  return response.status === 202 ? null : new Float32Array(await response.arrayBuffer());
}

/** @returns {Promise<Uint32Array>} */
export const getUints = async (url) => new Uint32Array(await (await answer(url)).arrayBuffer());

let telling = null;

/** Show a message as a toast, and give it to screen readers; `quiet` leaves out the toast. */
export function say(text, { warn = false, quiet = false } = {}) {
  byId("status").textContent = ""; // screen readers ignore a text that does not change
  clearTimeout(telling);
  telling = setTimeout(() => (byId("status").textContent = text), TELL_MS);
  if (quiet) return;
  const toast = h("div", { class: warn ? "toast warn" : "toast" }, text);
  byId("toasts").append(toast);
  setTimeout(() => toast.remove(), warn ? 9000 : 4000);
}

/** Show an error. */
export function fail(error) {
  console.warn(error);
  say(error.message, { warn: true });
}

/** Make a DOM node: h("a", {href: "/map", onclick: f}, "text", child). Sets properties where they exist, else attributes, unless null or false. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.startsWith("aria") && name !== "list" && name !== "form") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const listeners = [];
let stream = null;
let lost = false; // the connection is lost, and the user was told
let behind = false; // events may have been missed

/**
 * Call `handler` with each server event of this kind. From the document's "connected" on, none is missed;
 * after a gap it gets "reconnected" too.
 */
export function events(kind, handler) {
  const listener = [kind, (event) => handler(JSON.parse(event.data))];
  listeners.push(listener);
  if (stream) stream.addEventListener(...listener);
  else connect();
}

// Only while the page is visible: all tabs of a browser share six connections to a server.
function connect() {
  stream?.close();
  stream = null;
  if (document.hidden) {
    behind = true;
    return;
  }
  stream = new EventSource("/events");
  stream.addEventListener("error", onLost);
  stream.addEventListener("open", onConnected);
  for (const listener of listeners) stream.addEventListener(...listener);
}

function onLost() {
  if (!lost) say("The connection to the server is lost; trying again.", { warn: true });
  lost = behind = true;
}

function onConnected() {
  const missed = behind;
  lost = behind = false;
  document.dispatchEvent(new Event("connected"));
  if (missed) document.dispatchEvent(new Event("reconnected"));
}

const audio = new Audio();
let ended = null;
audio.addEventListener("ended", () => leave(true));

function leave(whole) {
  const callback = ended;
  ended = null;
  callback?.(whole);
}

/**
 * Play a sound instead of the current one; `onEnded(whole)` is called once, with whether it played to its end.
 * @returns {Promise<boolean>} whether it began; rejects with the server's message
 */
export async function play(url, { onEnded = null } = {}) {
  leave(false);
  ended = onEnded;
  audio.src = url;
  try {
    await audio.play();
    return true;
  } catch (error) {
    if (error.name === "AbortError") return false; // another sound was started meanwhile
    if (error.name === "NotAllowedError") throw new Error("The browser plays sound only after a click on the page.");
    throw new Error(await whySilent(url));
  }
}

/** Why a sound does not play: the server's message, or that the browser cannot. */
export async function whySilent(url) {
  const response = await fetch(url, { headers: { Range: "bytes=0-0" } }).catch(() => null);
  return response && !response.ok ? errorOf(response) : "This sound cannot be played.";
}

/** Stop the sound. */
export function stop() {
  audio.pause();
  leave(false);
}

const keys = new Map();

/**
 * Bind keys: {" ": {run, help: "play or stop", once: true}, "Shift+L": …}; names as in KeyboardEvent.key, with "Ctrl+", "Shift+" before.
 * With `once` a held key counts once. The dialog under "?" lists them.
 */
export function shortcuts(bindings) {
  const list = document.querySelector("#shortcuts dl");
  for (const [name, binding] of Object.entries(bindings)) {
    keys.set(name.toLowerCase(), binding);
    if (binding.help) list.append(h("dt", {}, h("kbd", {}, binding.shown ?? shownKey(name))), h("dd", {}, binding.help));
  }
}

const shownKey = (name) => ({ " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" })[name] ?? name;

function onKey(event) {
  if (document.querySelector("dialog[open], :popover-open")) return; // Escape closes these
  const typing = event.target.closest?.(TYPED_INTO);
  if (event.defaultPrevented || event.altKey || (typing && event.key !== "Escape")) return;
  if (event.target.closest?.("button, a, summary, input") && (event.key === " " || event.key === "Enter")) return;
  if (event.target.type === "range" && OF_RANGES.test(event.key)) return;
  const modifiers = (event.ctrlKey || event.metaKey ? "ctrl+" : "") + (event.shiftKey && event.key.length > 1 ? "shift+" : "");
  const binding = keys.get(modifiers + event.key.toLowerCase());
  if (!binding?.run) return; // only listed in the dialog
  event.preventDefault();
  if (!(binding.once && event.repeat)) binding.run(event);
}

/** 83.4 -> "1:23.40"; below a minute "3.40 s", below a tenth of a second "23 ms". */
export function formatSeconds(seconds) {
  if (seconds > 0 && seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(2)} s` : clock(seconds);
}

/** 83.4 -> "1:23.40", without hundredths "1:23". */
export function clock(seconds, { hundredths = true } = {}) {
  const whole = hundredths ? Math.round(seconds * 100) : Math.floor(seconds) * 100;
  const rest = ((whole % 6000) / 100).toFixed(hundredths ? 2 : 0);
  return `${Math.floor(whole / 6000)}:${rest.padStart(hundredths ? 5 : 2, "0")}`;
}

/** 13012 -> "13,012" */
export const formatCount = (count) => count.toLocaleString("en");

/** "-6.07" -> "−6.07", with a minus sign as in all numbers of the pages. */
export const withMinus = (text) => text.replace("-", "−");

/** 3 -> "+3 st" (semitones) */
export const semitones = (value) => `${withMinus(`${value > 0 ? "+" : ""}${Number(value.toFixed(2))}`)} st`;

/** "1 unit", "13,012 units" */
export const counted = (count, noun) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;

let databases = (document.body.dataset.databases ?? "").split(" ").filter(Boolean);

/** Say which several databases sources are in: `drums:loops/one.wav`; none of one alone. */
export function nameDatabases(names) {
  databases = names;
  sourceColours.clear();
}

/** The names of several databases; none of one alone. */
export const databaseNames = () => databases;

/** The number of the database that a source is in, among several; -1 of one alone, and of a seed. */
export const databaseOf = (path) => databases.indexOf(path.slice(0, Math.max(0, path.indexOf(":"))));

/** A source's path in its database. */
export const withoutDatabase = (path) => (databaseOf(path) < 0 ? path : path.slice(path.indexOf(":") + 1));

/** The file name at the end of a path. */
export const baseName = (path) => withoutDatabase(path).slice(withoutDatabase(path).lastIndexOf("/") + 1);

/** The file name of a source, behind the name of its database if there are several. */
export const sourceName = (path) => (databaseOf(path) < 0 ? "" : `${databases[databaseOf(path)]}: `) + baseName(path);

const FIRST_HUES = [235, 55, 150, 25, 300, 100, 195, 345, 270, 75];

/** The colour "#rrggbb" of a source, cluster or other number in the current theme; neighbours differ clearly. */
export function colorOf(index) {
  const hue = index < FIRST_HUES.length ? FIRST_HUES[index] : (index * 137.508) % 360;
  const level = [0, 0.08, -0.07][Math.floor(index / FIRST_HUES.length) % 3];
  return isDark() ? oklch(0.74 + level, 0.13, hue) : oklch(0.58 + level, 0.14, hue);
}

// Of several databases: hue and lightness, which people who are blind to some colours tell apart, too; then shades for the sources.
const DATABASE_HUES = [[265, -0.1], [58, 0.05], [190, 0.1], [345, 0], [110, 0.12], [20, -0.06]];
const SHADES = [0, 0.08, -0.07, 0.04, -0.035];

/** The colour of one of several databases, and of its sources by their numbers in it. */
export function colorOfDatabase(database, number = 0) {
  const [hue, level] = DATABASE_HUES[database] ?? [(database * 137.508) % 360, 0];
  const lightness = level + SHADES[number % SHADES.length];
  return isDark() ? oklch(0.72 + lightness, 0.13, hue) : oklch(0.6 + lightness, 0.14, hue);
}

/** More sources than this share colours. */
export const MOST_COLOURS = 240;

const numbers = new Map(); // of sources in their database, by path
const sourceColours = new Map(); // in the current theme

/** Register the numbers of sources: [{path, number}]; null for one that is not in the database. */
export function numberSources(sources) {
  for (const { path, number } of sources) numbers.set(path, (number ?? numbers.size) % MOST_COLOURS);
}

/** The colour of a source by its path, the same on all pages. */
export function colorOfSource(path) {
  if (!sourceColours.has(path)) sourceColours.set(path, colorOfIndex(indexOfSource(path)));
  return sourceColours.get(path);
}

/** The index of a source's colour: one of few, also of many sources. */
export function indexOfSource(path) {
  const number = numbers.get(path) ?? 0;
  if (databases.length === 0) return number;
  const database = databaseOf(path);
  return database < 0 ? databases.length * SHADES.length : database * SHADES.length + (number % SHADES.length);
}

/** The colour of an index of `indexOfSource`. */
export function colorOfIndex(index) {
  if (databases.length === 0) return colorOf(index);
  const database = Math.floor(index / SHADES.length);
  return database === databases.length ? oklch(0.6, 0, 0) : colorOfDatabase(database, index % SHADES.length);
}

/** A legend of several databases; null of one alone. `textOf(number)` says more about each. */
export function databaseLegend(textOf = () => null) {
  if (databases.length === 0) return null;
  const items = databases.map((name, number) => {
    const square = h("span", { class: "swatch" });
    square.style.background = colorOfDatabase(number);
    const text = textOf(number);
    return h("li", {}, square, h("span", { class: "name" }, name), text && h("span", { class: "muted" }, text));
  });
  return h("ul", { class: "databases", "aria-label": "Databases" }, ...items);
}

/** The colour of a value in [0, 1]: from dark blue over green to light yellow. */
export function colorOfValue(x) {
  const clamped = Math.min(1, Math.max(0, x));
  return oklch(0.36 + 0.5 * clamped, 0.12 + 0.03 * Math.sin(Math.PI * clamped), 275 - 175 * clamped);
}

/** OKLCH (Ottosson 2020) as "#rrggbb". */
function oklch(lightness, chroma, hue) {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return `#${linear.map((value) => Math.round(255 * encoded(value)).toString(16).padStart(2, "0")).join("")}`;
}

function encoded(value) {
  const clamped = Math.min(1, Math.max(0, value));
  return clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055;
}

/** Whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const themeHandlers = [() => sourceColours.clear()];

/** Call `handler` when the theme changes. */
export function onTheme(handler) {
  themeHandlers.push(handler);
}

/** A colour of the style sheet: cssColor("--accent"). */
export const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function toggleTheme() {
  const theme = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  themeHandlers.forEach((handler) => handler());
}

document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => listeners.length && connect());
byId("theme").addEventListener("click", toggleTheme);
byId("keys").addEventListener("click", () => byId("shortcuts").showModal());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themeHandlers.forEach((handler) => handler()));
shortcuts({ "?": { run: () => byId("shortcuts").showModal(), help: "this list" } });
