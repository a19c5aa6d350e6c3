// The heads of the lanes of units if there are several voices: their names, and buttons to mute and solo them.

import { byId, h } from "../lib.js";

const [LOWEST, LOWEST_OF_FINGERS] = [16, 26]; // pixels of a lane
const [LEAST, SHARED] = [12, 64]; // pixels: lanes get lower the more there are

/** Fills the heads; the current voice is marked. */
export class Voices {
  constructor(session) {
    this.session = session;
    this.lanes = document.querySelector(".lanes");
    this.shown = session.voice;
    for (const what of ["plan", "selection", "heard"]) session.on(what, () => this.show());
    this.show();
  }

  show() {
    const { plan, voice: current } = this.session;
    const hasSeveral = plan.nVoices > 1;
    byId("voices").hidden = !hasSeveral;
    byId("units-head").hidden = hasSeveral;
    if (!hasSeveral) {
      this.lanes.style.removeProperty("--units");
      return;
    }
    this.lanes.style.setProperty("--units", `${plan.nVoices * heightOf(plan.nVoices)}px`);
    if (byId("voices").children.length !== plan.nVoices) byId("voices").replaceChildren(...plan.voices.map((_, voice) => this.#row(voice)));
    const rows = [...byId("voices").children];
    rows.forEach((row, voice) => this.#mark(row, voice, current));
    if (current !== this.shown) rows[current].scrollIntoView({ block: "nearest" });
    this.shown = current;
  }

  #row(voice) {
    const { session } = this;
    const button = (act, key, onclick) =>
      h("button", { type: "button", class: "tiny", "data-act": act, title: `${act} (${key})`, "aria-label": `${act} voice ${voice}`, onclick }, act[0]);
    return h("div", { class: "voice", role: "group", "aria-label": `Voice ${voice}` },
      h("button", { type: "button", class: "quiet tiny name", title: "Look at this voice (Page ↑ ↓)", onclick: () => session.lookAt(voice) }, `Voice ${voice}`),
      button("Mute", "M", () => session.heard.toggleMuted(voice)),
      button("Solo", "O", () => session.heard.toggleSolo(voice)));
  }

  #mark(row, voice, current) {
    const { heard } = this.session;
    const [name, mute, solo] = row.children;
    row.classList.toggle("silent", !heard.includes(voice));
    name.setAttribute("aria-current", String(voice === current));
    mute.setAttribute("aria-pressed", String(heard.muted.has(voice)));
    solo.setAttribute("aria-pressed", String(heard.solo.has(voice)));
  }
}

function heightOf(nVoices) {
  const lowest = matchMedia("(pointer: coarse)").matches ? LOWEST_OF_FINGERS : LOWEST;
  return Math.max(lowest, Math.round(LEAST + SHARED / nVoices));
}
