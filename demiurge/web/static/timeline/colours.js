// Colours of sources, and the colours of the style sheet for the canvas.

import { colorOfSource, cssColor, h, onTheme } from "../lib.js";

/** The square in the colour of a source. */
export function swatch(path) {
  const square = h("span", { class: "swatch" });
  square.style.background = colorOfSource(path);
  return square;
}

/** Black or white, whichever has more contrast on this colour ("#rrggbb"). */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => (parseInt(colour.slice(i, i + 2), 16) / 255) ** 2.2);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.2 ? "#101214" : "#ffffff";
}

let theme = null;

/** The colours of the style sheet by name: themeColours().ink. */
export function themeColours() {
  const names = ["ink", "muted", "line", "panel", "sunken", "accent", "warn", "wanted", "matched", "target", "join"];
  theme ??= Object.fromEntries(names.map((name) => [name, cssColor(`--${name}`)]));
  return theme;
}

/** A pattern of slanted lines in this colour. */
export function hatching(context, colour) {
  const tile = new OffscreenCanvas(6, 6);
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  for (const x of [-6, 0, 6]) {
    pen.moveTo(x, 6);
    pen.lineTo(x + 6, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

onTheme(() => {
  theme = null;
});
