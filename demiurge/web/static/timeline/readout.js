// The figures at the head of each lane: those of the step under the pointer, else of the selected one.

import { byId, fail, formatCount, formatSeconds, getFloats, h, withMinus } from "../lib.js";

/** Fills the heads of the lanes; the stage draws the descriptor that is chosen there. */
export class Readout {
  constructor(session, stage) {
    [this.session, this.stage] = [session, stage];
    this.values = null;
    const { descriptors } = session.plan;
    const first = descriptors.includes("loudness") ? "loudness" : descriptors[0];
    byId("curve-heads").hidden = !session.plan.isOwn;
    byId("no-curves").hidden = session.plan.isOwn;
    byId("descriptor").append(...descriptors.map((name) => h("option", { value: name, selected: name === first }, name)));
    byId("descriptor").addEventListener("change", () => this.load());
    for (const what of ["hover", "selection"]) session.on(what, () => this.show());
    session.on("plan", () => this.load());
    for (const what of ["plan", "audio", "heard"]) session.on(what, () => this.showGain());
    this.showGain();
    this.load();
  }

  /** Get the curves of the chosen descriptor. */
  async load() {
    const { plan } = this.session;
    const name = byId("descriptor").value;
    if (!name) return;
    try {
      const values = await getFloats(`/plans/${plan.id}/curves/${encodeURIComponent(name)}`);
      if (this.session.plan !== plan || byId("descriptor").value !== name) return;
      this.values = values;
      this.stage.showCurve(values);
      this.show();
    } catch (error) {
      fail(error);
    }
  }

  /** Show which voices are heard if not all are, and by how much the whole plan is lowered, if it is. */
  showGain() {
    const { plan, heard } = this.session;
    const { gain_db: gain } = plan.audio;
    const voices = heard.of(plan);
    const lowered = gain < -0.05 && `lowered by ${(-gain).toFixed(1)} dB to stay below full scale`;
    byId("gain").textContent = [voices && voicesText(voices), lowered].filter(Boolean).join("; ");
  }

  show() {
    const { plan, hovered, step: selected } = this.session;
    const step = hovered >= 0 ? hovered : selected;
    const figure = (value) => (step < 0 || value === undefined || Number.isNaN(value) ? "" : withMinus(value.toPrecision(4)));
    const loaded = this.values?.length === 2 * plan.length ? this.values : [];
    byId("at").textContent = step < 0 ? "" : `${formatCount(step)} at ${formatSeconds(plan.start(step))}`;
    byId("wanted").textContent = plan.has_targets ? figure(loaded[step]) : "unknown";
    byId("matched").textContent = figure(loaded[plan.length + step]);
    byId("target-cost").textContent = step < 0 ? "" : plan.steps.distance[step].toFixed(2);
    byId("join-cost").textContent = step < 0 ? "" : plan.steps.join[step].toFixed(2);
  }
}

const voicesText = (voices) =>
  voices.length === 0 ? "no voice is heard" : `only ${voices.length === 1 ? "voice" : "voices"} ${voices.join(", ")}`;
