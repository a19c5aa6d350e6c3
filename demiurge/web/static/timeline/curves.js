// The lanes of curves: the descriptor of targets and units, and the costs.

import { visibleSteps } from "./units.js";

/** Lowest and highest finite value of several columns. */
export function extent(...columns) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of columns) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 1, high + 1] : [low, high];
}

/** The visible steps of the voice that is looked at: {left, right, low, high} in whole pixels and values, those on one pixel together.
 *  Null in a rest, and where there is no value. */
function* columns({ plan, view, voice }, values) {
  const [first, end] = visibleSteps(plan, view, voice);
  let column = null;
  for (let step = first; step < end; step += 1) {
    const value = values[step];
    const left = Math.round(view.x(plan.start(step)));
    const right = Math.max(left + 1, Math.round(view.x(plan.end(step))));
    if (column?.left === left && !Number.isNaN(value)) {
      [column.low, column.high, column.right] = [Math.min(column.low, value), Math.max(column.high, value), right];
      continue;
    }
    if (column) yield column;
    const broken = step > first && plan.starts[step] > plan.ends[step - 1];
    if (broken || Number.isNaN(value)) yield null;
    column = Number.isNaN(value) ? null : { left, right, low: value, high: value };
  }
  if (column) yield column;
}

/** How many pixels a step of the voice takes on average. */
export function stepWidth({ plan, view, voice }) {
  const { first, end } = plan.voices[voice];
  return (view.scale * plan.seconds) / Math.max(1, end - first);
}

/** Draw a column of values as a line of steps within the box. */
export function drawLine(scene, box, values, [low, high], { colour, width }) {
  const { context } = scene;
  const y = (value) => box.top + 4 + (box.height - 8) * (1 - (value - low) / (high - low));
  if (stepWidth(scene) < 1) drawDense(context, columns(scene, values), y, { colour, width });
  else drawSteps(context, columns(scene, values), y, { colour, width });
}

/** A step or more on each pixel: a bar from the lowest to the highest that touches the one before. */
function drawDense(context, columns, y, { colour, width }) {
  context.fillStyle = colour;
  let before = null;
  for (const column of columns) {
    const bar = column && { top: y(column.high), bottom: y(column.low) };
    if (bar) {
      const [top, bottom] = before ? [Math.min(bar.top, before.bottom), Math.max(bar.bottom, before.top)] : [bar.top, bar.bottom];
      context.fillRect(column.left, top - width / 2, column.right - column.left, bottom - top + width);
    }
    before = bar;
  }
}

function drawSteps(context, columns, y, { colour, width }) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  let pen = false;
  for (const column of columns) {
    if (column) {
      if (pen) context.lineTo(column.left, y(column.high));
      else context.moveTo(column.left, y(column.high));
      context.lineTo(column.right, y(column.low));
    }
    pen = column !== null;
  }
  context.stroke();
}

/** Draw a column of costs as bars that stand on the floor of the box. */
export function drawCosts(scene, box, values, highest, colour) {
  const { context } = scene;
  const floor = box.top + box.height - 1;
  const scale = (box.height - 6) / (highest || 1);
  context.fillStyle = colour;
  for (const column of columns(scene, values)) {
    if (!column) continue;
    const gap = column.right - column.left > 4 ? 1 : 0;
    const height = Math.min(box.height - 3, Math.max(1, column.high * scale));
    context.fillRect(column.left, floor - height, column.right - column.left - gap, height);
  }
}
