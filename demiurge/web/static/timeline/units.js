// The lanes of units, one for each voice: blocks in the colours of their sources, one for each run.

import { colorOfSource, formatSeconds, isDark } from "../lib.js";
import { hatching, inkOn } from "./colours.js";
import { shortName } from "./plan.js";

const DIVIDED = 4; // pixels per step from which on lines divide them
const LABELLED = 48; // pixels of a block from which on it has a label
const BAR = 4; // pixels, above locked steps
const LOW = 30; // pixels of a lane; lower ones have thinner bars
const MUTED = 0.3; // alpha of a voice that is not heard

/** The lane of a voice within the box of all. */
export function laneOf({ top, height }, nVoices, voice) {
  const edge = (n) => top + Math.round((n * height) / nVoices);
  return { top: edge(voice), height: edge(voice + 1) - edge(voice) };
}

/** The visible runs of a voice, {run, left, right} in whole pixels; one of those that share a pixel. */
export function* visibleRuns(plan, view, voice) {
  const { end, endRun } = plan.voices[voice];
  const first = plan.firstAfter(view.start, voice);
  if (first === end) return;
  for (let run = plan.runOf(first); run < endRun; ) {
    const left = Math.round(view.x(plan.start(plan.runFirst(run))));
    const right = Math.max(left + 1, Math.round(view.x(plan.end(plan.runLast(run)))));
    if (left > view.width) return;
    yield { run, left, right };
    run = right - left <= 1 ? Math.max(run + 1, nextRun(plan, view.seconds(left + 0.5), voice)) : run + 1;
  }
}

function nextRun(plan, seconds, voice) {
  const { end, endRun } = plan.voices[voice];
  const step = plan.firstAfter(seconds, voice);
  return step < end ? plan.runOf(step) : endRun;
}

/** The visible steps of a voice: first, and last plus one. */
export function visibleSteps(plan, view, voice) {
  const first = plan.firstAfter(view.start, voice);
  return [first, Math.min(plan.voices[voice].end, plan.firstAfter(view.end, voice) + 1)];
}

/** Draw the blocks of all voices. */
export function drawUnits(scene, box) {
  const { context, view, plan, colours, isHeard } = scene;
  context.fillStyle = colours.sunken;
  context.fillRect(0, box.top, view.x(view.total), box.height);
  plan.voices.forEach((_, voice) => {
    const lane = laneOf(box, plan.nVoices, voice);
    drawVoice(scene, lane, voice);
    if (!isHeard(voice)) drawMuted(scene, lane);
    if (voice === 0) return;
    context.fillStyle = colours.line;
    context.fillRect(0, lane.top, view.width, 1);
  });
  drawLocks(scene, box);
}

function drawMuted({ context, view, colours }, { top, height }) {
  context.fillStyle = colours.sunken;
  context.globalAlpha = 1 - MUTED;
  context.fillRect(0, top, view.x(view.total), height);
  context.globalAlpha = 1;
}

const barOf = ({ height }) => (height < LOW ? BAR / 2 : BAR);

function drawVoice(scene, lane, voice) {
  const { plan, view } = scene;
  const bar = barOf(lane);
  const [top, height] = [lane.top + bar + 1, lane.height - bar - 2];
  const runs = [...visibleRuns(plan, view, voice)];
  for (const { run, left, right } of runs) {
    const width = right - left - (right - left > 3 ? 1 : 0);
    drawBlock(scene, plan.source(plan.runFirst(run)), { left, top, width, height });
  }
  drawDivisions(scene, { top, height }, voice);
  for (const { run, left, right } of runs) {
    if (right - left > LABELLED) drawLabel(scene, { left, right, top, height }, plan.runFirst(run));
  }
  drawRests(scene, lane, voice);
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
function drawDivisions({ context, view, plan, colours }, { top, height }, voice) {
  const [first, end] = visibleSteps(plan, view, voice);
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
  context.fillText(fitted(context, shortName(path), room), from, top + Math.min(12, height / 2));
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
    const lane = laneOf(box, plan.nVoices, plan.voice(first));
    const [left, right] = [view.x(plan.start(first)), view.x(plan.end(last))];
    if (right < 0 || left > view.width) continue;
    context.fillStyle = colours.ink;
    context.fillRect(left, lane.top, Math.max(1, right - left - 1), barOf(lane));
    if (right - left > 16 && lane.height > 20) drawLock(context, Math.min(right, view.width) - 14, lane.top + lane.height - 16, colours);
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

function drawRests({ context, view, plan, colours }, lane, voice) {
  const whole = plan.voices[voice];
  const [first, end] = visibleSteps(plan, view, voice);
  if ((end - first) * 3 > view.width) return;
  context.fillStyle = colours.muted;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (let step = first; step <= end; step += 1) {
    const [from, until] = [step > whole.first ? plan.ends[step - 1] : 0, step < whole.end ? plan.starts[step] : plan.n_samples];
    const left = Math.max(0, view.x(from / plan.rate));
    if (Math.min(view.width, view.x(until / plan.rate)) - left > 40) context.fillText("rest", left + 8, lane.top + lane.height / 2);
  }
}

/** Draw behind the waveform, for the voice that is looked at: a tint in the sources' colours, and lines at the joins. */
export function drawTint({ context, view, plan, colours, voice }, box) {
  const alpha = isDark() ? 0.22 : 0.14;
  for (const { run, left, right } of visibleRuns(plan, view, voice)) {
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
