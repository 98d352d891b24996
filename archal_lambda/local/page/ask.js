// Talks to the handles below /_archal/, for the session that is chosen; no session means the one that was ready first.

let session = "";

export function choose(id) { session = id; }

export async function ask(method, path, fields = {}) {
  const values = session ? { ...fields, session } : fields;
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
    return { ok: response.ok, status: response.status, data, why: response.ok ? "" : why(response.status, data) };
  } catch {
    return { ok: false, status: 0, data: null, why: "The local Archal does not answer." };
  }
}

function why(status, data) {
  // Of a handle that is not there, only the status is of use.
  if (status === 404 && data?.message === "there is no such handle") return "Not available in this version (404).";
  return `${data?.message ?? "It failed"} (${status}).`;
}
