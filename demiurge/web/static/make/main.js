// Make: a seed, a model and knobs go in; variations come out.

import { listenToDownloads } from "../download.js";
import { placeIcons } from "../icons.js";
import { byId, events, fail, getJson, shortcuts } from "../lib.js";
import { fillForm, make, startForm, takeJob } from "./form.js";
import { playNumber, showJob, showJobs } from "./jobs.js";
import * as player from "./player.js";
import { toggleKeep } from "./variation.js";

const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 8];
const PLAYS = "play or stop a variation of the marked job";

async function refresh() {
  const offered = await getJson("/make.json");
  fillForm(offered);
  showJobs(offered.jobs, takeJob);
  byId("empty").hidden = offered.jobs.length > 0;
}

function addJob(job) {
  showJob(job);
  byId("empty").hidden = true;
}

placeIcons();
startForm(addJob);
listenToDownloads();
events("job", addJob);
document.addEventListener("reconnected", () => refresh().catch(fail));
shortcuts({
  "Ctrl+Enter": { run: () => make(addJob), help: "make" },
  ...Object.fromEntries(NUMBERS.map((n) => [n, { run: () => playNumber(n), shown: "1–8", help: n === 1 && PLAYS }])),
  " ": { run: () => player.pause(), help: "pause, go on" },
  k: { run: toggleKeep, shown: "K", help: "another variation goes on where the one before was, or begins anew" },
});
refresh().catch(fail);
