// Talks to the handles below /_archal/, for the session that is chosen; no session means the one that was ready first.

let session = "";

export function choose(id) {
  const changed = session !== id;
  session = id;
  return changed;
}

export const isChosen = () => session !== "";

// Of what is not one session's, such as faults and requests.
export const askAll = (method, path, fields = {}) => ask(method, path, fields, "");

export async function ask(method, path, fields = {}, whose = session) {
  const values = whose ? { ...fields, session: whose } : fields;
  const query = new URLSearchParams(values).toString();
  const reads = method === "GET";
  let response;
  try {
    response = await fetch(`/_archal/${path}${reads && query ? `?${query}` : ""}`, {
      method,
      cache: "no-store",
      ...(reads ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) }),
    });
    const text = await response.text();
    const data = text ? JSON.parse(text) : null;
    const missing = response.status === 404 && data?.message === "there is no such handle";
    return { ok: response.ok, missing, data, why: response.ok ? "" : why(response.status, data, missing) };
  } catch {
    return { ok: false, missing: false, data: null, why: "The local Archal does not answer." };
  }
}

function why(status, data, missing) {
  // Of a handle that is not there, only the status is of use.
  if (missing) return "Not available in this version (404).";
  return `${data?.message ?? "It failed"} (${status}).`;
}
