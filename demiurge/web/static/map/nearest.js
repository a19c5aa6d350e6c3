// Find the point nearest to a place, with a grid over nearly all points; points outside it belong to the cells at its rim.
import { mainRange } from "./ranges.js";

const IN_CELL = 16; // points per cell, if they were spread evenly

/** A grid over points that stay where they are. */
export class Grid {
  constructor(x, y) {
    Object.assign(this, { x, y });
    this.size = Math.ceil(Math.sqrt(x.length / IN_CELL));
    this.columns = cutter(x, this.size);
    this.rows = cutter(y, this.size);
    const cells = new Uint32Array(x.length);
    for (let i = 0; i < x.length; i++) cells[i] = this.rows(y[i]) * this.size + this.columns(x[i]);
    this.#sort(cells);
  }

  // The points of cell c are order[starts[c]] … order[starts[c + 1] - 1].
  #sort(cells) {
    this.starts = new Uint32Array(this.size ** 2 + 1);
    for (let i = 0; i < cells.length; i++) this.starts[cells[i] + 1]++;
    for (let cell = 0; cell < this.size ** 2; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.order = new Uint32Array(cells.length);
    for (let i = 0; i < cells.length; i++) this.order[next[cells[i]]++] = i;
  }

  /** The nearest of the points that `counts(i)`, less than `reach` away; -1: none. */
  nearest(x, y, reach, counts) {
    let [best, least] = [-1, reach];
    const [left, right] = [this.columns(x - reach), this.columns(x + reach)];
    for (let row = this.rows(y - reach); row <= this.rows(y + reach); row++) {
      const end = this.starts[row * this.size + right + 1];
      for (let k = this.starts[row * this.size + left]; k < end; k++) {
        const i = this.order[k];
        const distance = Math.hypot(this.x[i] - x, this.y[i] - y);
        if (distance < least && counts(i)) [best, least] = [i, distance];
      }
    }
    return best;
  }
}

/** A function from a value to its cell of `count`. */
function cutter(values, count) {
  const [low, high] = mainRange(values);
  const scale = count / (high - low || 1);
  return (value) => Math.min(count - 1, Math.max(0, Math.floor((value - low) * scale)));
}
