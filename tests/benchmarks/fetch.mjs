// Node's fetch with AbortSignal.timeout(), told line by line what to do, as worker.py is.
import { createInterface } from "node:readline";

let origin, timeout;

async function call(path, size) {
  const response = await fetch(`${origin}/svc/api${path}`, {
    method: "POST",
    body: size ? "x".repeat(size) : '{"name": "measured"}',
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(timeout * 1000),
  });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()).items;
}

const commands = {
  async open(command) {
    ({ origin, timeout } = command);
    return {};
  },
  async fault({ path, size }) {
    const started = performance.now();
    let outcome = "no error";
    try {
      await call(path, size);
    } catch (error) {
      outcome = error.name;
    }
    return { wall: (performance.now() - started) / 1000, outcome };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  console.log(JSON.stringify(await commands[command.do](command)));
}
