// Holds one headless Chromium, and runs what its parent sends: a line of JSON each, `{code, args}`, for a line of JSON.
// `code` is the body of an async function of `browser`, `kept` (an object that stays), `args` and `axe`.

import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [core, axeFile, executablePath] = process.argv.slice(2);
const { chromium } = await import(pathToFileURL(`${core}/index.mjs`).href);
const axe = readFileSync(axeFile, "utf8");
const browser = await chromium.launch({
  executablePath,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
const AsyncFunction = (async () => {}).constructor;
const kept = { said: [] };
process.on("unhandledRejection", (error) => kept.said.push(String(error)));
process.stdout.write(`${JSON.stringify({ version: browser.version() })}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { code, args } = JSON.parse(line);
  let answer;
  try {
    const value = await new AsyncFunction("browser", "kept", "args", "axe", code)(browser, kept, args, axe);
    answer = { value: value ?? null };
  } catch (error) {
    answer = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
