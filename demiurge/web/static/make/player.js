// Plays one sound at a time, from any position.

import { fail, whySilent } from "../lib.js";

const audio = new Audio();
let frame = null;
let track = null;
let due = null; // {track, from} that could not be played, until another track is played

/** The track ({name, url, show(position)}) that plays or pauses, or null. */
export const current = () => track;

/** Seconds into it. */
export const position = () => audio.currentTime;

/** The second from which to retry a track that could not be played; null if it is not to be retried. */
export const dueFrom = (asking) => (due?.track === asking ? due.from : null);

/** Play a track from `from` seconds, instead of the current one. Its `show` gets each new position, and null at the end. */
export async function start(next, from = 0) {
  due = null;
  if (track !== next) leave();
  if (track !== next || audio.getAttribute("src") !== next.url) audio.src = next.url;
  track = next;
  audio.currentTime = from;
  try {
    await audio.play();
  } catch (error) {
    if (error.name === "AbortError") return; // another sound was started meanwhile
    leave();
    due = { track: next, from };
    throw new Error(`${next.name}: ${await whySilent(next.url)}`);
  }
  follow();
}

/** Stop the sound. */
export function stop() {
  due = null;
  audio.pause();
  leave();
}

/** Pause or continue. */
export function pause() {
  due = null;
  if (!track) return;
  if (!audio.paused) audio.pause();
  else start(track, audio.currentTime).catch((error) => {
    due = null;
    fail(error);
  });
}

/** Whether a sound plays now. */
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
