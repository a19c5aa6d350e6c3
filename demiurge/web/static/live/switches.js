// Modes, commands, freeze, pitch classes and scenes: what is switched by a button or a key.
import { byId, say } from "../lib.js";
import { onNews, send } from "./socket.js";

const press = (button, isPressed) => button.setAttribute("aria-pressed", String(isPressed));
const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
const named = (name) => [...document.getElementsByName(name)];

function onClicks(name, handler) {
  for (const button of named(name)) button.addEventListener("click", () => handler(button.value));
}

// What is pressed changes at once, and again if the session answers otherwise.
const pressOnly = (buttons, values) => buttons.forEach((button) => press(button, values.includes(button.value)));

/** Freeze, or go on. */
export function toggleFreeze() {
  const isOn = !isPressed(byId("freeze"));
  if (send("knob/freeze", isOn ? 1 : 0)) press(byId("freeze"), isOn);
}

/** Ask for a command: "go", "listen", "jump", "panic". */
export const command = (name) => send(name);

function chooseMode(mode) {
  if (send("mode", mode)) pressOnly(named("mode"), [mode]);
}

/** Go to the next mode. */
export function nextMode() {
  const modes = named("mode");
  chooseMode(modes[(modes.findIndex(isPressed) + 1) % modes.length].value);
}

/** Connect the buttons of modes, commands and freeze. */
export function startModes() {
  onClicks("mode", chooseMode);
  onClicks("command", command);
  byId("freeze").addEventListener("click", toggleFreeze);
  onNews("knobs", ({ mode, freeze }) => {
    pressOnly(named("mode"), [mode]);
    press(byId("freeze"), freeze);
  });
}

/** Connect the buttons of pitch classes: none pressed means that any is as good. */
export function startNotes() {
  const pressed = () => named("note").filter(isPressed).map(({ value }) => value);
  onClicks("note", (value) => {
    const wanted = pressed().includes(value) ? pressed().filter((note) => note !== value) : [...pressed(), value];
    if (send("notes", ...wanted.map(Number))) pressOnly(named("note"), wanted);
  });
  byId("notes-clear").addEventListener("click", () => send("notes"));
  onNews("knobs", ({ pitch_classes: wanted }) => {
    pressOnly(named("note"), wanted.map(String));
    byId("notes-clear").hidden = wanted.length === 0;
  });
}

/** Whether the next scene that is chosen is saved rather than recalled. */
export const isSaving = () => isPressed(byId("save"));

export const setSaving = (isOn) => press(byId("save"), isOn);

/** Recall a scene by its number, or save it if that was asked for. */
export function chooseScene(number) {
  const button = named("scene").find(({ value }) => Number(value) === number);
  if (isSaving()) {
    if (send("scene/save", number)) say(`Scene ${number} is saved.`);
    setSaving(false);
  } else if (button.classList.contains("saved")) send("scene/recall", number);
  else say(`Scene ${number} is empty: press Save first to keep the knobs in it.`, { warn: true });
}

/** Connect the buttons of scenes. */
export function startScenes() {
  onClicks("scene", (value) => chooseScene(Number(value)));
  byId("save").addEventListener("click", () => setSaving(!isSaving()));
  onNews("scenes", (numbers) => {
    for (const button of named("scene")) {
      const isSaved = numbers.includes(Number(button.value));
      button.classList.toggle("saved", isSaved);
      button.setAttribute("aria-label", `Scene ${button.value}${isSaved ? "" : ", empty"}`);
    }
  });
  onNews("scene", (number) => {
    pressOnly(named("scene"), [String(number)]);
  });
}
