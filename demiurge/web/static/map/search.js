// Search for sources by name.
import { counted, sourceName } from "../lib.js";

const PAUSE_MS = 120;

/** The search field: units of matching sources stand out; Enter goes to them. */
export class Search {
  #timer = null;
  #found = null;

  constructor({ units, plot, focus, field, count, clear }) {
    Object.assign(this, { units, plot, focus, field, count });
    field.addEventListener("input", () => this.#wait());
    field.addEventListener("keydown", (event) => this.#onKey(event));
    clear.addEventListener("click", () => this.clear());
    this.clearButton = clear;
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#find(), PAUSE_MS);
  }

  #onKey(event) {
    if (event.key === "Escape") {
      event.stopPropagation();
      if (this.isActive) this.clear();
      else this.plot.canvas.focus();
    }
    if (event.key !== "Enter") return;
    clearTimeout(this.#timer);
    this.#find();
    if (!this.#found?.length) return;
    this.plot.goTo(this.#found);
    this.plot.canvas.focus();
  }

  get isActive() {
    return this.field.value !== "";
  }

  /** Clear the search. */
  clear() {
    this.field.value = "";
    this.#find();
  }

  #find() {
    const words = this.field.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.clearButton.hidden = !this.isActive;
    if (!words.length) {
      this.#found = null;
      this.count.textContent = "";
      return this.focus.set("search", null);
    }
    const matches = this.units.sources.map(({ path }) => words.every((word) => path.toLowerCase().includes(word)));
    this.#found = [];
    this.units.source.forEach((source, position) => matches[source] && this.#found.push(position));
    this.#say(matches);
    return this.focus.set("search", this.#found);
  }

  #say(matches) {
    const count = matches.filter(Boolean).length;
    const only = count === 1 ? sourceName(this.units.sources[matches.indexOf(true)].path) : counted(count, "source");
    this.count.textContent = count ? `${only} · ${counted(this.#found.length, "unit")}` : "no source has such a name";
  }
}
