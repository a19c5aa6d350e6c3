// Files of plans to take away, <a download href="/plans/…">: fetched by the page, so that it can say what they lack.

import { fail, h, say } from "./lib.js";

const PATIENCE = 400; // ms until one is told that it takes a while
const KEPT = 60_000; // ms that the browser has to take the file over

/** Let the page fetch what its links offer. */
export function listenToDownloads() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[download]");
    if (!link) return;
    event.preventDefault();
    const telling = setTimeout(() => say("Making the file…"), PATIENCE);
    download(link.href).catch(fail).finally(() => clearTimeout(telling));
  });
}

async function download(url) {
  const response = await fetch(url).catch(() => null);
  if (!response) throw new Error("There is no file: the server does not answer.");
  if (!response.ok) throw new Error((await response.json()).error);
  const name = nameOf(response.headers.get("Content-Disposition"));
  const file = URL.createObjectURL(await response.blob());
  h("a", { href: file, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(file), KEPT);
  if (!response.headers.has("X-Demiurge-Skipped")) return;
  say(`Not all of ${name} can be heard: what some steps play is missing, has changed or is over too soon.`, { warn: true });
}

/** The name in "attachment; filename*=utf-8''my%20plan.wav". */
const nameOf = (disposition) => decodeURIComponent(disposition.split("''").at(-1));
