// Faults: those there are, one more, and one less.

import { askAll } from "./ask.js";
import { byId, make, note, say } from "./dom.js";

const NUMBERS = new Set(["status", "times", "retryAfter", "delay"]);
let before = "";
let missing = false; // the handle; it does not come while the server runs

export async function faults() {
  if (missing) return;
  const answer = await askAll("GET", "faults");
  missing = answer.missing;
  byId("add-fault").hidden = missing;
  if (answer.ok) note(byId("faults-note"), answer.data.faults.length > 0 ? "" : "None.");
  else note(byId("faults-note"), answer.why, true);
  const found = answer.ok ? answer.data.faults : [];
  byId("clear-faults").hidden = found.length === 0;
  const text = JSON.stringify(found);
  if (text === before) return;
  before = text;
  // A button that has the focus must not go away under it just because of a count.
  const focused = document.activeElement?.dataset?.fault;
  byId("fault-list").replaceChildren(...found.map(card));
  if (focused) byId("fault-list").querySelector(`[data-fault="${CSS.escape(focused)}"]`)?.focus();
}

function card(fault) {
  const { id, hits, clone, method, path, ...rest } = fault;
  const set = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined && value !== false);
  const what = set.map(([name, value]) => `${words(name)} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");
  const remove = make("button", { type: "button", "data-fault": id, "aria-label": `Remove fault ${id}` }, "Remove");
  remove.addEventListener("click", () => gone(`faults/${encodeURIComponent(id)}`, `Fault ${id} is removed.`));
  return make(
    "li", {},
    make(
      "div", { class: "line" },
      make("span", {}, make("span", { class: "path" }, `${clone ?? "every clone"} ${method ?? "any method"} ${path ?? "any path"}`), make("span", { class: "tag odd" }, what), make("span", { class: "tag quiet" }, hits === 1 ? "hit once" : `hit ${hits ?? 0} times`)),
      remove,
    ),
  );
}

const words = (name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

async function gone(path, done) {
  const answer = await askAll("DELETE", path);
  await faults();
  say(answer.ok ? done : answer.why);
  (byId("fault-list").querySelector("button") ?? byId("add-fault").firstElementChild).focus();
}

export function begin() {
  byId("clear-faults").addEventListener("click", () => gone("faults", "All faults are removed."));
  byId("fault-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)].filter(([, value]) => value !== "");
    const rule = Object.fromEntries(given.map(([name, value]) => [name, NUMBERS.has(name) ? Number(value) : value]));
    const answer = await askAll("POST", "faults", rule);
    await faults();
    say(answer.ok ? `Fault ${answer.data.id} is added.` : answer.why);
  });
}
