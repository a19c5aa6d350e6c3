// One sound at a time, from any position of it, and where it is.

import { fail, whySilent } from "../lib.js";

const audio = new Audio();
let frame = null;
let track = null;

/** The track ({name, url, show(position)}) that plays or pauses, or null. */
export const current = () => track;

/** Seconds into it. */
export const position = () => audio.currentTime;

/** Play a track from `from` seconds instead of what plays. Its `show` gets each new position, and null when it is over. */
export async function start(next, from = 0) {
  if (track !== next) leave();
  if (track !== next || audio.getAttribute("src") !== next.url) audio.src = next.url;
  track = next;
  audio.currentTime = from;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another sound was asked for meanwhile
    leave();
    throw new Error(`${next.name}: ${await whySilent(next.url)}`);
  }
  follow();
}

/** Stop what plays. */
export function stop() {
  audio.pause();
  leave();
}

/** Pause, or go on. @returns {boolean} whether there was anything to pause */
export function pause() {
  if (!track) return false;
  if (!audio.paused) audio.pause();
  else start(track, audio.currentTime).catch(fail);
  return true;
}

/** Whether a sound is heard now. */
export const isPlaying = () => track !== null && !audio.paused;

function leave() {
  const before = track;
  track = null;
  before?.show(null);
}

function follow() {
  cancelAnimationFrame(frame);
  if (!track) return;
  track.show(audio.currentTime);
  if (!audio.paused) frame = requestAnimationFrame(follow);
}

audio.addEventListener("ended", leave);
