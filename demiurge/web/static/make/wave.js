// A small picture of a variation: its waveform above a strip coloured by source.

import { colorOfSource, cssColor } from "../lib.js";

const STRIP = 8; // CSS pixels, as is
const GAP = 3; // between it and the waveform

/** Draw a plan document and its peaks (the highest sample of each bucket, then the lowest) over the whole canvas. */
export function drawVariation(canvas, plan, peaks) {
  const ratio = window.devicePixelRatio;
  const [strip, gap] = [Math.round(STRIP * ratio), Math.round(GAP * ratio)];
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  if (peaks) drawWave(context, peaks, canvas.width, canvas.height - strip - gap);
  drawStrip(context, plan, canvas.width, canvas.height - strip, strip);
}

function drawWave(context, peaks, width, height) {
  const n = peaks.length / 2;
  const largest = peaks.reduce((most, value) => Math.max(most, Math.abs(value)), 0.01);
  const y = (value) => (height / 2) * (1 - value / largest);
  context.fillStyle = cssColor("--muted");
  for (let x = 0; x < width; x += 1) {
    const first = Math.floor((x * n) / width);
    const end = Math.max(first + 1, Math.floor(((x + 1) * n) / width));
    const high = Math.max(...peaks.subarray(first, end));
    const low = Math.min(...peaks.subarray(n + first, n + end));
    context.fillRect(x, y(high), 1, Math.max(1, y(low) - y(high)));
  }
}

function drawStrip(context, plan, width, top, height) {
  const { source, at_sample: at, n_samples: lasts } = plan.steps;
  const x = (sample) => Math.round((sample * width) / plan.n_samples);
  source.forEach((number, i) => {
    context.fillStyle = colorOfSource(plan.sources[number].path);
    context.fillRect(x(at[i]), top, x(at[i] + lasts[i]) - x(at[i]), height);
  });
}

/** The path of the source that sounds at a sample of the plan; null in a rest. */
export function sourceAt(plan, sample) {
  const i = plan.steps.at_sample.findLastIndex((at) => at <= sample);
  if (i < 0 || sample >= plan.steps.at_sample[i] + plan.steps.n_samples[i]) return null;
  return plan.sources[plan.steps.source[i]].path;
}
