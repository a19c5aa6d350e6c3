// An order in which to play many units: a walk over the map, to and fro in stripes.

/** `positions` in the order of a walk; `coordinates(position)` is where each is, [x, y]. */
export function walk(positions, coordinates) {
  const places = new Map(positions.map((position) => [position, coordinates(position)]));
  const heights = [...places.values()].map(([, y]) => y);
  const [bottom, top] = [heights.reduce((a, b) => Math.min(a, b), Infinity), heights.reduce((a, b) => Math.max(a, b), -Infinity)];
  const stripes = Math.ceil(Math.sqrt(positions.length / 4)); // a stripe about as wide as two of its points are apart
  const stripeOf = (position) => Math.min(stripes - 1, Math.floor(((top - places.get(position)[1]) / (top - bottom || 1)) * stripes));
  return [...positions].sort((a, b) => {
    const stripe = stripeOf(a);
    const rightwards = stripe % 2 ? -1 : 1;
    return stripe - stripeOf(b) || rightwards * (places.get(a)[0] - places.get(b)[0]);
  });
}
