// Makes elements. Whatever comes from a request goes in as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A block of text that can be scrolled, and therefore be reached by keyboard.
export const block = (label, text) => make("pre", { tabindex: 0, role: "group", "aria-label": label }, text);

// Shows a text, or nothing; what went wrong looks like it.
export function note(element, text, wrong = false) {
  element.textContent = text;
  element.className = wrong ? "note" : "quiet";
  element.hidden = !text;
}

// Replaces the options of a <select>, and keeps what is chosen; those written in the page stay in front.
export function options(select, values, chosen = select.value) {
  const wanted = values.map(String);
  const fixed = [...select.options].filter((option) => !("made" in option.dataset));
  const present = [...select.options].filter((option) => "made" in option.dataset).map((option) => option.value);
  if (present.join("\n") !== wanted.join("\n")) {
    select.replaceChildren(...fixed, ...wanted.map((value) => make("option", { value, "data-made": true }, value)));
  }
  if ([...select.options].some((option) => option.value === chosen)) select.value = chosen;
}

let spoken;

// Says what came of something that was asked for; what merely happens is not said.
export function say(text) {
  const place = byId("said");
  clearTimeout(spoken);
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
  spoken = setTimeout(() => { place.textContent = ""; }, 8000);
}

// Lays JSON out over lines without reading its values: numbers and repeated keys stay as they were sent.
export function laidOut(text) {
  let depth = 0, out = "", before = "";
  const line = () => "\n" + "  ".repeat(depth);
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*(?:"|$)|[{}[\],:]|[^\s{}[\],:"]+/gs)) {
    if (token === "}" || token === "]") {
      depth = Math.max(0, depth - 1);
      if (before !== "{" && before !== "[") out += line();
    } else if (before === "{" || before === "[" || before === ",") out += line();
    out += token === ":" ? ": " : token;
    if (token === "{" || token === "[") depth += 1;
    before = token;
  }
  return out;
}

export const json = (value) => JSON.stringify(value, null, 2);
