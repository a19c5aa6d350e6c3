// The map of the corpus behind what plays.
import { byId, onTheme } from "../lib.js";
import { colourBy, fade } from "../map/colours.js";
import { fitted } from "../map/layouts.js";
import { Overlay } from "../map/overlay.js";
import { Plot } from "../map/plot.js";
import { takeTouches } from "../map/touch.js";
import { Units } from "../map/units.js";
import { showColour } from "./now.js";
import { onNews } from "./socket.js";
import { Trail } from "./trail.js";

const FADED = 0.45; // share of their colour that units have, so that what plays stands out
const ZOOM = 1.3;
const RESIZE_MS = 150;

/** Draw the units, by source, and what plays over them. @returns {Promise<object>} keys that move the view, for `shortcuts` */
export async function startMap(canvas) {
  const early = [];
  let trail = null;
  onNews("steps", (steps) => (trail ? trail.add(steps) : early.push(...steps)));
  const units = await Units.load();
  onNews("status", ({ position }) => showColour(position < 0 ? null : units.sourceOf(position).path));
  const plot = new Plot(canvas, units.length);
  const overlay = new Overlay(byId("overlay"), plot);
  await paint(plot, units);
  await place(plot, units);
  trail = new Trail(plot, overlay);
  trail.add(early);
  window.demiurgeLive = { screenPosition: (position) => plot.screenPosition(position) }; // for tests
  onNews("open", () => trail.clear()); // the steps are told again
  onTheme(() => {
    plot.updateTheme();
    paint(plot, units);
    overlay.refresh();
  });
  keepInView(canvas, plot, units);
  takeTouches(plot);
  return zoomKeys(plot);
}

async function paint(plot, units) {
  const { palette, colours } = await colourBy(units, "source");
  await plot.paint(fade(palette(), FADED), colours, null);
}

async function place(plot, units) {
  const isReady = units.facts.layouts.quality.state === "ready";
  const flat = await units.layout(isReady ? "quality" : "pca");
  await plot.place(...fitted(flat.subarray(0, units.length), flat.subarray(units.length), plot.aspect));
}

function keepInView(canvas, plot, units) {
  let timer = null;
  new ResizeObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(() => plot.isHome && place(plot, units), RESIZE_MS);
  }).observe(canvas);
}

function zoomKeys(plot) {
  const [nearer, farther, home] = [() => plot.zoom(ZOOM), () => plot.zoom(1 / ZOOM), () => plot.goHome()];
  byId("zoom-in").addEventListener("click", nearer);
  byId("zoom-out").addEventListener("click", farther);
  byId("zoom-home").addEventListener("click", home);
  return {
    "+": { run: nearer, shown: "+ −", help: "zoom the map" },
    "=": { run: nearer },
    "-": { run: farther },
    0: { run: home, help: "show the whole map" },
  };
}
