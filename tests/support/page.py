"""The local Archal's page in Chromium, and a stand-in for those of its handles that a server has not."""

from __future__ import annotations

import dataclasses

# What the handles of state and faults answer, as their contract has it.
HANDLES = """
kept.session = args.session;
const summary = { sessionId: kept.session, status: "running", cloneIds: ["github"],
  expiresAt: "2030-01-31T08:00:00.000Z", endedAt: null, lastError: null };
const marks = [], faults = [];
const answers = {
  "GET world": () => ({ session: kept.session, sessions: [summary], marks,
    clones: [{ id: "github", baseUrl: "http://x", seed: "empty", seeds: ["empty"], now: 1800000000 }] }),
  "GET state": () => ({ github: { issue: { "testuser/webshop#1": { title: "<img src=x onerror=alert(1)>" } } } }),
  "POST reset": () => null,
  "POST snapshots": () => { marks.push(`m${marks.length + 1}`); return { mark: marks.at(-1) }; },
  "POST snapshots/m1/restore": () => null,
  "GET snapshots/m1/diff": () => ({ changes: [{ clone: "github", kind: "repo", key: "testuser/made",
    before: null, after: { name: "made" }, text: "github repo testuser/made added" }] }),
  "GET faults": () => ({ faults }),
  "POST faults": (rule) => {
    faults.push({ id: `f${faults.length + 1}`, ...rule, hits: 0 });
    return { id: faults.at(-1).id };
  },
  "DELETE faults": () => { faults.length = 0; return null; },
  "DELETE faults/f1": () => { faults.shift(); return null; },
};
"""
OPEN = (
    HANDLES
    + """
await kept.context?.close();
kept.context = await browser.newContext({ reducedMotion: "reduce", ...args.options });
const page = kept.page = await kept.context.newPage();
kept.said = []; kept.asked = []; kept.calls = [];
page.on("console", (message) => kept.said.push(message.text()));
page.on("pageerror", (error) => kept.said.push(String(error)));
page.on("dialog", (dialog) => { kept.said.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
page.on("request", (request) => kept.asked.push(request.url()));
await page.route(/\\/_archal\\/(world|state|reset|snapshots|faults|clock)(?=[/?]|$)/, async (route) => {
  const request = route.request(), url = new URL(request.url());
  const spelled = `${request.method()} ${url.pathname.slice("/_archal/".length)}`;
  if (request.method() !== "GET") kept.calls.push([spelled, JSON.parse(request.postData() || "{}")]);
  if (args.missing) {
    await route.fulfill({ status: args.missing, json: { error: "e", code: "c", message: args.message } });
    return;
  }
  if (!args.standin) {
    await route.continue();
    return;
  }
  const value = answers[spelled](JSON.parse(request.postData() || "{}"));
  await (value === null ? route.fulfill({ status: 204 }) : route.fulfill({ json: value }));
});
if (args.clock) await page.clock.install();
await page.goto(args.url);
await page.waitForFunction(() => document.querySelector("#connection").textContent.startsWith("http"));
"""
)


@dataclasses.dataclass
class Page:
    """One page; `run` takes JavaScript with `page` in it."""

    browser: object

    def open(self, archal, *, standin=True, missing=None, message="", clock=False, **options):
        """Open the page; `clock` holds its time.

        `standin` answers for the handles of state and faults, `missing` refuses them with that status.
        """
        self.browser.run(
            OPEN,
            url=f"{archal.api_url}/",
            session=archal.session_id,
            standin=standin,
            missing=missing,
            message=message,
            clock=clock,
            options=options,
        )

    def run(self, code, **args):
        return self.browser.run(f"const page = kept.page;{code}", **args)

    def text(self, selector):
        return self.run("return page.locator(args.selector).innerText();", selector=selector)

    def wait(self, condition, **args):
        """Wait until an expression in the page is true; `a` is what it is told."""
        code = "await page.waitForFunction(new Function('a', `return ${args.condition}`), args.args, {timeout: 8000});"
        self.run(code, condition=condition, args=args)
