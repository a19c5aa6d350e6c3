// A canvas over the points for axes, paths and marks. It follows pan and zoom.

/** Draws its layers, lowest first, whenever the points are drawn or `refresh` is called. */
export class Overlay {
  #layers = [];
  #asked = false;

  constructor(canvas, plot) {
    this.canvas = canvas;
    this.plot = plot;
    plot.on("drawing", () => this.#draw());
    new ResizeObserver(() => this.refresh()).observe(canvas);
  }

  /** Add a layer: `draw(context, view)` in CSS pixels; view is the plot's `transform`. */
  add(draw) {
    this.#layers.push(draw);
  }

  /** Draw again with the next frame. */
  refresh() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#draw();
    });
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    const view = this.plot.transform;
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    if (this.plot.isMoving) return; // the points are on their way
    for (const draw of this.#layers) {
      context.save();
      draw(context, view);
      context.restore();
    }
  }
}

/** A ring around a point, with a rim in the background colour so that it is visible on any point. */
export function drawRing(context, [x, y], { radius, colour, ground, width = 2 }) {
  for (const [style, lineWidth] of [[ground, width + 2.5], [colour, width]]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = style;
    context.lineWidth = lineWidth;
    context.stroke();
  }
}

/** A small label with a plate in the ground's colour. */
export function drawTag(context, text, [x, y], { colour, ground }) {
  context.font = "600 11px system-ui, 'Noto Sans', 'DejaVu Sans', sans-serif";
  const width = context.measureText(text).width + 8;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x - width / 2, y - 8, width, 16, 8);
  context.fill();
  context.fillStyle = ground;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}
