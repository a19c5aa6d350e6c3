// The page of one plan: connects its parts.

import { listenToDownloads } from "../download.js";
import { placeIcons } from "../icons.js";
import { byId, fail, getJson, h } from "../lib.js";
import { makeActions } from "./actions.js";
import { Alternatives } from "./alternatives.js";
import { Audition } from "./audition.js";
import { Inspector, speak } from "./inspector.js";
import { listenToKeys } from "./keys.js";
import { Overview } from "./overview.js";
import { Playhead } from "./playhead.js";
import { listenToPointer } from "./pointer.js";
import { Readout } from "./readout.js";
import { Session } from "./session.js";
import { Sound } from "./sound.js";
import { Stage } from "./stage.js";
import { Transport } from "./transport.js";
import { View } from "./view.js";
import { Voices } from "./voices.js";

const PATIENCE = 500; // ms until it says that it is loading the audio

async function open() {
  placeIcons();
  const session = new Session(await getJson(`/plans/${byId("timeline").dataset.plan}.json`));
  new Voices(session); // first: it decides how high their lanes are
  const sound = new Sound(byId("wave"), document.querySelector("script[nonce]").nonce);
  await sound.blank(session.plan);
  const view = new View(sound);
  const stage = new Stage(session, view, byId("stage"));
  const audition = new Audition(session, sound);
  const alternatives = new Alternatives(session, audition);
  const playhead = new Playhead(sound, view);
  const page = { session, sound, view, stage, audition, alternatives, playhead };
  const actions = makeActions(page);
  new Inspector(session, audition, alternatives, actions, byId("inspector"));
  new Transport(session, sound, view, actions);
  new Readout(session, stage);
  new Overview(session, view, byId("overview"), playhead.letGo);
  listenToPointer({ ...page, onScroll: playhead.letGo });
  listenToKeys(actions, session.plan.nVoices);
  listenToDownloads();
  listenToClicks();
  session.on("selection", () => speak(session));
  keepSound(session, sound);
  showNotes(session);
}

/** Load the audio of each revision that changes it, as soon as it is rendered, and of the voices that are heard. */
function keepSound(session, sound) {
  let loaded = null;
  const show = async (change) => {
    const { plan } = session;
    if (plan.audio.state !== "ready" || loaded === null) showMaking(plan.audio);
    const asked = session.heard.asked(plan);
    const needed = { id: plan.id, revision: plan.revision, voices: asked.voices };
    const isLoaded = (...names) => loaded && names.every((name) => loaded[name] === needed[name]);
    if (plan.audio.state !== "ready" || isLoaded("id", "revision", "voices")) return;
    const same = isLoaded("id", "voices") && change && change.start === change.old_stop && change.start === change.new_stop;
    loaded = needed;
    const waiting = setTimeout(() => showMaking(plan.audio), PATIENCE);
    if (!same) await sound.load(plan, asked, movedBy(change, plan.rate)).catch(fail);
    clearTimeout(waiting);
    byId("making").hidden = loaded === needed;
  };
  const again = () => {
    loaded = null; // the server keeps the audio of the last revisions only
    return show(null);
  };
  session.on("plan", show);
  for (const what of ["audio", "heard"]) session.on(what, () => show(null));
  sound.addEventListener("broken", again);
  show(null);
}

/** Maps a time in the audio before a change to a time in the new audio. */
function movedBy(change, rate) {
  if (!change) return (seconds) => seconds;
  const { old_stop, new_stop } = change;
  return (seconds) => (seconds * rate >= old_stop ? seconds + (new_stop - old_stop) / rate : Math.min(seconds, new_stop / rate));
}

function showMaking({ state, done, error }) {
  const rendering = `Rendering the audio: ${Math.round(100 * done)} %`;
  const words = { rendering, failed: `The audio could not be rendered: ${error}`, ready: "Loading the audio…" };
  byId("making").hidden = false;
  byId("making-text").textContent = words[state];
  byId("making-bar").hidden = state !== "rendering";
  byId("making-bar").value = done;
}

/** Show the plan's notes until they are dismissed. */
function showNotes(session) {
  const dismissed = new Set();
  const show = () => {
    const notes = session.plan.notes.filter((text) => !dismissed.has(text)).map((text) => {
      const button = h("button", { type: "button", class: "quiet", onclick: () => show(dismissed.add(text)) }, "Dismiss");
      return h("div", { class: "note" }, h("span", {}, text), button);
    });
    byId("notes").replaceChildren(...notes);
  };
  session.on("plan", show);
  show();
}

/** After a click on a button give the focus back to the timeline; a button pressed by key keeps it. */
function listenToClicks() {
  byId("timeline").addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button:not([popovertarget])")) byId("stage").focus({ preventScroll: true });
  });
}

open().catch((error) => {
  byId("notes").replaceChildren(h("p", { class: "note", role: "alert" }, error.message));
  fail(error);
});
