// Units selected with the lasso or in the legend: counted by source, played, and shown alone.
import { setIcon } from "../icons.js";
import { colorOfSource, counted, formatCount, h, say, sourceName } from "../lib.js";
import { walk } from "./walk.js";

const MOST_ROWS = 60;

/** What is selected, and its section of the panel. */
export class Selection {
  #caught = null;

  constructor({ units, plot, focus, ear, cursor, section, kept }) {
    Object.assign(this, { units, plot, focus, ear, cursor, section, kept });
    this.positions = null;
    plot.on("lassoStart", () => this.#onStart());
    plot.on("select", ({ points }) => this.#onSelect(points));
    plot.on("lassoEnd", () => this.#onEnd());
    section.play.addEventListener("click", () => this.#playOrStop());
    section.keep.addEventListener("click", () => this.keep());
    section.clear.addEventListener("click", () => this.clear());
    kept.all.addEventListener("click", () => this.showAll());
  }

  #onStart() {
    this.#caught = [];
    this.cursor.leave();
  }

  #onSelect(points) {
    if (this.#caught) this.#caught = [...points];
  }

  #onEnd() {
    const caught = this.#caught ?? [];
    this.#caught = null;
    this.plot.deselect();
    const positions = caught.filter((position) => this.focus.includes(position, { but: "selection" })).sort((a, b) => a - b);
    if (positions.length) this.choose(positions, "Selection");
    else this.clear();
  }

  /** Select units (rising positions); `name` says what they are, `group` which row of the legend. */
  choose(positions, name, group = null) {
    this.ear.stop();
    this.positions = positions;
    this.focus.group = group;
    this.focus.set("selection", positions);
    this.#show(name);
    say(`${name}: ${counted(positions.length, "unit")}`, { quiet: true });
  }

  clear() {
    if (!this.positions) return;
    this.ear.stop();
    this.positions = null;
    this.focus.group = null;
    this.focus.set("selection", null);
    this.section.box.hidden = true;
  }

  /** Show the selected units only. */
  keep() {
    const { positions } = this;
    this.clear();
    this.focus.keep(positions);
    this.kept.text.textContent = `${formatCount(positions.length)} of ${counted(this.units.length, "unit")} shown`;
    this.kept.box.hidden = false;
  }

  showAll() {
    this.focus.keep(null);
    this.kept.box.hidden = true;
  }

  #playOrStop() {
    if (this.ear.isInSeries) return this.ear.stop();
    const heard = this.positions.filter((position) => !this.units.missing(position));
    const ordered = walk(heard, (position) => this.plot.coordinates(position));
    this.#showPlaying(true);
    return this.ear.hearAll(ordered, (position, index) => {
      if (position === null) return this.#showPlaying(false);
      this.section.progress.textContent = `${formatCount(index + 1)} of ${formatCount(ordered.length)}`;
      return this.cursor.show(position);
    });
  }

  #showPlaying(plays) {
    const { play } = this.section;
    setIcon(play, plays ? "stop" : "play");
    play.lastChild.textContent = plays ? "Stop" : "Play";
    play.setAttribute("aria-pressed", String(plays));
    this.section.progress.textContent = "";
  }

  #show(name) {
    const counts = new Map();
    for (const position of this.positions) counts.set(this.units.source[position], (counts.get(this.units.source[position]) ?? 0) + 1);
    const rows = [...counts].sort((a, b) => b[1] - a[1]);
    this.section.title.textContent = name;
    this.section.count.textContent = `${counted(this.positions.length, "unit")} of ${counted(rows.length, "source")}`;
    this.section.list.replaceChildren(...rows.slice(0, MOST_ROWS).map((row) => this.#row(row, rows[0][1])));
    const more = rows.length - MOST_ROWS;
    this.section.more.textContent = more > 0 ? `and ${counted(more, "source")} with fewer` : "";
    this.section.box.hidden = false;
  }

  #row([source, count], most) {
    const { path } = this.units.sources[source];
    const bar = h("span", { class: "share" });
    bar.style.width = `${(100 * count) / most}%`;
    bar.style.background = colorOfSource(path);
    return h("li", { title: path }, h("span", { class: "name" }, sourceName(path)), h("span", { class: "muted" }, formatCount(count)), bar);
  }
}
