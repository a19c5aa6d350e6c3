// The time lane: ticks and their labels.

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]; // seconds
const APART = 84; // pixels between labels at least

/** Draw the visible times, and their lines down to `bottom`. */
export function drawRuler({ context, view, colours }, box, bottom) {
  const step = STEPS.find((seconds) => seconds * view.scale >= APART) ?? 7200;
  const minor = step / 5;
  const base = box.top + box.height;
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  context.strokeStyle = colours.line;
  context.fillStyle = colours.muted;
  context.lineWidth = 1;
  context.beginPath();
  for (let n = Math.floor(view.start / minor); n * minor <= Math.min(view.end, view.total); n += 1) {
    const x = Math.round(view.x(n * minor)) + 0.5;
    const labelled = n % 5 === 0;
    context.moveTo(x, base - (labelled ? 8 : 4));
    context.lineTo(x, labelled ? bottom : base);
    if (labelled && x >= 0 && x < view.width - 24) context.fillText(timeLabel(n * minor, step), x + 4, box.top + box.height / 2 - 1);
  }
  context.stroke();
}

function timeLabel(seconds, step) {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  if (seconds < 59.9995) return `${seconds.toFixed(decimals)}${decimals ? "" : " s"}`;
  const minutes = Math.floor(seconds / 60 + 1e-9);
  return `${minutes}:${Math.abs(seconds - minutes * 60).toFixed(decimals).padStart(decimals ? decimals + 3 : 2, "0")}`;
}
