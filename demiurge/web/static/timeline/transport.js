// The bar above the timeline: play, zoom, undo, choose again, save, download.

import { setIcon } from "../icons.js";
import { byId, clock, counted, events, fail, formatSeconds, say } from "../lib.js";
import { VARY, mayVary } from "./actions.js";
import { listenToMenus } from "./menus.js";

const OPTIONS = ["continuity", "novelty", "min_reuse", "temperature", "random_seed"];
const CHOOSE = "Choose again";
const A_LITTLE = 0.1; // temperature
const SAME = "Nothing changed: another random seed with a temperature above 0, or another continuity, gives other units.";

/** Shows session, sound and view, and changes them. */
export class Transport {
  constructor(session, sound, view, actions) {
    [this.session, this.sound, this.view] = [session, sound, view];
    listenToMenus();
    for (const [id, run] of Object.entries({
      play: actions.play, follow: actions.follow, undo: actions.undo, redo: actions.redo, save: actions.save,
      vary: actions.vary, "zoom-in": actions.zoomIn, "zoom-out": actions.zoomOut, fit: actions.fit,
    })) byId(id).addEventListener("click", run);
    byId("zoom").addEventListener("input", (event) => view.zoom(view.whole * (view.closest / view.whole) ** event.target.value));
    byId("save-as").addEventListener("submit", (event) => this.#saveAs(event));
    byId("reselect").addEventListener("submit", (event) => this.#reselect(event));
    byId("another-seed").addEventListener("click", drawSeed);
    view.addEventListener("change", () => this.#showScale());
    for (const name of ["state", "time"]) sound.addEventListener(name, () => this.showTime());
    session.on("plan", () => {
      this.fillOptions();
      this.show();
    });
    session.on("pending", () => this.show());
    session.on("selection", () => this.#showVary());
    events("index", (told) => this.#showIndexing(told));
    this.fillOptions();
    this.show();
  }

  /** Show the name of the plan and which actions are possible. */
  show() {
    const { plan } = this.session;
    document.title = `${plan.dirty ? "• " : ""}${plan.name} · Demiurge`;
    byId("name").textContent = plan.name;
    byId("unsaved").hidden = !plan.dirty;
    for (const way of ["undo", "redo"]) {
      byId(way).setAttribute("aria-disabled", !plan[`can_${way}`]); // not disabled: it would lose the focus
      const label = `${way === "undo" ? "Undo" : "Redo"}${plan[way] ? `: ${plan[way]}` : ""}`;
      byId(way).title = `${label} (${way === "undo" ? "Ctrl+Z" : "Ctrl+Shift+Z"})`;
      byId(way).setAttribute("aria-label", label);
    }
    this.#showWorking();
    for (const link of document.querySelectorAll("[data-download]")) link.href = `/plans/${plan.id}/download/${link.dataset.download}`;
    byId("map").href = `/map?plan=${plan.id}`;
    this.#showReselect();
    this.#showVary();
    this.showTime();
  }

  /** Show the position. */
  showTime() {
    const { sound, session } = this;
    byId("position").textContent = clock(sound.time);
    byId("length").textContent = clock(session.plan.seconds);
    byId("play").disabled = !sound.ready;
    setIcon(byId("play"), sound.playing ? "pause" : "play");
    byId("play").setAttribute("aria-label", sound.playing ? "Pause" : "Play");
  }

  /** Fill the form with the plan's options if they have changed, unless the form is open. */
  fillOptions() {
    const { options } = this.session.plan;
    const asText = JSON.stringify(options);
    if (asText === this.filled || byId("reselect-menu").matches(":popover-open")) return;
    this.filled = asText;
    for (const name of OPTIONS) byId(name).value = options[name] ?? 0;
  }

  #showWorking() {
    const { pending } = this.session;
    byId("working").hidden = pending === null;
    byId("working-what").textContent = pending ? `${pending.what}…` : "";
    byId("working-done").textContent = "";
  }

  /** Show the server's progress: it indexes all units once, then finds candidates. */
  #showIndexing({ done, total }) {
    if (![CHOOSE, VARY].includes(this.session.pending?.what)) return;
    byId("working-done").textContent = total > 0 ? `${Math.round((100 * done) / total)} %` : "";
  }

  #showScale() {
    const { view } = this;
    const range = Math.log(view.closest / view.whole);
    byId("zoom").value = range > 0 ? Math.log(view.scale / view.whole) / range : 0;
    byId("zoom").setAttribute("aria-valuetext", `${formatSeconds(view.end - view.start)} in view`);
  }

  #showReselect() {
    const { plan, pending } = this.session;
    const free = plan.length - plan.nLocked;
    const around = `Choose again around ${counted(plan.nLocked, "locked step")}`;
    byId("reselect-go").textContent = plan.nLocked ? around : "Choose all steps again";
    byId("reselect-go").disabled = !plan.has_targets || !plan.isOwn || plan.never_again !== null || pending !== null || free === 0;
    byId("reselect-note").textContent = noteOf(plan, free);
    byId("choose-again").disabled = !plan.isOwn;
    byId("choose-again").title = plan.isOwn ? "" : `${noteOf(plan, free)} Its units are not here.`;
  }

  #showVary() {
    const { plan, pending, selected } = this.session;
    const how = plan.masked_model ? `by ${plan.masked_model}` : "with other random numbers";
    byId("vary").setAttribute("aria-disabled", !mayVary(plan, selected) || pending !== null); // not disabled: it would lose the focus
    byId("vary").title = `Keep the selected and the locked steps, choose the rest again ${how} (V)`;
  }

  async #reselect(event) {
    event.preventDefault();
    const values = OPTIONS.map((name) => [name, byId(name).valueAsNumber]);
    const wrong = values.find(([, value]) => !Number.isFinite(value));
    if (wrong) return fail(new Error(`${byId(wrong[0]).labels[0].textContent} must be a number.`));
    byId("reselect-menu").hidePopover();
    let before = null;
    await this.session.edit(() => {
      before = this.session.plan;
      return { what: CHOOSE, kind: "reselect", ...Object.fromEntries(values) };
    });
    const { plan } = this.session;
    if (plan !== before && String(plan.steps.unit) === String(before.steps.unit)) say(SAME);
    return undefined;
  }

  #saveAs(event) {
    event.preventDefault();
    byId("save-menu").hidePopover();
    this.session.save(byId("save-name").value.trim() || null);
  }
}

/** Fill in another random seed, and a temperature above 0, without which it has no effect. */
function drawSeed() {
  byId("random_seed").value = Math.floor(Math.random() * 1e6);
  if (byId("temperature").valueAsNumber === 0) byId("temperature").value = A_LITTLE;
}

function noteOf(plan, free) {
  if (!plan.isOwn) return "This plan was made from another database.";
  if (!plan.has_targets) return "This plan has no targets, so nothing can be chosen again; make the plan again.";
  if (plan.never_again) return `${plan.never_again[0].toUpperCase()}${plan.never_again.slice(1)}.`;
  if (free === 0) return "All steps are locked; unlock some.";
  return `${counted(free, "step")} will be chosen anew; lock what should stay.`;
}
