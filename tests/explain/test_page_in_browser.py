"""The page in headless Chromium, driven over its debugging pipe. Skipped where there is no Chromium."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from rapport.explain.plan_page import PlanRow, PlanView
from rapport.explain.plan_page import render as render_plan
from rapport.explain.review import Customer, Review, write

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page is not opened")

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-extensions --disable-dev-shm-usage --remote-debugging-pipe"
)
# Chromium reads commands from descriptor 3 and writes answers to 4.
BECOME = "import os, sys; [os.dup2(int(sys.argv[i + 1]), 3 + i) for i in (0, 1)]; os.execv(sys.argv[3], sys.argv[3:])"


class Browser:
    """One tab of a headless Chromium: commands and events are JSON texts, each ended by a NUL."""

    def __init__(self, profile):
        to_read, to_write = os.pipe()
        from_read, from_write = os.pipe()
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (to_read, from_write)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", BECOME, *map(str, theirs), CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}"],
            pass_fds=theirs,
            stderr=subprocess.DEVNULL,
        )
        for fd in (to_read, from_write, *theirs):
            os.close(fd)
        self.write_to, self.read_from = to_write, from_read
        self.rest, self.last, self.session, self.events = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_to, json.dumps(message).encode() + b"\0")
        answer = self.wait(lambda m: m.get("id") == self.last)
        assert "error" not in answer, answer
        return answer["result"]

    def wait(self, wanted, seconds=60):
        end = time.monotonic() + seconds
        while True:
            while b"\0" in self.rest:
                text, self.rest = self.rest.split(b"\0", 1)
                message = json.loads(text)
                self.events.append(message)
                if wanted(message):
                    return message
            assert select.select([self.read_from], [], [], max(end - time.monotonic(), 0))[0], "chromium is silent"
            data = os.read(self.read_from, 1 << 16)
            assert data, "chromium ended"
            self.rest += data

    def open(self, path):
        self.events = []
        self.call("Page.navigate", url=path.as_uri())
        if not any(m.get("method") == "Page.loadEventFired" for m in self.events):
            self.wait(lambda m: m.get("method") == "Page.loadEventFired")
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")

    def run(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def key(self, key, code, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def complaints(self):
        """Console errors, exceptions, and breaches of the security policy."""
        kinds = (
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Runtime.consoleAPICalled",
            "Page.javascriptDialogOpening",
        )
        return [m for m in self.events if m.get("method") in kinds]

    def requests(self):
        sent = [m["params"] for m in self.events if m.get("method") == "Network.requestWillBeSent"]
        return [r["request"]["url"][:60] for r in sent if not r["request"]["url"].startswith("data:")]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.write_to)
        os.close(self.read_from)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


SHOWN = "[...document.querySelectorAll('.customer')].filter((row) => !row.hidden).map((row) => row.id)"


def test_the_page_opens_without_complaints_or_requests(browser, fake_review, tmp_path):
    path = write(fake_review, tmp_path / "page.html")
    browser.open(path)
    assert browser.run("document.querySelector('h1').textContent") == fake_review.question
    assert browser.run("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()[:60]]


def test_ranked_offers_unfold_one_by_one(browser, fake_review, tmp_path):
    score = fake_review.customers[0].scores[0]
    offers = tuple(replace(score, label=f"category {i}", probability=0.5 - 0.1 * i) for i in range(4))
    browser.open(
        write(replace(fake_review, customers=()).with_customers([Customer("9", offers)]), tmp_path / "page.html")
    )
    tables = "[...document.querySelectorAll('.waterfall')].map((table) => table.checkVisibility())"
    assert browser.run(tables) == [True, False, False, False]
    browser.run("document.querySelectorAll('.offers summary')[2].click()")
    assert browser.run(tables) == [True, False, True, False]
    assert browser.complaints() == []


def test_a_bare_page_opens_too(browser, tmp_path):
    browser.open(
        write(Review("shop", "churn", "Who leaves?", "All.", "No purchase.", "28 days", "D"), tmp_path / "page.html")
    )
    assert browser.run("document.getElementById('search')") is None
    assert browser.complaints() == []


def test_search_finds_a_customer_by_keyboard_alone(browser, fake_review, tmp_path):
    browser.open(write(fake_review, tmp_path / "page.html"))
    assert len(browser.run(SHOWN)) == len(fake_review.customers)
    wanted = fake_review.customers[7].entity_id
    browser.run("document.getElementById('search').focus()")
    browser.call("Input.insertText", text=wanted)
    assert len(browser.run(SHOWN)) == 1
    assert browser.run("document.getElementById('found').textContent") == f"1 of {len(fake_review.customers)} shown"
    browser.key("Enter", 13, "\r")
    assert browser.run("document.activeElement.textContent").split()[0] == wanted
    assert browser.run("document.activeElement.parentElement.open")
    assert browser.run("document.activeElement.parentElement.querySelector('.waterfall').offsetHeight") > 50
    browser.key("Enter", 13, "\r")
    assert not browser.run("document.activeElement.parentElement.open")
    browser.run("document.getElementById('search').focus()")
    browser.call("Input.insertText", text="nobody")
    assert browser.run(SHOWN) == []
    assert "--id ID" in browser.run("document.getElementById('missing').innerText")
    browser.key("Escape", 27)
    assert len(browser.run(SHOWN)) == len(fake_review.customers)
    assert browser.complaints() == []


def test_hostile_values_do_nothing(browser, fake_review, tmp_path):
    text = (
        "</script><script>window.harm=1</script><img src=http://example.com/x onerror=window.harm=2>=cmd|x \u202e\x00😀"
    )
    score = fake_review.customers[0].scores[0]
    reasons = tuple(replace(r, words=text, group=text) for r in score.reasons)
    review = replace(
        fake_review,
        question=text,
        limits=(text + "x" * 10_000,),
        customers=(Customer(text, (replace(score, label=text, reasons=reasons),) * 3),),
        pictures=(replace(fake_review.pictures[0], svg=f"<svg xmlns='http://www.w3.org/2000/svg'>{text}</svg>"),),
    )
    path = write(review, tmp_path / "page.html")
    browser.open(path)
    assert browser.run("window.harm") is None
    assert browser.run("document.scripts.length") == 2
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()[:60]]
    browser.run("document.getElementById('search').focus()")
    browser.call("Input.insertText", text="=CMD|x")
    assert len(browser.run(SHOWN)) == 1


def test_the_policy_stops_what_slips_in(browser, fake_review, tmp_path):
    path = write(fake_review, tmp_path / "page.html")
    slipped = "<script>window.harm=1</script><img src='http://127.0.0.1:9/x'><b onclick='window.harm=2'>x</b>"
    path.write_text(path.read_text(encoding="utf-8").replace("<main", slipped + "<main"), encoding="utf-8")
    browser.open(path)
    browser.run("document.querySelector('b[onclick]').click()")
    assert browser.run("window.harm") is None
    assert browser.complaints()
    failed = [m for m in browser.events if m.get("method") == "Network.responseReceived"]
    assert not [m for m in failed if "127.0.0.1" in m["params"]["response"]["url"]]


@pytest.mark.parametrize("width", [360, 420, 768, 1300])
def test_nothing_sticks_out_at_any_width(browser, fake_review, tmp_path, width):
    path = write(fake_review, tmp_path / "page.html")
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.open(path)
    browser.run("document.querySelectorAll('details').forEach((row) => { row.open = true; })")
    assert browser.run("document.documentElement.scrollWidth") <= width
    browser.call("Emulation.clearDeviceMetricsOverride")


CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (color, under) => {
    canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (c) => c.map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const css = (c) => `rgb(${c.join(',')})`;
  const weak = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.closest('[role=img], [aria-hidden], script, [role=tooltip]')) continue;
    const chain = [];
    for (let e = element; e; e = e.parentElement) chain.unshift(getComputedStyle(e).backgroundColor);
    let under = [255, 255, 255];
    for (const color of chain) under = rgb(color, css(under));
    const [a, b] = [light(rgb(getComputedStyle(element).color, css(under))), light(under)];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) weak.push(`${element.className} ${element.textContent.slice(0, 40)} ${ratio.toFixed(2)}`);
  }
  return weak;
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_all_words_is_at_least_aa(browser, fake_review, tmp_path, scheme):
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(write(fake_review, tmp_path / "page.html"))
    browser.run("document.querySelectorAll('details').forEach((row) => { row.open = true; })")
    assert browser.run(CONTRAST) == []
    browser.call("Emulation.setEmulatedMedia", features=[])


# ------------------------------------------------------------------------------------------- the page of a plan
def plan_view(text="call"):
    """A plan with one action whose names and words are `text`."""
    facts = {"given": 3, "cost": 6.0, "expected_value": 40.0}
    directions = {name: facts if name == "longer" else dict.fromkeys(facts, 0) for name in ("more", "longer", "deeper")}
    summary = {
        "config": text,
        "currency": "EUR",
        "as_of": "2024-06-01",
        "candidates": 1_200,
        "held_out": 60,
        "given": 3,
        "expected_value": 40.0,
        "expected_value_low": 31.5,
        "expected_value_high": 48.5,
        "interval_covers": "95 %: the chance of who responds",
        "ranked_by": "mean",
        "bound": 40.2,
        "gap": 0.005,
        "mandatory_cost": 2.0,
        "limits": [{"name": "budget", "limit": 6.0, "used": 6.0, "price": 0.43}],
        "removed": {text: 7},
        "actions": {text: {"direction": "longer", "channel": text, **facts}},
        "directions": directions,
        "budget_curve": [{"budget": 3.0, "expected_value": 30.0}, {"budget": 6.0, "expected_value": 40.0}],
        "scores_as_of": {"churn": "2024-06-01"},
    }
    return PlanView(summary, (PlanRow("customer", text, text, text, 2.0, 13.3, text), *[NOBODY] * 3))


NOBODY = PlanRow("prospect", "8", None, None, None, None, "nothing; second in line: letter")


@pytest.mark.parametrize("width", [360, 1300])
def test_a_plan_opens_without_complaints_or_requests_at_any_width(browser, tmp_path, width):
    path = tmp_path / "plan.html"
    path.write_text(render_plan(plan_view()), encoding="utf-8")
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    browser.open(path)
    assert browser.run("[...document.images].length") == 2
    assert browser.run("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert browser.run("document.documentElement.scrollWidth") <= width
    shown = browser.run("document.body.innerText")
    for words in ("40.00 EUR", "0.43 EUR", "60 left to chance", "second in line: letter", "0.50 %"):
        assert words in shown
    assert browser.run(CONTRAST) == []
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()[:60]]
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_hostile_values_do_nothing_in_a_plan(browser, tmp_path):
    text = (
        "</style></script><script>window.harm=1</script><img src=http://example.com/x onerror=window.harm=2> \u202e\x00"
    )
    path = tmp_path / "plan.html"
    path.write_text(render_plan(plan_view(text)), encoding="utf-8")
    browser.open(path)
    assert browser.run("window.harm") is None
    assert browser.run("document.scripts.length") == 0
    assert browser.run("document.images.length") == 2
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()[:60]]
