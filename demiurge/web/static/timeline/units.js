// The lane of units: blocks in the colours of their sources, one for each run.

import { colorOfSource, formatSeconds, isDark } from "../lib.js";
import { hatching, inkOn } from "./colours.js";
import { shortName } from "./plan.js";

const DIVIDED = 4; // pixels per step from which on lines divide them
const LABELLED = 48; // pixels of a block from which on it has a label
const BAR = 4; // pixels, above locked steps

/** The visible runs, {run, left, right} in whole pixels; one of those that share a pixel. */
export function* visibleRuns(plan, view) {
  const first = plan.firstAfter(view.start);
  if (first === plan.length) return;
  for (let run = plan.runOf(first); run < plan.nRuns; ) {
    const left = Math.round(view.x(plan.start(plan.runFirst(run))));
    const right = Math.max(left + 1, Math.round(view.x(plan.end(plan.runLast(run)))));
    if (left > view.width) return;
    yield { run, left, right };
    run = right - left <= 1 ? Math.max(run + 1, nextRun(plan, view.seconds(left + 0.5))) : run + 1;
  }
}

function nextRun(plan, seconds) {
  const step = plan.firstAfter(seconds);
  return step < plan.length ? plan.runOf(step) : plan.nRuns;
}

/** The visible steps: first, and last plus one. */
export function visibleSteps(plan, view) {
  const first = plan.firstAfter(view.start);
  return [first, Math.min(plan.length, plan.firstAfter(view.end) + 1)];
}

/** Draw the blocks. */
export function drawUnits(scene, box) {
  const { context, view, plan, colours } = scene;
  const [top, height] = [box.top + BAR + 1, box.height - BAR - 2];
  context.fillStyle = colours.sunken;
  context.fillRect(0, box.top, view.x(view.total), box.height);
  const runs = [...visibleRuns(plan, view)];
  for (const { run, left, right } of runs) {
    const width = right - left - (right - left > 3 ? 1 : 0);
    drawBlock(scene, plan.source(plan.runFirst(run)), { left, top, width, height });
  }
  drawDivisions(scene, top, height);
  for (const { run, left, right } of runs) {
    if (right - left > LABELLED) drawLabel(scene, { left, right, top, height }, plan.runFirst(run));
  }
  drawLocks(scene, box);
  drawRests(scene, box);
}

function drawBlock({ context, colours }, { path, missing }, { left, top, width, height }) {
  const colour = colorOfSource(path);
  context.fillStyle = missing ? colours.panel : colour;
  context.fillRect(left, top, width, height);
  if (!missing) return;
  context.fillStyle = hatching(context, colour);
  context.fillRect(left, top, width, height);
}

/** The boundaries between steps, where there is room. */
function drawDivisions({ context, view, plan, colours }, top, height) {
  const [first, end] = visibleSteps(plan, view);
  if ((end - first) * DIVIDED > view.width) return;
  context.fillStyle = colours.panel;
  context.globalAlpha = 0.55;
  for (let step = first; step < end; step += 1) {
    if (plan.steps.contiguous[step]) context.fillRect(Math.round(view.x(plan.start(step))) - 0.5, top, 1, height);
  }
  context.globalAlpha = 1;
}

function drawLabel({ context, view, plan, colours }, { left, right, top, height }, step) {
  const { path, missing } = plan.source(step);
  const from = Math.max(left, 0) + 6;
  const room = Math.min(right, view.width) - from - 4;
  if (room < LABELLED - 12) return;
  context.save();
  context.beginPath();
  context.rect(from, top, room, height);
  context.clip();
  context.fillStyle = missing ? colours.ink : inkOn(colorOfSource(path));
  context.textBaseline = "middle";
  context.font = "600 11px system-ui, sans-serif";
  context.fillText(fitted(context, shortName(path), room), from, top + 12);
  if (height > 34 && room > 44) {
    context.font = "11px system-ui, sans-serif";
    context.globalAlpha = 0.85;
    context.fillText(formatSeconds(plan.steps.start_sample[step] / plan.rate), from, top + 27);
  }
  context.restore();
}

/** As much of the text as there is room for. */
function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
  return `${text.slice(0, end)}…`;
}

function drawLocks({ context, view, plan, colours }, box) {
  for (const [first, last] of plan.lockedSpans) {
    const [left, right] = [view.x(plan.start(first)), view.x(plan.end(last))];
    if (right < 0 || left > view.width) continue;
    context.fillStyle = colours.ink;
    context.fillRect(left, box.top, Math.max(1, right - left - 1), BAR);
    if (right - left > 16) drawLock(context, Math.min(right, view.width) - 14, box.top + box.height - 16, colours);
  }
}

/** A small padlock on a plate. */
function drawLock(context, x, y, colours) {
  context.fillStyle = colours.ink;
  context.beginPath();
  context.roundRect(x - 1, y - 1, 13, 14, 3);
  context.fill();
  context.fillStyle = context.strokeStyle = colours.panel;
  context.lineWidth = 1.4;
  context.fillRect(x + 2, y + 5, 7, 5);
  context.beginPath();
  context.arc(x + 5.5, y + 5, 2.3, Math.PI, 0);
  context.stroke();
}

function drawRests({ context, view, plan, colours }, box) {
  const [first, end] = visibleSteps(plan, view);
  if ((end - first) * 3 > view.width) return;
  context.fillStyle = colours.muted;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let step = first; step <= end && step <= plan.length; step += 1) {
    const [from, until] = [step ? plan.ends[step - 1] : 0, step < plan.length ? plan.starts[step] : plan.n_samples];
    const left = Math.max(0, view.x(from / plan.rate));
    if (Math.min(view.width, view.x(until / plan.rate)) - left > 40) context.fillText("rest", left + 8, box.top + box.height / 2);
  }
}

/** Draw behind the waveform: a tint in the sources' colours, and lines at the joins. */
export function drawTint({ context, view, plan, colours }, box) {
  const alpha = isDark() ? 0.22 : 0.14;
  for (const { run, left, right } of visibleRuns(plan, view)) {
    context.globalAlpha = alpha;
    context.fillStyle = colorOfSource(plan.source(plan.runFirst(run)).path);
    context.fillRect(left, box.top, right - left, box.height);
    if (right - left < 4) continue;
    context.globalAlpha = 0.5;
    context.fillStyle = colours.line;
    context.fillRect(left, box.top, 1, box.height);
  }
  context.globalAlpha = 1;
}
