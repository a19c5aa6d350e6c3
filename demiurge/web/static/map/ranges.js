// The range of nearly all values: a few outliers would press the others together.

const SAMPLED = 20_000; // values that are examined
const TAIL = 0.005; // share of the values at either end that may be out of view
const ROOM = 0.15; // margin around the others, as a share of their range

/** The range to show: nearly all values with a margin, and those at `included` positions. @returns {[number, number]} */
export function mainRange(values, { included = [], room = ROOM } = {}) {
  const sorted = sample(values);
  const [low, high] = [quantile(sorted, TAIL), quantile(sorted, 1 - TAIL)];
  const margin = (high - low) * room;
  const main = [Math.max(sorted[0], low - margin), Math.min(sorted[sorted.length - 1], high + margin)];
  return included.reduce(([least, most], i) => [Math.min(least, values[i]), Math.max(most, values[i])], main);
}

/** The range of the colour scale; values outside it get the colour of its end. @returns {[number, number]} */
export function innerRange(values) {
  const sorted = sample(values);
  return [quantile(sorted, 2 * TAIL), quantile(sorted, 1 - 2 * TAIL)];
}

const quantile = (sorted, share) => sorted[Math.round(share * (sorted.length - 1))];

/** A sorted sample of the values, enough to estimate their distribution. */
function sample(values) {
  const step = Math.max(1, Math.floor(values.length / SAMPLED));
  return Float32Array.from({ length: Math.ceil(values.length / step) }, (_, i) => values[i * step]).sort();
}
