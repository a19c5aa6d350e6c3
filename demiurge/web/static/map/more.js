// Sounds generated in the style of the pinned units: made by the server, played and downloaded here.
import { iconButton, setIcon } from "../icons.js";
import { byId, counted, events, fail, getJson, h, play, postJson, say, stop } from "../lib.js";

const [start, cancel, progress, text, list] = ["start", "cancel", "progress", "text", "clips"].map((name) => byId(`more-${name}`));
const buttons = new Map(); // of the clips, by address
let state = "idle";
let starting = false; // until the server answers
let playing = null; // its button
let heard = 0; // events; each is newer than the answer to what was asked before it came

/** Connect the section to the pins. @returns its keys */
export function startMore(pins) {
  const showAnswer = (answer, before = heard) => answer.then((found) => heard === before && showState(found, pins)).catch(fail);
  const make = () => {
    if (starting || state === "running" || pins.ids.length === 0) return;
    starting = true;
    showAnswer(postJson("/generated", { units: pins.ids })).finally(() => (starting = false));
  };
  const ask = () => showAnswer(getJson("/generated.json"));
  pins.onShow = () => showButtons(pins);
  start.addEventListener("click", make);
  cancel.addEventListener("click", () => showAnswer(postJson("/generated/cancel")));
  events("generated", (found) => {
    heard += 1;
    showState(found, pins);
  });
  document.addEventListener("connected", ask);
  ask();
  return { g: { run: make, once: true, shown: "G", help: "generate more like the pinned units" } };
}

function showButtons(pins) {
  const focused = [start, cancel].includes(document.activeElement); // of the two, that which is shown has the focus then
  start.hidden = state === "running" || pins.ids.length === 0;
  cancel.hidden = progress.hidden = state !== "running";
  if (focused) (cancel.hidden ? start : cancel).focus();
}

function showState({ state: now, what, done, total, error, clips, folder }, pins) {
  const had = state;
  state = now;
  showButtons(pins);
  if (done) progress.value = done / total;
  else progress.removeAttribute("value"); // it takes a while until the first is made
  const making = done ? `${what}: ${done} of ${total}` : `${what}…`;
  text.textContent = now === "running" ? making : ending(now, error, clips, folder);
  if (had === "running" && now === "done") say(`${counted(done, "generated sound")} ready.`, { quiet: true });
  if (had === "running" && now === "failed") say(error, { warn: true });
  showClips(clips);
}

function ending(now, error, clips, folder) {
  if (now === "failed") return `Failed: ${error}`;
  const where = clips.length ? `They lie in ${folder}; copied into the corpus folder, demiurge db build makes units of them.` : "";
  return now === "cancelled" ? `Cancelled. ${where}` : where;
}

function showClips(clips) {
  const addresses = clips.map(({ run, name }) => `/generated/${run}/${name}`);
  if (addresses.join() === [...buttons.keys()].join()) return;
  const rows = clips.map(({ name }, i) => buttons.get(addresses[i])?.row ?? row(addresses[i], name));
  buttons.clear();
  addresses.forEach((address, i) => buttons.set(address, { row: rows[i] }));
  list.replaceChildren(...rows);
  list.setAttribute("aria-label", `Generated sounds: ${counted(clips.length, "sound")}`);
}

function row(address, name) {
  const [, , run] = address.split("/");
  const label = `${run.split("-")[1]?.replace(/(..)(..)(..)/, "$1:$2:$3") ?? run} · ${Number(name.match(/\d+/)[0])}`;
  const button = iconButton("play", `Play ${label}`, () => toggle(button, address), { "aria-pressed": "false" });
  button.dataset.icon = "play";
  const link = h("a", { href: address, download: "", title: `Download ${label}`, "aria-label": `Download ${label}` }, "Download");
  return h("li", {}, h("span", {}, label), button, link);
}

function toggle(button, address) {
  if (playing === button) return stop();
  const begun = play(address, { onEnded: () => mark(button, false) }).catch((error) => (mark(button, false), fail(error)));
  mark(button, true);
  return begun;
}

function mark(button, plays) {
  playing = plays ? button : playing === button ? null : playing;
  setIcon(button, plays ? "stop" : "play");
  button.setAttribute("aria-pressed", String(plays));
}
