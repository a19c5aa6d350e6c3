// The axes at the rim of the map, when it shows two values: round numbers that follow pan and zoom.
import { cssColor } from "../lib.js";
import { formatValue } from "./units.js";

const APART = 90; // pixels between two numbers, about
const EDGE = 22;

/** A layer of the overlay that draws the axes of `layouts`, if it has any. */
export const axesLayer = (layouts) => (context, view) => {
  if (!layouts.axes) return;
  const { x, y } = layouts.axes;
  const style = { ink: cssColor("--muted"), ground: cssColor("--ground") };
  context.font = "11px system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif";
  for (const [value, at] of ticks(x, view.xScale, view.xOffset, view.width)) {
    drawLine(context, style, [at, view.height - 6], [at, view.height]);
    if (at > EDGE && at < view.width - EDGE) drawText(context, style, formatValue(value, x.name), at, view.height - 8, "center", "bottom");
  }
  for (const [value, at] of ticks(y, view.yScale, view.yOffset, view.height)) {
    drawLine(context, style, [0, at], [6, at]);
    if (at > EDGE && at < view.height - EDGE) drawText(context, style, formatValue(value, y.name), 9, at, "left", "middle");
  }
};

/** Round values that are seen, each with its pixel. */
function ticks({ scale, middle }, plotScale, offset, length) {
  const valueAt = (pixel) => (pixel - offset) / plotScale / scale + middle;
  const [low, high] = [valueAt(0), valueAt(length)].sort((a, b) => a - b);
  const step = roundStep(((high - low) * APART) / length);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push([k * step, (k * step - middle) * scale * plotScale + offset]);
  return found;
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

function drawLine(context, { ink }, [x0, y0], [x1, y1]) {
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawText(context, { ink, ground }, text, x, y, align, baseline) {
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = ground;
  context.strokeText(text, x, y);
  context.fillStyle = ink;
  context.fillText(text, x, y);
}
