// A plan as a path over the map, one for each voice: a line through its units that fades from start to end, and a marker while it plays.
import { cssColor } from "../lib.js";
import { drawRing } from "./overlay.js";

const SHADES = 24;
const [FIRST_ALPHA, LAST_ALPHA] = [0.9, 0.3];
const HALO = { width: 4, alpha: 0.65 };
const MOST_NODES = 4000; // longer paths are lines only
const TAIL = 8; // steps behind the marker that are drawn clearly

/** A layer of the overlay that draws `path`: {nodes: positions of the units of its steps, -1: none; voices: [first, end] of the steps
 *  of each; at: step of each that plays, or null}. */
export const pathLayer = (plot, path) => (context, view) => {
  const points = path.nodes.map((position) => (position < 0 ? null : toPixels(plot.coordinates(position), view)));
  const colours = { ink: cssColor("--ink"), accent: cssColor("--accent"), ground: cssColor("--ground") };
  const dimmed = path.at === null ? 1 : 0.45;
  const hasNodes = points.length <= MOST_NODES;
  const voices = path.voices.map(([first, end]) => points.slice(first, end));
  for (const line of voices) drawVoice(context, line, { dimmed, hasNodes, colours });
  context.globalAlpha = 1;
  if (path.at === null) return;
  voices.forEach((line, i) => drawMarker(context, line, path.at[i] - path.voices[i][0], colours));
};

function drawVoice(context, points, { dimmed, hasNodes, colours }) {
  if (hasNodes) drawHalo(context, points, dimmed, colours.ground);
  for (let shade = 0; shade < SHADES; shade++) {
    const [from, to] = [shade, shade + 1].map((k) => Math.round((k * (points.length - 1)) / SHADES));
    context.globalAlpha = dimmed * (FIRST_ALPHA + ((LAST_ALPHA - FIRST_ALPHA) * shade) / (SHADES - 1));
    drawLine(context, points, from, to, { colour: colours.ink, width: 1 });
    if (hasNodes) drawNodes(context, points, from, to + 1, { colour: colours.ink, size: 3 });
  }
  context.globalAlpha = 1;
  const start = points.find(Boolean);
  if (start) drawRing(context, start, { radius: 6, colour: colours.ink, ground: colours.ground });
}

const toPixels = ([x, y], { xScale, xOffset, yScale, yOffset }) => [x * xScale + xOffset, y * yScale + yOffset];

function drawHalo(context, points, dimmed, ground) {
  context.globalAlpha = dimmed * HALO.alpha;
  drawLine(context, points, 0, points.length - 1, { colour: ground, width: HALO.width });
  drawNodes(context, points, 0, points.length, { colour: ground, size: 6 });
}

function drawLine(context, points, from, to, { colour, width }) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.beginPath();
  let isDown = false;
  for (let i = from; i <= to; i++) {
    if (!points[i]) continue;
    if (isDown) context.lineTo(...points[i]);
    else context.moveTo(...points[i]);
    isDown = true;
  }
  context.stroke();
}

function drawNodes(context, points, from, to, { colour, size }) {
  context.fillStyle = colour;
  for (let i = from; i < to; i++) if (points[i]) context.fillRect(points[i][0] - size / 2, points[i][1] - size / 2, size, size);
}

function drawMarker(context, points, at, { accent, ground }) {
  drawLine(context, points, Math.max(0, at - TAIL), at, { colour: ground, width: 4 });
  drawLine(context, points, Math.max(0, at - TAIL), at, { colour: accent, width: 2 });
  if (points[at]) drawRing(context, points[at], { radius: 8, colour: accent, ground, width: 3 });
}
