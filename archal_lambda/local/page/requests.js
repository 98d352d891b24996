// The table of requests: the newest first, each of which opens to what was received, what the clone saw, and the bodies.

import { askAll } from "./ask.js";
import { block, byId, laidOut, make } from "./dom.js";

const MOST = 1000; // rows; as many as the server keeps

const rows = byId("rows");
const shown = new Map(); // number -> { request, row }
let last = 0;
let run = ""; // of which server

// Asks for what came since; tells what it was, or null where nobody answered.
export async function look() {
  const answer = await askAll("GET", "requests", { after: last });
  if (!answer.ok) return null;
  const another = run && answer.data.run !== run;
  run = answer.data.run;
  if (another) { // which counts from 1
    clear();
    return look();
  }
  const fresh = answer.data.requests;
  last = answer.data.last;
  if (fresh.length > 0) show(fresh);
  return fresh;
}

function clear() {
  last = 0;
  shown.clear();
  rows.replaceChildren();
}

function show(fresh) {
  const flash = shown.size > 0;
  const batch = document.createDocumentFragment();
  for (const request of fresh) {
    const row = rowOf(request);
    row.classList.toggle("fresh", flash);
    shown.set(request.number, { request, row });
    batch.prepend(row);
  }
  rows.prepend(batch);
  for (const [number, { row }] of shown) {
    if (shown.size <= MOST) break;
    row.nextElementSibling?.matches(".more") && row.nextElementSibling.remove();
    row.remove();
    shown.delete(number);
  }
  filter();
}

function rowOf(request) {
  const open = make(
    "button", { type: "button", class: "open path", "aria-expanded": "false" },
    make("span", { class: "method" }, request.method), " ", placeOf(request),
    request.query ? make("span", { class: "query" }, `?${request.query}`) : null,
    request.tool ? make("span", { class: "tag" }, `tool ${request.tool}`) : null,
  );
  const failed = request.status >= 400;
  const cell = (name, ...children) => make("td", { role: "cell", class: name }, ...children);
  const row = make(
    "tr", { role: "row", class: "row" },
    cell("no", String(request.number)),
    cell("what", open),
    cell("clone", request.clone ?? ""),
    cell("status", make("span", { class: failed ? "bad" : "good" }, String(request.status))),
    cell("who", answerer(request), request.fault ? make("span", { class: "tag odd" }, ` fault: ${brief(request.fault)}`) : null),
    cell("took", `${request.durationMs.toFixed(1)} ms`),
  );
  row.addEventListener("click", (event) => {
    if (document.getSelection().isCollapsed || event.target === open) toggle(request.number, row, open);
  });
  return row;
}

// In words, so that no colour is needed.
function answerer({ status, answeredBy }) {
  if (status === 499) return "nobody: the caller left";
  if (status >= 500) return `failed at the ${answeredBy}`;
  return status >= 400 ? `refused by the ${answeredBy}` : `the ${answeredBy}`;
}

const brief = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The path below the clone, or the whole one without the session, which is in the details.
const placeOf = (request) => request.cloneSaw?.path ?? request.path.replace(/^\/runtime\/[^/]+/, "…");

async function toggle(number, row, open) {
  if (open.getAttribute("aria-expanded") === "true") {
    open.setAttribute("aria-expanded", "false");
    open.removeAttribute("aria-controls");
    row.nextElementSibling.remove();
    return;
  }
  open.setAttribute("aria-expanded", "true");
  const cell = make("td", { role: "cell", class: "detail", colspan: 6 }, make("p", { class: "quiet" }, "Loading…"));
  row.after(make("tr", { role: "row", class: "more", id: `request-${number}` }, cell));
  open.setAttribute("aria-controls", `request-${number}`);
  const answer = await askAll("GET", `requests/${number}`);
  cell.replaceChildren(...(answer.ok ? details(answer.data) : [make("p", { class: "note" }, answer.why)]));
}

function details(request) {
  const saw = request.cloneSaw;
  return [
    title("Request"),
    fields([
      ["Path", request.path + (request.query ? `?${request.query}` : "")],
      ["Session", request.sessionId], ["Tool", request.tool],
      ["Fault", request.fault ? brief(request.fault) : null],
    ]),
    title("Request body"), ...body("Request body", request.requestBody),
    title("Response body"), ...body("Response body", request.responseBody),
    title("Headers received"), fields(request.receivedHeaders),
    title("What the clone saw"),
    ...(saw
      ? [make("p", { class: "path" }, `${saw.method} ${saw.path}${saw.query ? `?${saw.query}` : ""}`), fields(saw.headers)]
      : [make("p", { class: "quiet" }, `Nothing: the ${request.answeredBy} answered.`)]),
    title("Response headers"), fields(request.responseHeaders),
  ];
}

const title = (text) => make("h3", {}, text);

function fields(pairs) {
  const list = make("dl", { class: "fields" });
  for (const [name, value] of pairs) {
    if (value !== null && value !== undefined && value !== "") list.append(make("dt", {}, name), make("dd", {}, value));
  }
  return list;
}

function body(label, { type, size, text, note }) {
  const about = [type, `${size} bytes`, note].filter(Boolean).join(", ");
  const parts = [make("p", { class: "quiet" }, size ? about : "None.")];
  if (text !== null) parts.push(block(label, /^\s*[{[]/.test(text) ? laidOut(text) : text));
  return parts;
}

export function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const failures = byId("failures").checked;
  let visible = 0;
  for (const { request, row } of shown.values()) {
    const text = [request.method, request.path, request.query, request.clone, request.status, request.tool, request.answeredBy]
      .join(" ").toLowerCase();
    row.hidden = (failures && request.status < 400) || !words.every((word) => text.includes(word));
    if (row.nextElementSibling?.matches(".more")) row.nextElementSibling.hidden = row.hidden;
    visible += row.hidden ? 0 : 1;
  }
  byId("log").hidden = shown.size === 0;
  byId("count").textContent = shown.size === 0
    ? "No requests yet. They show up here as they come."
    : `${visible === shown.size ? shown.size : `${visible} of ${shown.size}`} shown, the newest first. Open one for its headers and bodies.`;
}
