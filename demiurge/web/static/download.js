// Downloads of plans, <a download href="/plans/…">: fetched by the page, so that it can show errors and missing steps.

import { fail, h, say } from "./lib.js";

const PATIENCE = 400; // ms until the user is told to wait
const KEPT = 60_000; // ms that the browser has to save the file

/** Let the page fetch what its download links offer. */
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
  say(`${name} has silent steps: their source is missing, has changed, or is too short.`, { warn: true });
}

/** The name in "attachment; filename*=utf-8''my%20plan.wav". */
const nameOf = (disposition) => decodeURIComponent(disposition.split("''").at(-1));
