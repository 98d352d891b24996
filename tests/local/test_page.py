"""The page at `/`, in headless Chromium."""

from __future__ import annotations

import contextlib
import json
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from support import supply
from support.chromium import chromium
from support.page import Page
from support.standin import GITHUB_TOKEN, Control, Route, route, send

from archal_lambda.local import LocalArchal

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser():
    with contextlib.closing(supply.obtained(chromium)) as started:
        yield started


@pytest.fixture
def page(browser):
    return Page(browser)


@pytest.fixture
def archal():
    with LocalArchal() as running:
        yield running


@pytest.fixture
def github(archal):
    return route(archal)


def rows(page):
    """The rows of the table of requests, the newest first, each as its cells' text."""
    return page.run(
        "return page.locator('tr.row:visible').evaluateAll((all) => all.map((row) =>"
        " [...row.cells].map((cell) => cell.innerText.replace(/\\s+/g, ' ').trim())));"
    )


def arrived(page, count):
    page.wait("document.querySelectorAll('tr.row').length >= a.count", count=count)


def opened(page, text):
    """Open the row of a request that has this text; give its details as text."""
    return page.run(
        "const row = page.locator('tr.row', { hasText: args.text }).first(); await row.click();"
        "const details = row.locator('xpath=following-sibling::tr[1]'); await details.locator('h3').first().waitFor();"
        "return details.innerText();",
        text=text,
    )


def focused(page):
    return page.run(
        "return page.evaluate(() => { const e = document.activeElement;"
        " return e.id || e.getAttribute('name') || e.innerText.trim().split('\\n')[0]; });"
    )


def test_it_loads_nothing_from_elsewhere_and_says_nothing_on_the_console(page, archal, github):
    """Every request of the browser goes to the server itself."""
    github("GET", "/user")
    page.open(archal)
    arrived(page, 2)

    said, asked = page.run("return [kept.said, kept.asked];")
    assert said == []
    paths = {url.removeprefix(archal.api_url) for url in asked}
    assert {"/", "/_archal/page.css", "/_archal/page.js"} <= paths
    assert [url for url in asked if not url.startswith(f"{archal.api_url}/")] == []


def test_the_policy_allows_its_own_files_only(archal):
    """No script or style within the page, nothing from elsewhere, no frame, and no text that becomes markup."""
    answer = send(f"{archal.api_url}/")
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in answer.header("content-security-policy").split(";")
    )

    assert answer.status == 200
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.header("x-content-type-options") == "nosniff"
    assert b"<script>" not in answer.body
    assert b"style=" not in answer.body
    assert b"onclick" not in answer.body


def test_an_injected_script_is_stopped_by_the_policy(page, archal):
    """Also where the page's own code would fail to keep it out."""
    page.open(archal)
    held = page.run(
        "return page.evaluate(() => { try { document.body.innerHTML = '<img src=x onerror=\"window.bad=1\">'; }"
        " catch (error) { return String(error); } return 'not stopped'; });"
    )
    assert "TrustedHTML" in held


def test_requests_show_up_as_they_come(page, archal, github):
    """Method, path, clone, status, who answered or refused, and the time; the newest first."""
    page.open(archal)
    arrived(page, 1)
    github("POST", "/user/repos", {"name": "made"})
    github("GET", "/user", credential=None)
    send(f"{archal.base_url('github')}/user")
    arrived(page, 4)

    found = rows(page)
    assert [row[:5] for row in found] == [
        ["4", "GET …/github/api/user", "", "401", "refused by the route"],
        ["3", "GET /user", "github", "401", "refused by the clone"],
        ["2", "POST /user/repos", "github", "201", "the clone"],
        ["1", "POST /api/sessions", "", "200", "the control plane"],
    ]
    assert all(row[5].endswith(" ms") for row in found)


def test_bodies_are_there_on_demand_and_hide_secrets(page, archal, github):
    """Headers, what the clone saw, and both bodies; not before somebody opens the row."""
    github(
        "POST",
        "/user/repos",
        {"name": "made", "password": "hush-hush", "description": GITHUB_TOKEN},
    )
    page.open(archal)
    arrived(page, 2)
    assert not any("/requests/2" in url for url in page.run("return kept.asked;"))

    text = opened(page, "/user/repos")
    assert "What the clone saw" in text
    assert "api.github.com" in text
    assert '"name": "made"' in text
    assert '"full_name": "testuser/made"' in text
    whole = page.run("return page.content();")
    for secret in ("hush-hush", GITHUB_TOKEN, archal.token):
        assert secret not in whole

    page.run("await page.locator('button.open[aria-expanded=true]').click();")
    assert page.run("return page.locator('td.detail').count();") == 0


def test_what_a_caller_sends_does_not_run(page, archal, github):
    """Markup in a path, a query, a header, a body or the state stays text."""
    bad = "<img/src=x/onerror=alert(1)>"
    github("GET", f"/<script>alert(1)</script>?q={bad}", x_test=bad)
    github("POST", "/user/repos", {"name": bad})
    page.open(archal)
    arrived(page, 3)
    opened(page, "<script>")
    opened(page, "POST /user/repos")
    page.run(
        "await page.locator('#state-form button').click(); await page.locator('#state-tree summary').first().waitFor();"
    )
    page.run(
        "for (const each of await page.locator('#state-tree details').all())"
        "  await each.evaluate((e) => { e.open = true; });"
    )
    page.wait("document.querySelector('#state-tree pre') !== null")

    assert page.run("return page.locator('#log script, #log img, #state img').count();") == 0
    assert bad in page.text("#log")
    assert page.run("return kept.said;") == []


def test_the_filter_narrows_the_table(page, archal, github):
    """By words in any order, and to what failed."""
    github("GET", "/user")
    github("GET", "/nowhere-at-all")
    page.open(archal)
    arrived(page, 3)
    page.run("await page.locator('#filter').fill('get github');")
    assert [row[0] for row in rows(page)] == ["3", "2"]
    page.run("await page.locator('#failures').check();")
    assert [row[0] for row in rows(page)] == ["3"]
    assert page.text("#count").startswith("1 of 3 shown")


def test_a_server_that_stops_is_said_and_one_that_comes_back_is_found(page):
    """The rows of the new server replace those of the old one, whose numbers went further."""
    with LocalArchal() as first:
        port = int(first.api_url.rpartition(":")[2])
        for _ in range(3):
            send(f"{first.api_url}/auth/me")
        page.open(first)
        arrived(page, 3)
    page.wait("document.querySelector('#connection').textContent.startsWith('Stopped')")
    page.wait("document.querySelector('#said').textContent.includes('does not answer')")
    with LocalArchal(port=port) as second:
        send(f"{second.api_url}/again")
        page.wait("document.querySelectorAll('tr.row').length === 1")
        assert rows(page)[0][:2] == ["1", "GET /again"]


def test_a_server_that_went_further_is_known_as_another(page):
    """Nothing of the old one is left, the session that was chosen included."""
    with LocalArchal() as first:
        port = int(first.api_url.rpartition(":")[2])
        other = Control(first.api_url, first.token).create().json["sessionId"]
        page.open(first, standin=False)
        arrived(page, 1)
        page.run("await page.locator('#session').selectOption(args.id);", id=other)
    page.wait("document.querySelector('#connection').textContent.startsWith('Stopped')")
    with LocalArchal(port=port) as second:
        for _ in range(5):
            send(f"{second.api_url}/again")
        page.wait("document.querySelectorAll('tr.row').length === 5")
        assert {row[1] for row in rows(page)} == {"GET /again"}
        page.wait("document.querySelector('#session').value === a.id", id=second.session_id)
        assert page.run("return page.locator('#reset-form').isVisible();")


def test_another_session_begins_with_nothing_of_the_first(page, archal):
    """Faults are of all sessions, and can be added whichever is chosen."""
    other = Control(archal.api_url, archal.token).create().json["sessionId"]
    page.open(archal, standin=False)
    page.run("await page.locator('#snapshot').click();")
    page.wait("document.querySelector('#said').textContent.includes('m1')")
    Route(archal.base_url("github"), archal.token)("POST", "/user/repos", {"name": "one"})
    page.wait("/^[1-9]/.test(document.querySelector('#changes-note').textContent)")
    page.wait("document.querySelector('#mark').options.length === 1")
    page.run("await page.locator('#session').selectOption(args.id);", id=other)
    page.wait("document.querySelector('#change-list').children.length === 0")
    page.wait("document.querySelector('#marks-form').hidden")
    assert page.text("#changes-note") == ""
    page.run("await page.locator('#add-fault summary').click();")
    page.run("await page.locator('[name=status]').fill('503');")
    page.run("await page.locator('#fault-form button').click();")
    page.wait("document.querySelector('#said').textContent.includes('Fault f1 is added.')")


def test_a_hidden_or_paused_page_asks_for_no_requests(page, archal, github):
    """Pausing holds the table still, so that it can be read; what nobody can see costs nothing."""
    page.open(archal, clock=True)
    arrived(page, 1)
    github("GET", "/user")

    def asked():
        page.run(
            "kept.asked.length = 0; for (let i = 0; i < 5; i += 1) await page.clock.runFor(1100);"
        )
        return [url for url in page.run("return kept.asked;") if "requests?" in url]

    page.run("await page.locator('#pause').check();")
    asked()
    assert asked() == []
    page.run("await page.locator('#pause').uncheck();")
    assert asked() != []
    page.run(
        "await page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));"
    )
    asked()
    assert asked() == []


@pytest.mark.parametrize(
    ("status", "message"), [(404, "there is no such handle"), (501, "cannot do it")]
)
def test_where_a_handle_is_missing_the_page_says_so(page, archal, status, message):
    """The requests work without the others."""
    send(f"{archal.api_url}/auth/me")
    page.open(archal, missing=status, message=message)
    arrived(page, 1)
    expected = {404: "Not available in this version (404).", 501: "cannot do it (501)."}[status]

    page.wait(
        "document.querySelector('#faults-note').textContent === a.expected", expected=expected
    )
    assert page.text("#world-note") == expected
    for button, place in (("#snapshot", "#changes-note"), ("#state-form button", "#state-note")):
        page.run("await page.locator(args.button).click();", button=button)
        page.wait(
            "document.querySelector(a.place).textContent === a.expected",
            place=place,
            expected=expected,
        )


def test_the_buttons_call_the_handles(page, archal):
    """Reset, snapshot, changes, restore, faults: each by its own call, and what came of it is said."""
    page.open(archal)
    page.wait("document.querySelector('#reset-clone').options.length === 2")

    def press(selector, said):
        page.run("await page.locator(args.selector).click();", selector=selector)
        page.wait("document.querySelector('#said').textContent.includes(a.said)", said=said)

    press("#reset-form button", "All clones went back to the seed.")
    page.run("await page.locator('#reset-clone').selectOption('github');")
    press("#reset-form button", "github went back to the seed.")
    press("#snapshot", "Snapshot m1 is taken.")
    page.wait("document.querySelector('#change-list').textContent.includes('testuser/made added')")
    press("#marks-form button[type=submit]", "1 change since m1.")
    press("#restore", "Snapshot m1 is restored.")
    page.run("await page.locator('#add-fault summary').click();")
    page.run(
        "await page.locator('[name=path]').fill('/repos/*'); await page.locator('[name=status]').fill('503');"
    )
    press("#fault-form button", "Fault f1 is added.")
    assert "github any method /repos/*" in page.text("#fault-list")
    assert "status 503" in page.text("#fault-list")
    press("#fault-list button", "Fault f1 is removed.")
    press("#fault-form button", "Fault f1 is added.")
    press("#clear-faults", "All faults are removed.")

    rule = {"clone": "github", "path": "/repos/*", "status": 503}
    assert page.run("return kept.calls;") == [
        ["POST reset", {}],
        ["POST reset", {"clone": "github"}],
        ["POST snapshots", {}],
        ["POST snapshots/m1/restore", {}],
        ["POST faults", rule],
        ["DELETE faults/f1", {}],
        ["POST faults", rule],
        ["DELETE faults", {}],
    ]
    assert page.run("return kept.said;") == []


def test_the_state_opens_by_kind_and_object(page, archal):
    """What is not opened is not laid out."""
    page.open(archal)
    page.run("await page.locator('#state-form button').click();")
    page.wait("document.querySelector('#state-tree').textContent.includes('issue (1)')")
    assert page.run("return page.locator('#state-tree pre').count();") == 0
    page.run(
        "await page.getByText('issue (1)').click(); await page.getByText('testuser/webshop#1').click();"
    )
    page.wait("document.querySelector('#state-tree pre') !== null")
    assert '"title": "<img' in page.text("#state-tree pre")


def test_with_the_keyboard_alone(page, archal, github):
    """Tab goes through everything in the order it stands in, Enter opens a row, and the focus can be seen."""
    github("GET", "/user")
    page.open(archal)
    arrived(page, 2)
    page.wait("document.querySelector('#reset-clone').options.length === 2")
    page.run("await page.evaluate(() => document.activeElement.blur());")
    expected = ["Skip to the requests", "Requests", "Sessions", "Changes", "Faults", "State"]
    expected += ["filter", "failures", "pause", "GET /user", "POST /api/sessions"]
    expected += [
        "session",
        "reset-clone",
        "Reset",
        "snapshot",
        "Add a fault",
        "state-clone",
        "Show state",
    ]
    for name in expected:
        page.run("await page.keyboard.press('Tab');")
        assert focused(page) == name
        outline = (
            "return page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);"
        )
        assert page.run(outline) == "solid", name
    page.run("await page.keyboard.press('Tab');")
    assert (
        page.run("return page.evaluate(() => document.activeElement.tagName);") == "BODY"
    )  # no trap

    page.run(
        "await page.locator('button.open').first().focus(); await page.keyboard.press('Enter');"
    )
    page.wait("document.querySelector('td.detail h3') !== null")
    assert (
        page.run("return page.locator('button.open').first().getAttribute('aria-expanded');")
        == "true"
    )
    page.run("await page.keyboard.press('Tab');")
    assert page.run("return page.evaluate(() => document.activeElement.tagName);") == "PRE"
    page.run("await page.keyboard.press('Shift+Tab'); await page.keyboard.press(' ');")
    page.wait("document.querySelector('td.detail') === null")


def test_new_requests_do_not_move_the_focus(page, archal, github):
    """Whoever reads one stays there, with its details open."""
    github("GET", "/user")
    page.open(archal)
    arrived(page, 2)
    page.run(
        "await page.locator('button.open').first().focus(); await page.keyboard.press('Enter');"
    )
    page.wait("document.querySelector('td.detail h3') !== null")
    github("GET", "/user/repos")
    arrived(page, 3)
    assert "GET /user" in focused(page)
    assert page.run("return page.locator('td.detail h3').count();") > 0
    assert page.text("#said") == ""  # and nobody is told of each


def test_a_screen_reader_finds_landmarks_headings_and_a_table(page, archal, github):
    """The accessibility tree has roles and names; states are words."""
    github("GET", "/user", credential=None)
    page.open(archal, viewport=PHONE)
    arrived(page, 2)
    page.wait("document.querySelector('#reset-clone').options.length === 2")
    tree = page.run("return page.locator('body').ariaSnapshot();")

    for part in (
        "- banner:",
        '- navigation "Sections":',
        "- main:",
        '- heading "Local Archal" [level=1]',
        '- region "Requests":',
        '- heading "Requests" [level=2]',
        '- region "Sessions":',
        '- region "Changes":',
        '- region "Faults":',
        '- region "State":',
        '- searchbox "Filter"',
        '- checkbox "Failures only"',
        '- table "Requests":',
        '- columnheader "Answered by"',
        '- button "GET /user"',
        '- cell "refused by the clone"',
        '- combobox "Session"',
        '- button "Reset"',
        '- button "Take a snapshot"',
    ):
        assert part in tree, part
    roles = page.run(
        "const client = await kept.context.newCDPSession(page);"
        "const { nodes } = await client.send('Accessibility.getFullAXTree');"
        "return nodes.filter((node) => !node.ignored).map((node) => node.role.value);"
    )
    assert roles.count("row") == 3
    assert roles.count("columnheader") == 6
    assert "status" in roles


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(page, archal, github, width, scheme):
    """At each width, light and dark, with everything open: names, roles, contrast (WCAG 2.2 AA)."""
    github("GET", f"/{'a-long-path-without-an-end' * 8}")
    github("POST", "/user/repos", {"name": "made", "description": "x" * 300})
    page.open(archal, viewport={"width": width, "height": 900}, colorScheme=scheme)
    arrived(page, 3)
    page.run(
        "await page.locator('#snapshot').click(); await page.locator('#change-list li').waitFor();"
    )
    page.run(
        "await page.locator('#add-fault summary').click(); await page.locator('#fault-form button').click();"
    )
    page.run(
        "await page.locator('#fault-list li').waitFor(); await page.locator('#state-form button').click();"
    )
    opened(page, "POST /user/repos")
    page.run(
        "for (const each of await page.locator('#state-tree details').all())"
        "  await each.evaluate((e) => { e.open = true; });"
    )
    found = page.run(
        "await page.evaluate(axe); return page.evaluate(async () => (await window.axe.run(document,"
        " { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })).violations"
        " .map(({ id, nodes }) => [id, ...nodes.map((node) => `${node.html.slice(0, 120)} ${node.failureSummary}`)]));"
    )

    assert found == []
    widths = page.run(
        "return page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);"
    )
    assert widths[0] == widths[1] == width


def test_light_and_dark_follow_the_system(page, archal):
    """Both are there, and differ."""
    colours = []
    for scheme in ("light", "dark"):
        page.open(archal, colorScheme=scheme)
        colours.append(
            page.run("return page.evaluate(() => getComputedStyle(document.body).backgroundColor);")
        )
    assert colours == ["rgb(246, 247, 249)", "rgb(18, 21, 27)"]


def test_without_motion_nothing_moves(page, archal, github):
    """New rows light up only where the system allows motion."""
    names = []
    for motion in ("reduce", "no-preference"):
        page.open(archal, reducedMotion=motion)
        count = page.run("return page.locator('tr.row').count();")
        arrived(page, 1)
        count = page.run("return page.locator('tr.row').count();")
        github("GET", "/user")
        arrived(page, count + 1)
        names.append(
            page.run(
                "return page.locator('tr.row').first().evaluate((row) => getComputedStyle(row).animationName);"
            )
        )
    assert names == ["none", "come"]


def test_an_open_page_does_not_hold_up_the_stop(page):
    """Nor does an idle connection; the bound is generous for slow machines, `tests/benchmarks/stop.py` measures."""
    took = []
    for _ in range(5):
        archal = LocalArchal().start()
        page.open(archal, standin=False)
        started = time.perf_counter()
        archal.stop()
        took.append(time.perf_counter() - started)
    assert sorted(took)[2] < 0.1


def test_the_handles_of_the_server_itself_serve_the_page(page, archal, github):
    """Whichever there are: the page works with what this version answers, and nothing of it is an error."""
    github("GET", "/user")
    page.open(archal, standin=False)
    arrived(page, 2)
    present = json.loads(send(f"{archal.api_url}/_archal/requests?after=0").body)
    assert present["last"] == 2
    assert page.run("return kept.said.filter((text) => !text.includes('404'));") == []


def test_the_picture_in_the_readme_is_of_this_page(page, tmp_path):
    """It is a PNG of less than 200 KB, made by `tests/screenshot.py`, which still can."""
    root = Path(__file__).parents[2]
    picture = root / "docs" / "page.png"
    assert "(docs/page.png)" in (root / "README.md").read_text(encoding="utf-8")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size < 200_000

    load = spec_from_file_location("screenshot", root / "tests" / "screenshot.py")
    screenshot = module_from_spec(load)
    load.loader.exec_module(screenshot)
    screenshot.take(page, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes()[:24] == picture.read_bytes()[
        :24
    ]  # of the same size
