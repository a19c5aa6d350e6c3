// The screens: start, one pair after the other, results.

"use strict";

const CHOICES = [
  [-2, "A much better"],
  [-1, "A better"],
  [0, "No preference"],
  [1, "B better"],
  [2, "B much better"],
];
const SCREENS = ["start", "pair", "results"];

const byId = (id) => document.getElementById(id);
const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const percent = (share) => `${Math.round(100 * share)} %`;
const pairs = LISTENING.pairs;

let number = 0; // of the pair on the screen

/** Make a DOM node: h("td", {class: "number"}, "text", child). */
function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function say(text) {
  byId("status").textContent = text;
}

/** Show a fault, also to screen readers. */
function warn(text) {
  byId("note").textContent = text;
  byId("note").hidden = false;
}

function show(screen) {
  for (const name of SCREENS) byId(name).hidden = name !== screen;
  byId("main").scrollTop = 0;
  byId("answered").value = countAnswers() / pairs.length;
}

const shown = () => SCREENS.find((name) => !byId(name).hidden);

function showStart() {
  byId("how-many").textContent = counted(pairs.length, "pair");
  byId("count").textContent = "";
  show("start");
}

function showPair(at) {
  number = at;
  const { seconds, seed_seconds: seedSeconds } = pairs[at];
  byId("note").hidden = true;
  byId("position").max = seconds;
  byId("pair").style.setProperty("--seed", seedSeconds / seconds);
  byId("count").textContent = `Pair ${at + 1} of ${pairs.length}`;
  byId("previous").disabled = at === 0;
  player.load(pairs[at]);
  showPreference();
  show("pair");
  say(`Pair ${at + 1} of ${pairs.length}`);
}

function showPreference() {
  const given = answers.preferences[number];
  for (const input of byId("preference").querySelectorAll("input")) input.checked = Number(input.value) === given;
  const isLast = countAnswers() === pairs.length && number === pairs.length - 1;
  byId("next").disabled = given === undefined;
  byId("next").firstChild.textContent = isLast ? "See the results " : "Next ";
  byId("finish").hidden = !countAnswers() || isLast;
  byId("answered").value = countAnswers() / pairs.length;
}

function prefer(value) {
  answers.preferences[number] = value;
  if (!keepAnswers()) warn("This browser keeps no answers: leave the page open, and save them at the end.");
  showPreference();
}

/** Move the preference towards A (-1) or B (1). */
function lean(direction) {
  prefer(Math.min(2, Math.max(-2, (answers.preferences[number] ?? 0) + direction)));
}

function goOn() {
  if (answers.preferences[number] === undefined) say("Choose first which continues the music better.");
  else if (number < pairs.length - 1) showPair(number + 1);
  else if (countAnswers() < pairs.length) showPair(firstUnanswered());
  else finish();
}

function goBack() {
  if (number > 0) showPair(number - 1);
}

async function finishHere() {
  player.pause();
  const text = `You have answered ${countAnswers()} of ${counted(pairs.length, "pair")}. The results say what made each sound, so the other pairs cannot be answered after them.`;
  if (await ask("Finish here?", text, "See the results")) finish();
}

function finish() {
  player.pause();
  answers.finished = true;
  keepAnswers();
  showResults();
}

function showResults() {
  const named = namedAnswers();
  const without = named.filter(({ preference }) => preference === 0).length;
  byId("count").textContent = "Results";
  byId("summary").textContent = `${named.length} of ${counted(pairs.length, "pair")} answered, ${without} of them without a preference.`;
  byId("table").replaceChildren(...tabulate(named).map(rowOf));
  show("results");
  say("Results");
}

function rowOf({ method, answers: count, preferred, much, none, share, low, high }) {
  const number = (text, kind = "") => h("td", { class: `number ${kind}` }, String(text));
  const choices = much ? `${preferred} (${much}\u00a0much)` : preferred;
  return h("tr", {}, h("th", { scope: "row" }, method), number(count), number(choices), number(none, "none"), shareCell(share, low, high));
}

function shareCell(share, low, high) {
  if (share === null) return h("td", {}, "–");
  const text = h("span", {}, percent(share), h("span", { class: "muted" }, ` ${Math.round(100 * low)} to ${percent(high)}`));
  const drawn = h("div", { class: "interval", "aria-hidden": "true" }, h("i"), h("b"));
  drawn.style.cssText = `--share: ${share}; --low: ${low}; --high: ${high}`;
  return h("td", {}, h("div", { class: "share" }, text, drawn));
}

async function startAgain() {
  const text = "All answers are removed from this browser, and you hear the pairs again. Save them first, if you want to keep them.";
  if (!(await ask("Start again?", text, "Remove the answers"))) return;
  forgetAnswers();
  showStart();
}

/** Ask a question; @returns {Promise<boolean>} */
function ask(title, text, yes) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

function showPlayer() {
  const { seconds, seed_seconds: seedSeconds } = pairs[number];
  const position = Math.min(player.position, seconds);
  for (const side of ["a", "b"]) {
    const button = byId(`play-${side}`);
    const isOn = player.playing && player.side === side;
    button.setAttribute("aria-pressed", isOn);
    button.classList.toggle("chosen", player.side === side);
    button.querySelector(".state").textContent = isOn ? "Playing" : "Play";
  }
  byId("pause").textContent = player.playing ? "Pause" : "Play";
  byId("position").value = position;
  byId("position").setAttribute("aria-valuetext", `${position.toFixed(1)} s, ${position < seedSeconds ? "the same start" : "how it goes on"}`);
  byId("position").style.setProperty("--at", position / seconds);
  byId("clock").textContent = `${position.toFixed(1)} of ${seconds.toFixed(1)} s`;
}

function follow() {
  if (player.playing) {
    showPlayer();
    requestAnimationFrame(follow);
  }
}

player.onChange = () => {
  showPlayer();
  requestAnimationFrame(follow);
};
player.onSilent = (name) => {
  warn(`sounds/${name} cannot be played. Keep the page in its folder, with its sounds beside it, or try another browser.`);
};

const togglePlay = () => (player.playing ? player.pause() : player.play(player.side));

const KEYS = {
  start: { enter: () => showPair(firstUnanswered()) },
  pair: {
    a: () => player.play("a"),
    b: () => player.play("b"),
    " ": togglePlay,
    enter: goOn,
    backspace: goBack,
    arrowleft: () => lean(-1),
    arrowright: () => lean(1),
  },
  results: {},
};
CHOICES.forEach(([value], at) => (KEYS.pair[at + 1] = () => prefer(value)));

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("button") && (event.key === " " || event.key === "Enter")) return;
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  if (event.key === "?") return byId("shortcuts").showModal();
  const run = KEYS[shown()][event.key.toLowerCase()];
  if (!run) return;
  event.preventDefault();
  if (!event.repeat) run();
}

/** Do something on a click; after a click of the mouse the keys are the page's again, not the button's. */
function onClick(id, run) {
  byId(id).addEventListener("click", (event) => {
    if (event.detail) event.currentTarget.blur();
    run();
  });
}

function placeChoices() {
  CHOICES.forEach(([value, text], at) => {
    const input = h("input", { type: "radio", name: "preference", value });
    input.addEventListener("change", () => prefer(value));
    byId("preference").append(h("label", {}, input, h("span", {}, text), h("kbd", {}, String(at + 1))));
  });
}

placeChoices();
onClick("begin", () => showPair(firstUnanswered()));
onClick("play-a", () => (player.playing && player.side === "a" ? player.pause() : player.play("a")));
onClick("play-b", () => (player.playing && player.side === "b" ? player.pause() : player.play("b")));
onClick("pause", togglePlay);
onClick("previous", goBack);
onClick("next", goOn);
onClick("finish", finishHere);
onClick("download", downloadAnswers);
onClick("reset", startAgain);
onClick("keys", () => byId("shortcuts").showModal());
byId("position").addEventListener("input", (event) => player.seek(Number(event.target.value)));
document.addEventListener("keydown", onKey);

loadAnswers();
if (answers.finished) showResults();
else if (countAnswers()) showPair(firstUnanswered());
else showStart();
