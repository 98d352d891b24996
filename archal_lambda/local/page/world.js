// Sessions, state, snapshots and the changes since.

import { ask, choose, isChosen } from "./ask.js";
import { block, byId, json, make, note, options, say } from "./dom.js";

let ready = "";
let missing = false; // the handle; it does not come while the server runs

export async function world() {
  if (missing) return;
  const answer = await ask("GET", "world");
  // The session that was chosen may be another server's.
  if (answer.data?.code === "session_not_found" && choose("")) return switched();
  note(byId("world-note"), answer.why, true);
  missing = answer.missing;
  byId("reset-form").hidden = missing;
  if (!answer.ok) return;
  const { session, sessions, clones, marks } = answer.data;
  if (!isChosen()) ready = session;
  byId("session-list").replaceChildren(...sessions.map((each) => card(each, each.sessionId === session ? clones : [])));
  options(byId("session"), sessions.map((each) => each.sessionId), session);
  for (const select of document.querySelectorAll("select.clones")) options(select, clones.map((clone) => clone.id));
  const isNew = byId("mark").options.length < marks.length;
  options(byId("mark"), marks, isNew ? marks.at(-1) : byId("mark").value);
  byId("marks-form").hidden = marks.length === 0;
  if (isNew) await changes({ quietly: true });
}

// Nothing of one session is shown beside another.
async function switched() {
  for (const id of ["state-tree", "change-list", "mark"]) byId(id).replaceChildren();
  delete byId("change-list").dataset.shown;
  for (const id of ["state-note", "changes-note"]) note(byId(id), "");
  await world();
}

function card(session, clones) {
  const lines = clones.map((clone) => `${clone.id}, seed ${clone.seed}${clone.now === undefined ? "" : `, its time ${time(clone.now * 1000)}`}`);
  const list = lines.length > 0 ? lines : session.cloneIds;
  return make(
    "li", {},
    make("div", { class: "line" }, make("code", {}, session.sessionId), make("span", { class: session.status === "running" ? "good" : "odd" }, session.status)),
    make("ul", { class: "quiet" }, ...list.map((text) => make("li", {}, text))),
    session.lastError ? make("p", { class: "note" }, session.lastError) : null,
    make("p", { class: "quiet" }, session.endedAt ? `Ended ${time(session.endedAt)}` : `Ends ${time(session.expiresAt)}`),
  );
}

const time = (moment) => new Date(moment).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

export async function changes({ quietly = false } = {}) {
  const mark = byId("mark").value;
  const list = byId("change-list");
  if (!mark || (quietly && list.contains(document.activeElement))) return;
  const answer = await ask("GET", `snapshots/${encodeURIComponent(mark)}/diff`);
  if (!answer.ok) {
    list.replaceChildren();
    note(byId("changes-note"), answer.why, true);
    return;
  }
  const found = answer.data.changes;
  const text = json(found);
  const count = found.length === 1 ? "1 change" : `${found.length || "No"} changes`;
  note(byId("changes-note"), `${count} since ${mark}.`);
  if (list.dataset.shown !== text) {
    list.dataset.shown = text;
    list.replaceChildren(...found.map(changed));
  }
  if (!quietly) say(`${count} since ${mark}.`);
}

function changed(change) {
  const sides = ["before", "after"].filter((side) => change[side] !== null && change[side] !== undefined);
  return make(
    "li", {},
    make("details", {}, make("summary", {}, change.text), ...sides.map((side) => block(`${side} the change`, `${side}: ${json(change[side])}`))),
  );
}

async function state(event) {
  event.preventDefault();
  const clone = byId("state-clone").value;
  const answer = await ask("GET", "state", clone ? { clone } : {});
  note(byId("state-note"), answer.why, true);
  byId("state-tree").replaceChildren(...(answer.ok ? Object.entries(answer.data).map(branch) : []));
  say(answer.ok ? "The state is shown." : answer.why);
}

function branch([clone, kinds]) {
  const entries = Object.entries(kinds);
  return make(
    "details", { open: true },
    make("summary", {}, clone),
    entries.length === 0 ? make("p", { class: "quiet" }, "Empty.") : null,
    ...entries.map(([kind, objects]) => make(
      "details", {}, make("summary", {}, `${kind} (${Object.keys(objects).length})`),
      ...Object.entries(objects).map(([key, object]) => leaf(key, object)),
    )),
  );
}

function leaf(key, object) {
  const details = make("details", {}, make("summary", {}, key));
  // Only what is opened is laid out: there may be thousands.
  details.addEventListener("toggle", () => details.append(block(key, json(object))), { once: true });
  return details;
}

async function act(done, ...question) {
  const answer = await ask(...question);
  say(answer.ok ? done : answer.why);
  await world();
  if (answer.ok) await changes({ quietly: true });
  return answer;
}

export function begin() {
  byId("session").addEventListener("change", async (event) => {
    choose(event.target.value === ready ? "" : event.target.value);
    await switched();
  });
  byId("reset-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const clone = byId("reset-clone").value;
    act(`${clone || "All clones"} went back to the seed.`, "POST", "reset", clone ? { clone } : {});
  });
  byId("snapshot").addEventListener("click", async () => {
    const answer = await ask("POST", "snapshots");
    await world();
    if (!answer.ok) {
      note(byId("changes-note"), answer.why, true);
      say(answer.why);
      return;
    }
    const { mark } = answer.data;
    if (![...byId("mark").options].some((option) => option.value === mark)) {
      options(byId("mark"), [...[...byId("mark").options].map((option) => option.value), mark]);
    }
    byId("mark").value = mark;
    byId("marks-form").hidden = false;
    say(`Snapshot ${mark} is taken.`);
    await changes({ quietly: true });
  });
  byId("restore").addEventListener("click", () => {
    const mark = byId("mark").value;
    act(`Snapshot ${mark} is restored.`, "POST", `snapshots/${encodeURIComponent(mark)}/restore`);
  });
  byId("marks-form").addEventListener("submit", (event) => {
    event.preventDefault();
    changes();
  });
  byId("state-form").addEventListener("submit", state);
}
