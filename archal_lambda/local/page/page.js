// Starts the page, and looks once a second for what is new while somebody can see it.

import { byId, say } from "./dom.js";
import * as faults from "./faults.js";
import { filter, look } from "./requests.js";
import * as world from "./world.js";

const EVERY = 1000; // ms
const connection = byId("connection");
let lost = false;
let turns = 0;

async function turn() {
  if (document.hidden) return;
  const fresh = byId("pause").checked ? [] : await look();
  if ((fresh === null) !== lost) {
    lost = fresh === null;
    say(lost ? "The local Archal does not answer." : "The local Archal answers again.");
  }
  connection.textContent = lost ? "Stopped. Trying again…" : byId("pause").checked ? `${location.origin}, paused` : `${location.origin}`;
  connection.classList.toggle("lost", lost);
  if (lost) return;
  if (fresh.length > 0 || turns % 5 === 0) await Promise.all([world.world(), faults.faults()]);
  if (fresh.length > 0) await world.changes({ quietly: true });
  turns += 1;
}

async function go() {
  try {
    await turn();
  } finally {
    setTimeout(go, EVERY);
  }
}

world.begin();
faults.begin();
for (const id of ["filter", "failures"]) byId(id).addEventListener("input", filter);
go();
