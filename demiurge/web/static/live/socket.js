// The connection to the session: news come in, messages go out. It connects again by itself.
import { say } from "../lib.js";

const AGAIN_MS = 1000;
const GATHER_MS = 25; // turns of one knob within this time are sent as the last of them

const listeners = [];
const waiting = new Map(); // arguments by address
let socket = null;
let timer = null;

const isOpen = () => socket?.readyState === WebSocket.OPEN;

/**
 * Call `handler` with what a message of the session has under this key: "status", "steps", "knobs", "scenes", "scene", "errors";
 * "open": whether there is a connection.
 */
export function onNews(key, handler) {
  listeners.push([key, handler]);
}

function tell(news) {
  for (const [key, handler] of listeners) if (key in news) handler(news[key]);
}

/** Connect to the session of this page's server, again and again if need be. */
export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/live/socket`);
  socket.addEventListener("open", () => tell({ open: true }));
  socket.addEventListener("message", (event) => tell(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    waiting.clear();
    tell({ open: false });
    setTimeout(connect, AGAIN_MS);
  });
}

/** Send a message at once: send("scene/save", 3). @returns {boolean} whether there is a connection */
export function send(address, ...values) {
  flush();
  if (!isOpen()) {
    say("There is no connection to the session now.", { warn: true });
    return false;
  }
  post(address, values);
  return true;
}

/** Send a number soon, unless another is sent to the same address before. */
export function sendSoon(address, value) {
  waiting.set(address, [value]);
  timer ??= setTimeout(flush, GATHER_MS);
}

function flush() {
  clearTimeout(timer);
  timer = null;
  if (isOpen()) for (const [address, values] of waiting) post(address, values);
  waiting.clear();
}

const post = (address, values) => socket.send(JSON.stringify({ address: `/demiurge/${address}`, arguments: values }));
