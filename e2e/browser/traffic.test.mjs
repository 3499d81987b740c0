// What the page asks psiod for, before a machine of ten thousand processes: what is on screen, and no more.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.mjs";
import { startDaemon } from "./daemon.mjs";
import { crowd, writeMachine } from "./machine.mjs";
import { head, openPage, rows, shownPids } from "./page.mjs";
import { eventually } from "./wait.mjs";

const CROWD = 10_000;
/** Rows that may be loaded above and below those on screen. */
const OVERSCAN = 20;
const ROW_HEIGHT = 26;
/** Who scrolls gets new rows no oftener than this. */
const SPACING_MS = 80;
const MOST_BYTES_PER_SECOND = 100_000;

const FIELDS = [
  "pid", "name", "username", "status", "cpu_percent", "memory_info", "memory_percent", "num_threads", "nice", "cpu_times",
  "create_time", "terminal", "cmdline",
];
const ESSENTIAL_FIELDS = ["pid", "name", "cpu_percent", "memory_info"];

let folder, browser, daemon;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "psio-e2e-"));
  await writeMachine(join(folder, "crowd.jsonl"), crowd(CROWD), 2);
  browser = await launch();
  daemon = await startDaemon({ replay: join(folder, "crowd.jsonl") });
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** Opens the page for one test and holds it to having had no fault, and to having sent no command. */
function onPage(options, test) {
  return async () => {
    const { page, faults, traffic } = await openPage(browser, daemon.url, options);
    try {
      await test(page, traffic);
      assert.deepEqual(faults, []);
      assert.deepEqual(traffic.sent.filter(({ type }) => type !== "subscribe" && type !== "unsubscribe"), []);
    } finally {
      await page.close();
    }
  };
}

const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));
const grid = (page) => page.getByRole("grid");
const rowsOnScreen = (page) => grid(page).evaluate((element, height) => Math.ceil(element.clientHeight / height), ROW_HEIGHT);
const scrollTo = (page, part) => grid(page).evaluate((element, to) => element.scrollTo({ top: element.scrollHeight * to }), part);

/** The one list that is subscribed to once the page has settled. */
async function onlyList(traffic) {
  await eventually(() => traffic.lists().length, 1);
  return traffic.lists()[0];
}

/** Shows or hides the tab, as far as the page can tell. */
async function setVisibility(page, state) {
  await page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
}

describe("the list that is subscribed to", () => {
  it("is the rows on screen, with the columns on screen", onPage({}, async (page, traffic) => {
    const { fields, limit, offset } = await onlyList(traffic);
    const most = (await rowsOnScreen(page)) + 2 * OVERSCAN;
    assert.deepEqual([fields, offset], [FIELDS, 0]);
    assert.ok(limit <= most, `${limit} rows are asked for, ${most} would do`);
  }));

  it("has the fields of a phone's columns on a phone", onPage({ context: { viewport: { width: 390, height: 844 } } }, async (page, traffic) => {
    assert.deepEqual((await onlyList(traffic)).fields, ESSENTIAL_FIELDS);
  }));

  it("has fewer fields when the window is made narrow", onPage({}, async (page, traffic) => {
    await page.setViewportSize({ width: 390, height: 844 });
    await eventually(() => traffic.lists().map(({ fields }) => fields), [ESSENTIAL_FIELDS]);
    await eventually(() => page.getByRole("columnheader").count(), ESSENTIAL_FIELDS.length);
  }));

  it("follows the scrolled rows to the last one", onPage({ path: "?sort=pid" }, async (page, traffic) => {
    await scrollTo(page, 1);
    await eventually(async () => (await shownPids(page)).at(-1), CROWD);
    const { offset, limit } = await onlyList(traffic);
    assert.ok(offset > CROWD - 200 && offset + limit >= CROWD, `${offset} ${limit}`);
  }));

  it("is sorted by psiod", onPage({}, async (page, traffic) => {
    await head(page, "Memory").getByRole("button").click();
    await eventually(async () => (await shownPids(page))[0], CROWD);
    assert.equal((await onlyList(traffic)).sort, "-memory_info");
  }));

  it("goes on ticking", onPage({}, async (page, traffic) => {
    const before = traffic.events;
    await eventually(() => traffic.events >= before + 12, true);
  }));

  it("is not subscribed to for every row that is scrolled past", onPage({ path: "?sort=pid" }, async (page, traffic) => {
    const subscribed = () => traffic.sent.filter(({ type }) => type === "subscribe").length;
    const [before, began] = [subscribed(), Date.now()];
    await grid(page).evaluate(async (element) => {
      for (let step = 0; step < 60; step++) {
        element.scrollTop += 26 * 40;
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    });
    await eventually(async () => (await shownPids(page)).includes(60 * 40 + 1), true);
    await onlyList(traffic);
    const most = Math.ceil((Date.now() - began) / SPACING_MS) + 1;
    assert.ok(subscribed() - before <= most, `${subscribed() - before} subscriptions, ${most} would do`);
  }));
});

describe("ten thousand processes", () => {
  it("cost few bytes a second", onPage({}, async (page, traffic) => {
    await onlyList(traffic);
    await seconds(1);
    const before = traffic.bytesReceived;
    await seconds(4);
    const perSecond = (traffic.bytesReceived - before) / 4;
    assert.ok(perSecond > 0 && perSecond < MOST_BYTES_PER_SECOND, `${perSecond} bytes a second`);
  }));

  it("are gone through by keyboard to the last one and back", onPage({ path: "?sort=pid" }, async (page) => {
    const selected = () => new URL(page.url()).searchParams.get("selected");
    await grid(page).focus();
    await page.keyboard.press("End");
    await eventually(selected, `${CROWD}:${CROWD * 100}`);
    await eventually(() => grid(page).getAttribute("aria-activedescendant"), `process-${CROWD}-${CROWD * 100}`);
    await page.keyboard.press("ArrowUp");
    await eventually(selected, `${CROWD - 1}:${(CROWD - 1) * 100}`);
    await page.keyboard.press("Home");
    await eventually(selected, "1:100");
    await page.keyboard.press("PageDown");
    await page.keyboard.press("PageDown");
    await page.keyboard.press("PageDown");
    const pageRows = Math.floor(((await grid(page).evaluate((element) => element.clientHeight)) - 32) / ROW_HEIGHT) - 1;
    await eventually(selected, `${1 + 3 * pageRows}:${(1 + 3 * pageRows) * 100}`);
  }));

  it("never leave the table empty while the order changes", onPage({}, async (page) => {
    await grid(page).evaluate((element) => {
      globalThis.fewest = Infinity;
      const count = () => (globalThis.fewest = Math.min(globalThis.fewest, element.querySelectorAll("[aria-selected]").length));
      new MutationObserver(count).observe(element, { childList: true, subtree: true });
    });
    for (const title of ["Memory", "Name", "CPU %"]) {
      const before = await shownPids(page);
      await head(page, title).getByRole("button").click();
      await eventually(async () => (await shownPids(page))[0] !== before[0], true);
    }
    assert.ok(await page.evaluate(() => globalThis.fewest > 0 && globalThis.fewest < Infinity));
  }));

  it("are looked at from the first one when the order changes", onPage({ path: "?sort=pid" }, async (page) => {
    await scrollTo(page, 0.5);
    await eventually(async () => (await shownPids(page)).some((pid) => Math.abs(pid - CROWD / 2) < 60), true);
    await head(page, "Memory").getByRole("button").click();
    await eventually(async () => (await shownPids(page))[0], CROWD);
    assert.equal(await grid(page).evaluate((element) => element.scrollTop), 0);
  }));

  it("are counted beside those that match", onPage({ path: "?filter=worker-77" }, async (page) => {
    await eventually(() => page.getByTestId("count").textContent(), "111 of 10,000 match");
  }));
});

describe("a page that is held still", () => {
  it("is sent nothing, and goes on when it is let go", onPage({ path: "?selected=7:700" }, async (page, traffic) => {
    await page.locator(".details dl").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await eventually(() => traffic.living.size, 0);
    const before = traffic.events;
    await seconds(2);
    assert.equal(traffic.events, before);
    await page.getByRole("button", { name: "Resume" }).click();
    await onlyList(traffic);
    await eventually(() => traffic.events > before + 8, true);
  }));

  it("still shows what it is scrolled to", onPage({ path: "?sort=pid" }, async (page, traffic) => {
    await page.getByRole("button", { name: "Pause" }).click();
    await scrollTo(page, 0.5);
    await eventually(async () => (await shownPids(page)).some((pid) => Math.abs(pid - CROWD / 2) < 60), true);
    await eventually(() => traffic.living.size, 0);
  }));
});

describe("a tab that nobody sees", () => {
  it("is sent nothing, and goes on when it is seen", onPage({}, async (page, traffic) => {
    await setVisibility(page, "hidden");
    await eventually(() => traffic.living.size, 0);
    const before = traffic.events;
    await seconds(2);
    assert.equal(traffic.events, before);
    assert.ok((await rows(page).count()) > 0);
    await setVisibility(page, "visible");
    await onlyList(traffic);
    await eventually(() => traffic.events > before + 8, true);
  }));
});
