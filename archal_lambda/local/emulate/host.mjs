// The Node side of a local Archal: makes and closes instances of npm's `emulate`, one for each session and clone.
//
// It is told by lines of JSON on stdin and answers with lines of JSON on stdout, in order. It ends with its stdin, so
// that a parent that was killed leaves nothing behind. Instances listen on 127.0.0.1 only.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

import { catchAll, listen, prepare, sent, within } from "./webhooks.mjs";

const dist = join(process.argv[2], "dist");
const TRIES = 20;
const SHOWN = 300;
// Emulators answer web pages of any origin; what is sent here comes from the parent alone.
const KEY = randomBytes(16).toString("hex");

console.log = console.info = console.debug = console.error; // stdout is for the answers
process.on("unhandledRejection", (reason) => console.error(reason));
process.stdout.on("error", () => process.exit(0));

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
catchAll(say);

const { createEmulator } = await import(pathToFileURL(join(dist, "api.js")));
const source = await readFile(join(dist, "api.js"), "utf8");

// What `createEmulator` keeps to itself: application, state and tokens of the instance under way, and what of emulate's
// own example data is taken out before it.
let parts;
let without = { clear: [], zero: {} };
const watched = new Set();

async function watch(service) {
  if (watched.has(service)) return;
  const found = new RegExp(`import\\("\\./([\\w.-]+)"\\);\\s*return \\{\\s*plugin: mod\\.${service}Plugin\\b`).exec(source);
  if (!found) throw new Error(`emulate has no ${service}`);
  const plugin = (await import(pathToFileURL(join(dist, found[1]))))[`${service}Plugin`];
  const { register, seed } = plugin;
  plugin.register = function (app, store, webhooks, baseUrl, tokens) {
    // Every service is given GitHub's limit of 5,000 requests an hour, in GitHub's words.
    if (service !== "github") app.middleware.pop();
    const place = { service, number: 0 };
    app.use("*", (c, next) =>
      c.req.header("x-archal-emulator-key") === KEY ? within(place, next) : c.json({}, 403),
    );
    parts = { app, store, webhooks, tokens, place };
    prepare(place, store, webhooks);
    const made = register.call(this, app, store, webhooks, baseUrl, tokens);
    listen(place, store, webhooks, say);
    return made;
  };
  plugin.seed = function (store, baseUrl) {
    seed.call(this, store, baseUrl);
    for (const name of without.clear) store.collection(name).clear();
    for (const [name, fields] of Object.entries(without.zero)) {
      const collection = store.collection(name);
      for (const { id } of collection.all()) collection.update(id, fields);
    }
  };
  watched.add(service);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const instances = new Map();
const marks = new Map();
let last = 0;

async function open({ service, baseUrl, seed, clear, zero }) {
  await watch(service);
  without = { clear, zero };
  for (let left = TRIES; ; left--) {
    const port = await freePort(); // `createEmulator` does not tell which one it took
    try {
      const emulator = await createEmulator({ service, port, hostname: "127.0.0.1", baseUrl, seed });
      const { app } = parts;
      app.notFound((c) => c.json({}, 501, { "x-archal-local": "not-implemented" }));
      parts.place.number = ++last;
      instances.set(last, { emulator, ...parts });
      return { instance: last, port, key: KEY };
    } catch (error) {
      if (error.code !== "EADDRINUSE" || left === 0) throw error;
    }
  }
}

const tasks = {
  open,
  async close({ instance }) {
    const { emulator } = instances.get(instance);
    instances.delete(instance);
    await emulator.close();
  },
  snapshot({ instance }) {
    const { store, webhooks, tokens } = instances.get(instance);
    const taken = { store: store.snapshot(), tokens: [...tokens], webhooks: webhooks.getSubscriptions() };
    marks.set(++last, structuredClone(taken));
    return { mark: last };
  },
  restore({ instance, mark }) {
    const { store, webhooks, tokens } = instances.get(instance);
    const taken = structuredClone(marks.get(mark)); // which may be wanted again
    store.restore(taken.store);
    tokens.clear();
    for (const [token, user] of taken.tokens) tokens.set(token, user);
    webhooks.clear();
    for (const subscription of taken.webhooks) webhooks.register(subscription);
  },
  // What was told before is on its way when this is answered.
  settle({ instance }) {
    return { left: instances.get(instance).place.busy };
  },
  forget({ marks: gone }) {
    for (const mark of gone) marks.delete(mark);
  },
  state({ instance }) {
    const { collections } = instances.get(instance).store.snapshot();
    return Object.fromEntries(Object.entries(collections).map(([name, { items }]) => [name, items]));
  },
};

let turn = Promise.resolve();

createInterface({ input: process.stdin, terminal: false })
  .on("line", (line) => {
    const { id, task, ...request } = JSON.parse(line);
    if (task === "sent") return sent(request); // whoever waits may be in the way of a turn
    turn = turn
      .then(() => tasks[task](request))
      .then((done) => say({ id, done: done ?? null }))
      .catch((error) => say({ id, error: String(error?.message ?? error).slice(0, SHOWN) }));
  })
  .on("close", () => process.exit(0));

say({ ready: process.versions.node });
