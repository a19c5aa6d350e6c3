// The corpus map: connects its parts.
import { placeIcons } from "../icons.js";
import { byId, databaseNames, fail, h, onTheme, shortcuts } from "../lib.js";
import { recall, remember } from "./address.js";
import { axesLayer } from "./axes.js";
import { Cursor } from "./cursor.js";
import { Ear } from "./ear.js";
import { explainFailure } from "./failure.js";
import { Focus } from "./focus.js";
import { Layouts } from "./layouts.js";
import { startMore } from "./more.js";
import { Overlay } from "./overlay.js";
import { Pins } from "./pins.js";
import { PlanPath } from "./plan.js";
import { Plot } from "./plot.js";
import { Search } from "./search.js";
import { Selection } from "./selection.js";
import { takeTouches } from "./touch.js";
import { Units } from "./units.js";
import { byMeaning, valueOptions } from "./values.js";

const ZOOM = 1.3;
const CLICK_PIXELS = 4; // that the pointer may move during a click
const RESIZE_MS = 150;

const canvas = byId("points");

async function start() {
  placeIcons();
  const units = await Units.load();
  const plot = new Plot(canvas, units.length);
  const overlay = new Overlay(byId("overlay"), plot);
  const focus = new Focus(units, plot, byId("legend"));
  const layouts = makeLayouts(units, plot);
  const ear = new Ear(units, byId("listen"), byId("sound-hint"));
  const plan = (ear.plan = makePlan({ units, plot, overlay, ear, layouts }));
  overlay.add(axesLayer(layouts)); // above the path
  const parts = { units, plot, overlay, focus, ear, layouts, plan };
  parts.colour = byId("colour");
  parts.pins = makePins(parts);
  parts.cursor = parts.pins.cursor = new Cursor({ ...parts, tooltip: byId("tooltip"), reading: byId("reading") });
  parts.selection = makeSelection(parts);
  parts.search = new Search({ ...parts, field: byId("search"), count: byId("search-count"), clear: byId("search-clear") });
  connect(parts);
  await colour(parts);
  await layouts.place();
  document.body.dataset.ready = "";
  window.demiurgeMap = { screenPosition: (unit) => plot.screenPosition(units.positionOf(unit)) }; // for tests
  await plan.start(byId("map").dataset.plan).catch(fail);
}

function makeLayouts(units, plot) {
  const controls = {
    kinds: document.querySelectorAll("[name=layout]"), x: byId("axis-x"), y: byId("axis-y"), rim: byId("rim"),
    quality: {
      box: byId("quality"), text: byId("quality-text"), progress: byId("quality-progress"), start: byId("quality-start"),
    },
  };
  const axes = [...byMeaning(units.descriptors), "time", "length"];
  if (databaseNames().length) byId("colour").prepend(h("option", { value: "database" }, "database"));
  for (const select of [controls.x, controls.y, byId("colour")]) select.append(...valueOptions(units.descriptors));
  const asked = (name, choices, otherwise) => (choices.includes(recall(name)) ? recall(name) : otherwise);
  return new Layouts(units, plot, controls, {
    kind: asked("layout", ["pca", "quality", "axes"], "pca"), x: asked("x", axes, axes[0]), y: asked("y", axes, axes[1]),
  });
}

function makePlan(parts) {
  const section = {
    choice: byId("plan-choice"), none: byId("plan-none"), box: byId("plan-box"), link: byId("plan-link"),
    facts: byId("plan-facts"), notes: byId("plan-notes"), play: byId("plan-play"), seek: byId("plan-seek"),
  };
  return new PlanPath({ ...parts, section });
}

function makePins(parts) {
  const section = { list: byId("pins"), none: byId("pins-none"), clear: byId("pins-clear") };
  const shownValues = () => [...(parts.layouts.kind === "axes" ? [parts.layouts.x, parts.layouts.y] : []), parts.colour.value];
  return new Pins({ ...parts, section, shownValues });
}

function makeSelection(parts) {
  const section = {
    box: byId("selection"), title: byId("selection-title"), count: byId("selection-count"), list: byId("selection-list"),
    more: byId("selection-more"), progress: byId("selection-progress"), play: byId("selection-play"),
    keep: byId("selection-keep"), clear: byId("selection-clear"),
  };
  const kept = { box: byId("kept"), text: byId("kept-text"), all: byId("kept-all") };
  return new Selection({ ...parts, section, kept });
}

async function colour({ focus, colour: select, selection, pins }) {
  await focus.colour(select.value, (positions, name, group) => {
    if (group === focus.group) selection.clear();
    else selection.choose(positions, name, group);
  });
  pins.show();
}

function connect(parts) {
  const { plot, overlay, focus, layouts, pins, cursor } = parts;
  connectColour(parts);
  connectPointer(parts);
  takeTouches(plot);
  connectButtons(parts);
  shortcuts(unitKeys(parts));
  if (byId("more")) shortcuts(startMore(pins)); // only where a flow comes with Demiurge
  shortcuts({ 0: { run: () => plot.goHome(), help: "show the whole map" } });
  shortcuts(viewKeys(parts));
  onTheme(() => {
    plot.updateTheme();
    focus.updateTheme();
    overlay.refresh();
  });
  byId("rim").addEventListener("change", () => pins.show());
  let timer = null;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => plot.isHome && layouts.place().catch(fail), RESIZE_MS);
  }).observe(canvas);
}

function connectColour(parts) {
  const { colour: select } = parts;
  if ([...select.options].some(({ value }) => value === recall("colour"))) select.value = recall("colour");
  select.addEventListener("change", () => {
    remember("colour", select.value === "source" ? null : select.value);
    colour(parts).catch(fail);
  });
}

// Handled before regl-scatterplot gets them: here a click pins, and does not select.
function connectPointer({ cursor, pins, plot }) {
  let down = null;
  canvas.addEventListener("pointerdown", (event) => {
    down = { x: event.clientX, y: event.clientY, isTouch: event.pointerType === "touch", position: cursor.shown };
  }, { capture: true });
  canvas.addEventListener("click", (event) => {
    event.stopImmediatePropagation();
    const isClick = down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < CLICK_PIXELS;
    if (!isClick || !cursor.isNear(event.offsetX, event.offsetY)) return;
    if (!down.isTouch || down.position === cursor.position) pins.toggle(cursor.position); // a first touch only plays it
  }, { capture: true });
  canvas.addEventListener("dblclick", (event) => event.stopImmediatePropagation(), { capture: true });
}

function connectButtons({ plot }) {
  byId("zoom-in").addEventListener("click", () => plot.zoom(ZOOM));
  byId("zoom-out").addEventListener("click", () => plot.zoom(1 / ZOOM));
  byId("zoom-home").addEventListener("click", () => plot.goHome());
  byId("lasso").addEventListener("click", () => toggleLasso(plot));
  byId("selection-keep").addEventListener("click", () => toggleLasso(plot, false));
}

function toggleLasso(plot, lasso = !plot.isLassoing) {
  plot.isLassoing = lasso;
  byId("lasso").setAttribute("aria-pressed", String(lasso));
}

function unitKeys({ cursor, ear, pins }) {
  const atUnit = (run) => () => cursor.isShown && run(cursor.position);
  return {
    ArrowRight: { run: () => cursor.move(1, 0), shown: "← → ↑ ↓", help: "go to the next unit in that direction" },
    ArrowLeft: { run: () => cursor.move(-1, 0) },
    ArrowUp: { run: () => cursor.move(0, 1) },
    ArrowDown: { run: () => cursor.move(0, -1) },
    Enter: { run: atUnit((position) => ear.hear(position)), once: true, shown: "Enter, Space", help: "play the unit" },
    " ": { run: atUnit((position) => ear.hear(position)), once: true },
    p: { run: atUnit((position) => pins.toggle(position)), once: true, shown: "P", help: "pin the unit, or unpin it" },
  };
}

function viewKeys(parts) {
  const { plot, plan, search } = parts;
  return {
    "+": { run: () => plot.zoom(ZOOM), shown: "+ −", help: "zoom" },
    "=": { run: () => plot.zoom(ZOOM) },
    "-": { run: () => plot.zoom(1 / ZOOM) },
    l: { run: () => toggleLasso(plot), once: true, shown: "L, Shift+drag", help: "select units with a lasso" },
    "/": { run: () => search.field.focus(), help: "search sources by name" },
    k: { run: () => plan.playOrStop(), once: true, shown: "K", help: "play the plan, or pause it" },
    Escape: { run: () => escape(parts), once: true, shown: "Esc", help: "stop, and clear what is selected or searched" },
  };
}

// The last action is undone first.
function escape({ plot, ear, plan, selection, search, pins, cursor }) {
  if (plan.isPlaying) plan.pause();
  else if (ear.isInSeries) ear.stop();
  else if (plot.isLassoing) toggleLasso(plot, false);
  else if (selection.positions) selection.clear();
  else if (search.isActive) search.clear();
  else if (!pins.clearSimilar()) cursor.leave();
  ear.stop();
}

function onFailure(error) {
  const link = h("a", { class: "button", href: "/timeline" }, "To the timelines");
  explainFailure(error, byId("map"), h("p", {}, "The other pages do without it."), h("p", {}, link));
}

addEventListener("error", ({ error }) => error instanceof EvalError && onFailure(error));
if (canvas) start().catch(onFailure);
