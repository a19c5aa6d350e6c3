// The unit under the pointer or reached by keys: a ring, a tooltip, words for screen readers, and its sound.
import { cssColor, h, sourceName } from "../lib.js";
import { drawRing } from "./overlay.js";

const REST_MS = 60; // that the pointer rests on a point before it plays
const ASIDE = 1.2; // width that arrow keys search, as a multiple of the distance ahead
const MARGIN = 40; // pixels from the edge within which a point reached by keys is brought to the middle
const NEAR = 12; // pixels from a point's rim that count as on it

/** Where the user is on the map. */
export class Cursor {
  #timer = null;
  #pointed = -1; // the unit under the pointer

  constructor({ units, plot, overlay, focus, ear, tooltip, reading }) {
    Object.assign(this, { units, plot, overlay, focus, ear, tooltip, reading });
    this.position = null;
    this.isShown = false;
    this.isDragging = false;
    plot.canvas.addEventListener("pointerdown", () => (this.isDragging = true));
    for (const event of ["pointerup", "pointercancel"]) addEventListener(event, () => (this.isDragging = false));
    plot.canvas.addEventListener("mousemove", (event) => this.#onMove(event));
    plot.canvas.addEventListener("mouseleave", () => this.#point(-1));
    overlay.add((context) => this.#draw(context));
  }

  /** The unit with the ring and the tooltip, or null. */
  get shown() {
    return this.isShown ? this.position : null;
  }

  #onMove({ offsetX, offsetY }) {
    if (this.isDragging || this.plot.isMoving) return;
    this.#point(this.plot.nearest(offsetX, offsetY, (position) => this.focus.includes(position)));
  }

  #point(position) {
    if (position === this.#pointed) return;
    this.#pointed = position;
    this.leave();
    if (position < 0) return;
    this.position = position;
    this.#timer = setTimeout(() => this.#arrive(), REST_MS);
  }

  #arrive() {
    this.#tell();
    if (!this.ear.isBusy && !this.units.missing(this.position)) this.ear.hear(this.position);
  }

  /** Leave the current unit. */
  leave() {
    clearTimeout(this.#timer);
    this.tooltip.hidden = true;
    this.isShown = false;
    this.overlay.refresh();
  }

  /** Go to a unit, bring it into view and play it. */
  goTo(position) {
    this.show(position);
    this.ear.hear(position);
  }

  /** Go to a unit and bring it into view. */
  show(position) {
    clearTimeout(this.#timer);
    this.position = position;
    const [x, y] = this.plot.screenPosition(position);
    const { width, height } = this.plot.transform;
    const isSeen = x > MARGIN && y > MARGIN && x < width - MARGIN && y < height - MARGIN;
    if (!isSeen) this.plot.pan(width / 2 - x, height / 2 - y);
    this.#tell();
  }

  /** Whether a pixel is at the unit that was reached last. */
  isNear(x, y) {
    if (this.position === null) return false;
    const [ownX, ownY] = this.plot.screenPosition(this.position);
    return Math.hypot(ownX - x, ownY - y) < this.plot.pointSize + NEAR;
  }

  /** Go to the nearest unit in a direction: (1, 0) right, (0, 1) up. */
  move(right, up) {
    const from = this.position === null ? this.#middle() : this.plot.coordinates(this.position);
    const next = this.position === null ? this.#nearest(from, () => 1) : this.#nearest(from, inDirection(right, up));
    if (next >= 0) this.goTo(next);
  }

  #middle() {
    const { xScale, xOffset, yScale, yOffset, width, height } = this.plot.transform;
    return [(width / 2 - xOffset) / xScale, (height / 2 - yOffset) / yScale];
  }

  #nearest([x, y], weigh) {
    let best = -1;
    let least = Infinity;
    for (let i = 0; i < this.units.length; i++) {
      const [otherX, otherY] = this.plot.coordinates(i);
      const distance = weigh(otherX - x, otherY - y) * Math.hypot(otherX - x, otherY - y);
      if (distance < least && i !== this.position && this.focus.includes(i)) [best, least] = [i, distance];
    }
    return best;
  }

  #tell() {
    const { path, missing } = this.units.sourceOf(this.position);
    const when = this.units.when(this.position);
    this.isShown = true;
    const warning = missing ? [h("span", { class: "warn" }, "the file is missing")] : [];
    this.tooltip.replaceChildren(h("b", {}, sourceName(path)), h("span", {}, when), ...warning);
    this.reading.textContent = `${sourceName(path)}, ${when}${missing ? ", the file is missing" : ""}`;
    this.#placeTooltip();
    this.overlay.refresh();
  }

  #placeTooltip() {
    const [x, y] = this.plot.screenPosition(this.position);
    const { width, height } = this.plot.transform;
    this.tooltip.hidden = x < 0 || y < 0 || x > width || y > height;
    const [ownWidth, ownHeight] = [this.tooltip.offsetWidth, this.tooltip.offsetHeight];
    const left = x + 14 + ownWidth > width ? x - 14 - ownWidth : x + 14;
    const top = y + 14 + ownHeight > height ? y - 14 - ownHeight : y + 14;
    this.tooltip.style.transform = `translate(${Math.round(Math.max(4, left))}px, ${Math.round(Math.max(4, top))}px)`;
  }

  #draw(context) {
    if (!this.isShown) return;
    this.#placeTooltip();
    const marks = { colour: cssColor("--ink"), ground: cssColor("--ground") };
    drawRing(context, this.plot.screenPosition(this.position), { ...marks, radius: this.plot.pointSize / 2 + 5, width: 1.5 });
  }
}

/** Penalty on the distance of a point that lies to the side of a direction; infinite behind. */
const inDirection = (right, up) => (dx, dy) => {
  const ahead = dx * right + dy * up;
  const aside = Math.abs(dx * up - dy * right);
  return ahead > 0 && aside <= ASIDE * ahead ? 1 + (2 * aside) / ahead : Infinity;
};
