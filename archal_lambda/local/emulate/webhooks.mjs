// What emulate's services tell: caught on its way out, and handed to the parent, which delivers it.
//
// Node itself asks nobody for anything. A request of a caller does not wait for the deliveries that it causes, as with
// the services; emulate's own lists of deliveries get the result when it is there.
import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes, randomUUID } from "node:crypto";

const NOTE = Symbol("note"); // what is known of a delivery, on the headers that emulate makes for it
const LINEAR_WATCHER = "archal:everything";

const here = new AsyncLocalStorage(); // the instance that a request has come to
const waiting = new Map();
let last = 0;

export function within(place, next) {
  return here.run(place, next);
}

// Every request that emulate makes by itself is a delivery.
export function catchAll(say) {
  globalThis.fetch = (url, { headers = {}, body = "" } = {}) => {
    const place = here.getStore();
    if (!place) return Promise.reject(new Error("nothing is fetched here"));
    return place.service === "linear" ? linear(place, String(url), headers, body, say) : send(place, String(url), headers, body, say);
  };
}

export function sent({ send: number, status, error }) {
  const done = waiting.get(number);
  waiting.delete(number);
  done?.(status, error);
}

// Before the service's own routes are made.
export function prepare(place, store, webhooks) {
  place.busy = 0;
  const noting = (factory) => (context) => {
    const headers = factory.call(webhooks, context);
    const { event, action, subscription, deliveryId } = context;
    const stored = place.service === "github" ? store.collection("github.webhooks").get(subscription.id) : undefined;
    const secret = place.service === "slack" ? store.getData("slack.signing_secret") : subscription.secret;
    headers[NOTE] = { event, action, secret, hook: subscription.id, delivery: deliveryId, form: stored?.config.content_type === "form" };
    return headers;
  };
  webhooks.headerFactory = noting(webhooks.headerFactory);
  webhooks.setHeaderFactory = (factory) => (webhooks.headerFactory = noting(factory));
}

// After them: GitHub's service has put its own dispatch there by then.
export function listen(place, store, webhooks, say) {
  const dispatch = webhooks.dispatch;
  webhooks.dispatch = async (event, action, payload, owner, repo) => {
    const whole = place.service === "stripe" ? stripeEvent(payload) : payload;
    if (event !== "ping") say({ told: { instance: place.number, event, action, body: JSON.stringify(whole) } });
    place.busy++;
    dispatch
      .call(webhooks, event, action, whole, owner, repo)
      .catch((error) => console.error(error))
      .finally(() => place.busy--);
  };
  if (place.service === "linear") place.logged = watchLinear(store);
}

// docs.stripe.com/api/events/object: emulate has `type` and `data` alone.
function stripeEvent(payload) {
  return {
    id: `evt_${randomBytes(12).toString("hex")}`,
    object: "event",
    api_version: null,
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    pending_webhooks: 1,
    request: { id: `req_${randomBytes(7).toString("hex")}`, idempotency_key: null },
    ...payload,
  };
}

function send(place, url, headers, body, say) {
  const number = ++last;
  const note = headers[NOTE];
  say({ told: { instance: place.number, send: number, url, body, ...(note ?? { given: Object.entries(headers) }) } });
  return new Promise((resolve, reject) => {
    waiting.set(number, (status, error) => {
      if (error || !status) reject(new Error(error ?? "no response"));
      else resolve(new Response(null, { status }));
    });
  });
}

// Linear's service waits for each delivery, and has no dispatcher: it looks its webhooks up by itself.
function linear(place, url, headers, body, say) {
  const { type, action } = JSON.parse(body);
  if (url === LINEAR_WATCHER) {
    say({ told: { instance: place.number, event: type, action, body } });
  } else {
    const number = ++last;
    place.busy++;
    waiting.set(number, (status, error) => {
      place.busy--;
      place.logged?.(headers["Linear-Delivery"], status ?? null, error ?? null);
    });
    say({ told: { instance: place.number, send: number, url, body, event: type, action, given: Object.entries(headers) } });
  }
  return Promise.resolve(new Response(null, { status: 200 }));
}

function watchLinear(store) {
  const hooks = store.collection("linear.webhooks", ["linear_id", "team_id"]);
  const all = hooks.all.bind(hooks);
  hooks.all = () => {
    const found = all();
    // A delivery looks for hooks that are enabled; the lists of hooks do not ask for that, and do not find this one.
    const filter = (wanted) => {
      const watcher = {
        url: LINEAR_WATCHER,
        linear_id: randomUUID(),
        resource_types: ["*"],
        asked: false,
        get enabled() {
          return (this.asked = true);
        },
        get all_public_teams() {
          return this.asked;
        },
      };
      const kept = Array.prototype.filter.call(found, wanted);
      return wanted(watcher) ? [...kept, watcher] : kept;
    };
    return Object.defineProperty(found, "filter", { value: filter }); // which copies of the list do not have
  };
  const log = store.collection("linear.webhook_deliveries", ["linear_id", "webhook_id"]);
  const insert = log.insert.bind(log);
  log.insert = (row) => (row.url === LINEAR_WATCHER ? row : insert({ ...row, status: null }));
  return (delivery, status, error) => {
    const row = log.all().find((one) => one.headers["Linear-Delivery"] === delivery);
    if (row) log.update(row.id, { status, error });
  };
}
