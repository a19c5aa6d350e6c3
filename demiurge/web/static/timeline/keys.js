// The keys of the timeline.

import { TYPED_INTO, shortcuts } from "../lib.js";

/** Bind keys to the `actions`; the dialog lists them in this order, those of voices only if there are several. */
export function listenToKeys(actions, nVoices) {
  shortcuts({
    " ": { run: actions.play, help: "play or pause" },
    Enter: { run: actions.hearInPlace, help: "hear the selected steps in place" },
    A: { run: actions.hearAlone, help: "hear its unit alone" },
    "Shift+1": { shown: "Shift + 1 … 9", help: "hear an alternative in place" },
  });
  shortcuts({ 1: { shown: "1 … 9", help: "use it" } });
  shortcuts({
    ArrowLeft: { run: () => actions.step(-1), shown: "← →", help: "step before, step behind" },
    ArrowRight: { run: () => actions.step(1) },
    ArrowUp: { run: () => actions.run(-1), shown: "↑ ↓", help: "run before, run behind" },
    ArrowDown: { run: () => actions.run(1) },
    "Shift+ArrowLeft": { run: () => actions.step(-1, true), shown: "Shift + ← → ↑ ↓", help: "extend the selection" },
    "Shift+ArrowRight": { run: () => actions.step(1, true) },
    "Shift+ArrowUp": { run: () => actions.run(-1, true) },
    "Shift+ArrowDown": { run: () => actions.run(1, true) },
  });
  if (nVoices > 1) listenToVoiceKeys(actions);
  shortcuts({
    Home: { run: actions.first, shown: "Home, End", help: "first step, last step" },
    End: { run: actions.last },
    Escape: { run: actions.leave, shown: "Esc", help: "stop listening, then select nothing" },
    L: { run: actions.lock, once: true, help: "lock or unlock the selected steps" },
    V: { run: actions.vary, once: true, help: "keep the selected and locked steps, vary the rest" },
    R: { run: actions.repeat, once: true, help: "repeat the step" },
    Delete: { run: actions.remove, once: true, help: "remove the selected steps" },
    Backspace: { run: actions.remove, once: true },
    "Ctrl+Z": { run: (event) => (event.shiftKey ? actions.redo() : actions.undo()), shown: "Ctrl + Z", help: "undo; with Shift redo" },
    "Ctrl+Y": { run: actions.redo },
    S: { run: actions.save, once: true, help: "save as a new file" },
    F: { run: actions.follow, help: "follow what plays" },
    "+": { run: actions.zoomIn, shown: "+ −", help: "nearer, further" },
    "=": { run: actions.zoomIn },
    "-": { run: actions.zoomOut },
  });
  shortcuts({ 0: { run: actions.fit, help: "the whole plan" } });
  document.addEventListener("keydown", (event) => onDigit(event, actions), { capture: true });
}

function listenToVoiceKeys(actions) {
  shortcuts({
    PageUp: { run: () => actions.voice(-1), shown: "Page ↑ ↓", help: "voice above, voice below" },
    PageDown: { run: () => actions.voice(1) },
    M: { run: actions.mute, once: true, help: "mute the voice or hear it again" },
    O: { run: actions.solo, once: true, help: "hear only this voice (solo), or all" },
  });
}

/** 1 to 9 by their place on the keyboard: what they type differs from country to country. */
function onDigit(event, actions) {
  if (document.querySelector("dialog[open], :popover-open")) return;
  const digit = (/^Digit([1-9])$/.exec(event.code) ?? /^([1-9])$/.exec(event.key))?.[1];
  if (!digit || event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPED_INTO)) return;
  event.preventDefault();
  if (event.repeat) return;
  if (event.shiftKey) actions.hearAlternative(Number(digit));
  else actions.chooseAlternative(Number(digit));
}
