// The seed: dropped anywhere, chosen as a file, or one used before.

import { setIcon } from "../icons.js";
import { byId, fail, formatSeconds, h, postFile, say } from "../lib.js";
import * as player from "./player.js";

const MEGABYTE = 2 ** 20;

let known = [];
let chosen = null;
let limits = { bytes: Infinity };
let changed = () => {};

const track = {
  name: "The seed",
  url: null,
  show(position) {
    const plays = position !== null;
    setIcon(byId("seed-play"), plays ? "stop" : "play");
    byId("seed-play").classList.toggle("on", plays);
    byId("seed-play").setAttribute("aria-label", plays ? "Stop the seed" : "Play the seed");
  },
};

/** The seed that is chosen: {id, name, seconds}, or null. */
export const seed = () => chosen;

/** Take the seeds used before, newest first, and the limits from the server. */
export function fillSeeds(seeds, newLimits) {
  known = seeds;
  limits = newLimits;
  showUsed();
}

/** Choose a seed used before, by id. @returns {boolean} whether there is one */
export function chooseSeed(id) {
  const found = known.find((one) => one.id === id);
  if (found) choose(found);
  return found !== undefined;
}

/** Whether a file is being uploaded and checked. */
export const isBusy = () => byId("drop").hasAttribute("aria-busy");

/** Show an error in the place of the seed. */
function refuseSeed(message) {
  byId("seed-error").textContent = message;
  byId("seed-error").hidden = false;
  byId("seed-error").scrollIntoView({ block: "nearest" });
}

/** Choose no seed, and say why. */
export function dropSeed(message) {
  if (player.current() === track) player.stop();
  chosen = null;
  byId("seed").hidden = byId("seed-warning").hidden = true;
  byId("seed-none").hidden = false;
  byId("seed-choose").textContent = "Choose a file…";
  showUsed();
  refuseSeed(message);
}

/** Wire the controls; `onChange` is called whenever another seed is chosen. */
export function startSeed(onChange) {
  changed = onChange;
  byId("seed-choose").addEventListener("click", () => byId("seed-file").click());
  byId("seed-file").addEventListener("change", takeFile);
  byId("seed-used").addEventListener("change", () => chooseSeed(byId("seed-used").value));
  byId("seed-play").addEventListener("click", togglePlay);
  document.addEventListener("dragenter", showVeil);
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && hideVeil());
  document.addEventListener("drop", takeDrop);
}

function choose(one) {
  if (player.current() === track) player.stop();
  chosen = one;
  track.url = `/seeds/${one.id}/audio.wav`;
  byId("seed").hidden = false;
  byId("seed-none").hidden = true;
  byId("seed-error").hidden = true;
  byId("seed-name").textContent = byId("seed-name").title = one.name;
  byId("seed-facts").textContent = facts(one);
  byId("seed-warning").textContent = `${one.name}: ${one.warnings.join("; ")}.`;
  byId("seed-warning").hidden = one.warnings.length === 0;
  byId("seed-choose").textContent = "Another file…";
  showUsed();
  changed();
}

function facts({ seconds, sample_rate: rate, channels }) {
  const parts = [formatSeconds(seconds)];
  if (rate) parts.push(`${rate / 1000} kHz`);
  if (channels) parts.push({ 1: "mono", 2: "stereo" }[channels] ?? `${channels} channels`);
  return parts.join(" · ");
}

function showUsed() {
  const select = byId("seed-used");
  select.hidden = known.length === 0;
  const options = known.map(({ id, name, seconds }) => h("option", { value: id }, `${name} (${formatSeconds(seconds)})`));
  select.replaceChildren(h("option", { value: "" }, "Used before…"), ...options);
  select.value = chosen?.id ?? "";
}

function takeFile() {
  const [file] = byId("seed-file").files;
  if (file) upload(file);
  byId("seed-file").value = ""; // so that the same file can be chosen again
}

function takeDrop(event) {
  hideVeil();
  if (!hasFiles(event)) return;
  event.preventDefault();
  const [file, ...others] = event.dataTransfer.files;
  const folder = event.dataTransfer.items[0].webkitGetAsEntry()?.isDirectory;
  if (folder) return refuseSeed(`${file.name} is a folder; drop one sound of it.`);
  if (others.length > 0) say(`Only ${file.name} is taken: a job has one seed.`);
  upload(file);
}

async function upload(file) {
  byId("seed-error").hidden = true;
  if (file.size > limits.bytes) return refuseSeed(tooLarge(file));
  byId("drop").setAttribute("aria-busy", "true");
  try {
    const one = await postFile(`/seeds?name=${encodeURIComponent(file.name)}`, file);
    known = [one, ...known.filter(({ id }) => id !== one.id)];
    choose(one);
  } catch (error) {
    refuseSeed(error.message);
  } finally {
    byId("drop").removeAttribute("aria-busy");
  }
}

function tooLarge({ name, size }) {
  const [has, may] = [Math.ceil(size / MEGABYTE), Math.floor(limits.bytes / MEGABYTE)];
  return `${name}: ${has} MB are more than the ${may} MB that a seed may have; cut out what should be continued.`;
}

function togglePlay() {
  if (player.current() === track) player.stop();
  else player.start(track).catch(fail);
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

function showVeil(event) {
  if (hasFiles(event)) byId("veil").hidden = false;
}

function hideVeil() {
  byId("veil").hidden = true;
}
