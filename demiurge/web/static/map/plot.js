// The points, drawn by regl-scatterplot. Plot coordinates: y from -1 to 1, x so that both have one scale.
import createScatterplot, { createRenderer } from "regl-scatterplot";
import { cssColor } from "../lib.js";
import { createDevice } from "./gl.js";
import { Grid } from "./nearest.js";
import { mainRange } from "./ranges.js";

const HOME_DISTANCE = 1.1; // a tenth more than the points need, as a margin
const FILLED = 0.4; // of the area, if no two points overlapped
const MOST_BLENDED = 400_000; // more points are drawn as opaque squares
const MOST_MOVED = 300_000; // more points jump from layout to layout
const MOVE_MS = 600;
const LEAST_SEEN = 0.05;
const NEAR = 7; // pixels from a point's rim that count as on it
const [LEAST_SCALE, MOST_SCALE] = [0.3, 2000];

/** All units as points on a canvas: their places, their colours, and the visible part. */
export class Plot {
  #scatterplot;
  #points;
  #grid = null;
  #pending = null;
  #drawing = null;
  #isPlaced = false;
  #moved = false;
  #kept = null;

  constructor(canvas, count) {
    this.canvas = canvas;
    this.isMoving = false;
    this.#points = Array.from({ length: count }, () => [0.5, 0.5, 0.5]); // halves: kept as doubles from the start
    const renderer = this.#createRenderer();
    this.pointSize = Math.min(8, Math.max(1.5, 30 * count ** -0.2));
    this.#scatterplot = createScatterplot({
      canvas, renderer, width: "auto", height: "auto", syncEvents: true, spatialIndexUseWorker: false,
      performanceMode: count > MOST_BLENDED, pointSize: this.pointSize,
      colorBy: "category", opacity: 1, actionKeyMap: { lasso: "shift" }, deselectOnDblClick: false, deselectOnEscape: false,
      cameraDistance: HOME_DISTANCE, lassoMinDelay: 8,
    });
    this.#scatterplot.get("camera").setScaleBounds([[LEAST_SCALE, MOST_SCALE], [LEAST_SCALE, MOST_SCALE]]);
    this.#scatterplot.subscribe("view", () => this.#adaptOpacity());
    this.#scatterplot.subscribe("transitionEnd", () => (this.isMoving = false));
    this.#hidePointer();
    this.updateTheme();
  }

  // regl-scatterplot redraws all points whenever the pointer moves to another, so it gets pointer events only while a button is pressed.
  #hidePointer() {
    const hide = (event) => event.isTrusted && event.stopImmediatePropagation();
    for (const kind of ["mouseenter", "mouseleave"]) this.canvas.addEventListener(kind, hide, { capture: true });
    const leave = () => this.canvas.dispatchEvent(new MouseEvent("mouseleave"));
    addEventListener("blur", leave); // after which it would look where the pointer is
    leave();
  }

  #createRenderer() {
    const { regl, canvas } = createDevice();
    const renderer = createRenderer({ regl, canvas });
    renderer.resize();
    addEventListener("resize", () => renderer.resize());
    return renderer;
  }

  /** Call `handler` on an event of regl-scatterplot: "drawing", "select", "lassoStart", … */
  on(event, handler) {
    this.#scatterplot.subscribe(event, handler);
  }

  /** Take the colours of the lasso from the page. */
  updateTheme() {
    this.#scatterplot.set({ backgroundColor: cssColor("--ground"), lassoColor: cssColor("--accent") });
  }

  get aspect() {
    return this.canvas.clientWidth / this.canvas.clientHeight;
  }

  /** Put the points elsewhere, moving them there unless they are too many. */
  place(x, y, { move = false } = {}) {
    this.#points.forEach((point, i) => {
      point[0] = x[i];
      point[1] = y[i];
    });
    this.#grid = new Grid(x, y);
    this.#moved = this.#isPlaced = true;
    const transition = move && x.length <= MOST_MOVED && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.isMoving = transition;
    return this.#draw({ transition, transitionDuration: MOVE_MS });
  }

  /** Give point i the colour palette[colours[i]], once it has a place. Points of `under` are drawn below the others. */
  async paint(palette, colours, under) {
    this.#points.forEach((point, i) => (point[2] = colours[i]));
    this.#scatterplot.set({ pointColor: palette });
    if (this.#isPlaced) await this.#draw({});
    this.#scatterplot.set({ pointOrder: under });
  }

  // Draws one after the other; requests that arrive meanwhile are drawn once.
  #draw(options) {
    this.#pending = { ...this.#pending, ...options };
    this.#drawing ??= this.#drawPending().finally(() => (this.#drawing = null));
    return this.#drawing;
  }

  async #drawPending() {
    while (this.#pending) {
      const options = { ...this.#pending, zDataType: "categorical", preventFilterReset: true };
      if (!this.#moved) options.spatialIndex = this.#scatterplot.get("spatialIndex");
      this.#pending = null;
      this.#moved = false;
      this.#adaptOpacity();
      await this.#scatterplot.draw(this.#points, options);
    }
  }

  /** Show these points only (rising positions); null: all. */
  async keep(positions) {
    this.#kept = positions;
    await this.#drawing;
    await (positions ? this.#scatterplot.filter(positions, { preventEvent: true }) : this.#scatterplot.unfilter());
    this.#adaptOpacity();
  }

  // An opacity that would leave a good part of the background visible if the points were spread evenly.
  #adaptOpacity() {
    const count = this.#kept?.length ?? this.#points.length;
    if (this.#points.length > MOST_BLENDED) return;
    const { width, height, scale } = this.#view();
    const covered = (count * this.#drawnSize ** 2 * 0.785) / (scale * scale);
    const opacity = Math.min(0.92, Math.max(0.12, (FILLED * width * height) / covered));
    const present = this.#scatterplot.get("opacity");
    if (Math.abs(opacity / present - 1) > 0.04) this.#scatterplot.set({ opacity });
  }

  // Points grow as one zooms in, but less than their distances.
  get #drawnSize() {
    const { scale } = this.#view();
    return this.pointSize * (scale > 1 ? Math.asinh(scale) / Math.asinh(1) : 1);
  }

  #view() {
    const { view, scaling } = this.#scatterplot.get("camera");
    return { view, scale: scaling[0], width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** From plot coordinates to pixels of the canvas: [x * xScale + xOffset, y * yScale + yOffset]. */
  get transform() {
    const { view, width, height } = this.#view();
    return {
      xScale: (view[0] * height) / 2, xOffset: width / 2 + (view[12] * height) / 2,
      yScale: (-view[5] * height) / 2, yOffset: height / 2 - (view[13] * height) / 2, width, height,
    };
  }

  coordinates(position) {
    return this.#points[position];
  }

  /** Where a point is, in pixels from the canvas' upper left corner. */
  screenPosition(position) {
    const { xScale, xOffset, yScale, yOffset } = this.transform;
    const [x, y] = this.#points[position];
    return [x * xScale + xOffset, y * yScale + yOffset];
  }

  /** The nearest of the points that `counts(position)` to a pixel of the canvas, -1: none is near. */
  nearest(x, y, counts) {
    if (!this.#grid) return -1;
    const { xScale, xOffset, yScale, yOffset } = this.transform;
    return this.#grid.nearest((x - xOffset) / xScale, (y - yOffset) / yScale, (this.#drawnSize / 2 + NEAR) / xScale, counts);
  }

  /** Whether the view is the initial one. */
  get isHome() {
    const { view } = this.#view();
    return Math.abs(view[0] * HOME_DISTANCE - 1) < 0.01 && Math.hypot(view[12], view[13]) < 0.01;
  }

  goHome({ move = true } = {}) {
    return this.#scatterplot.zoomToLocation([0, 0], HOME_DISTANCE, { transition: move, transitionDuration: MOVE_MS });
  }

  /** Zoom to these points, except for a few far from the others. */
  goTo(positions) {
    const [x, y] = [0, 1].map((axis) => mainRange(positions.map((position) => this.#points[position][axis])));
    const [width, height] = [x, y].map(([low, high]) => Math.max(LEAST_SEEN, (high - low) * 1.3));
    if (width > 2 * this.aspect || height > 2) return this.goHome();
    const area = { x: (x[0] + x[1] - width) / 2, y: (y[0] + y[1] - height) / 2, width, height };
    return this.#scatterplot.zoomToArea(area, { transition: true, transitionDuration: MOVE_MS });
  }

  /** Move the view by pixels. */
  pan(dx, dy) {
    const { height } = this.#view();
    this.#scatterplot.get("camera").pan([(2 * dx) / height, (-2 * dy) / height]);
    this.#scatterplot.redraw();
  }

  /** Zoom in by `factor` about a pixel, by default the middle. */
  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const { width, height } = this.#view();
    this.#scatterplot.get("camera").scale([factor, factor], [(2 * x - width) / height, 1 - (2 * y) / height]);
    this.#scatterplot.redraw();
  }

  set isLassoing(lasso) {
    this.#scatterplot.set({ mouseMode: lasso ? "lasso" : "panZoom" });
    this.canvas.classList.toggle("lasso", lasso);
  }

  get isLassoing() {
    return this.#scatterplot.get("mouseMode") === "lasso";
  }

  /** Forget what regl-scatterplot has selected: the page shows selections by fading the rest. */
  deselect() {
    this.#scatterplot.deselect({ preventEvent: true });
  }
}
