// The last units of each voice, drawn over the map: a line that fades, and a light where it is now.
import { cssColor } from "../lib.js";
import { drawRing } from "../map/overlay.js";

const MOST_STEPS = 32; // of each voice
const LIGHT = 30; // radius in pixels

/** The steps that were played lately. */
export class Trail {
  #voices = new Map(); // positions by voice, the newest last; -1: a rest

  constructor(plot, overlay) {
    this.plot = plot;
    this.overlay = overlay;
    overlay.add((context, view) => this.#draw(context, view));
  }

  /** Take new steps: [number, voice, unit, position] each. */
  add(steps) {
    for (const [, voice, , position] of steps) {
      const positions = this.#voices.get(voice) ?? [];
      positions.push(position);
      this.#voices.set(voice, positions.slice(-MOST_STEPS));
    }
    this.overlay.refresh();
  }

  /** Forget all steps. */
  clear() {
    this.#voices.clear();
    this.overlay.refresh();
  }

  #draw(context, { xScale, xOffset, yScale, yOffset }) {
    const colours = { ink: cssColor("--ink"), accent: cssColor("--accent"), ground: cssColor("--ground") };
    const toPixels = (position) => {
      const [x, y] = this.plot.coordinates(position);
      return [x * xScale + xOffset, y * yScale + yOffset];
    };
    for (const positions of this.#voices.values()) {
      const points = positions.map((position) => (position < 0 ? null : toPixels(position)));
      drawTail(context, points, colours);
      if (points.at(-1)) drawLight(context, points.at(-1), colours);
    }
  }
}

function drawTail(context, points, { ink, ground }) {
  for (const [colour, width] of [[ground, 4.5], [ink, 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    for (let i = 1; i < points.length; i++) {
      if (!points[i] || !points[i - 1]) continue;
      context.globalAlpha = 0.8 * (1 - (points.length - i) / MOST_STEPS) ** 2;
      context.beginPath();
      context.moveTo(...points[i - 1]);
      context.lineTo(...points[i]);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function drawLight(context, [x, y], { ink, accent, ground }) {
  const glow = context.createRadialGradient(x, y, 0, x, y, LIGHT);
  glow.addColorStop(0, accent);
  glow.addColorStop(1, `${accent}00`); // "transparent" is a black one
  context.globalAlpha = 0.8;
  context.fillStyle = glow;
  context.fillRect(x - LIGHT, y - LIGHT, 2 * LIGHT, 2 * LIGHT);
  context.globalAlpha = 1;
  drawRing(context, [x, y], { radius: 8, colour: ink, ground, width: 3 });
}
