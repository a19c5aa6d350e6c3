// Live: what a session plays, and its controls.
import { placeIcons } from "../icons.js";
import { byId, data, h, say, shortcuts } from "../lib.js";
import { explainFailure } from "../map/failure.js";
import { startFilters, startWeights } from "./filters.js";
import { startKnobs } from "./knobs.js";
import { startMap } from "./map.js";
import { startNow } from "./now.js";
import { connect, onNews } from "./socket.js";
import { chooseScene, command, nextMode, setSaving, startModes, startNotes, startScenes, toggleFreeze } from "./switches.js";

const SCENES = [1, 2, 3, 4, 5, 6, 7, 8];
const facts = data();
const stage = document.querySelector(".stage");

function onOpen(isOpen) {
  byId("lost").hidden = isOpen;
  document.querySelector(".live").toggleAttribute("data-lost", !isOpen);
}

function onFailure(error) {
  explainFailure(error, stage, h("p", {}, "Everything else on this page works without it."));
}

placeIcons();
startKnobs(facts, byId("defaults"));
startModes();
startScenes();
startNotes();
startFilters();
startWeights();
startNow();
onNews("open", onOpen);
onNews("errors", (errors) => errors.forEach((error) => say(error, { warn: true })));
shortcuts({
  " ": { run: toggleFreeze, once: true, help: "freeze, or go on" },
  g: { run: () => command("go"), once: true, help: facts.commands.go },
  l: { run: () => command("listen"), once: true, help: facts.commands.listen },
  j: { run: () => command("jump"), once: true, help: facts.commands.jump },
  p: { run: () => command("panic"), once: true, help: facts.commands.panic },
  m: { run: nextMode, once: true, help: "go to the next mode" },
  ...Object.fromEntries(SCENES.map((n) => [n, { run: () => chooseScene(n), once: true, shown: "1–8", help: n === 1 && "recall a scene" }])),
  s: { run: () => setSaving(true), once: true, shown: "S, 1–8", help: "save a scene" },
  Escape: { run: () => setSaving(false) },
});
addEventListener("error", ({ error }) => error instanceof EvalError && onFailure(error));
startMap(byId("points"))
  .then((keys) => {
    shortcuts(keys);
    document.body.dataset.ready = "";
  })
  .catch(onFailure);
connect();
