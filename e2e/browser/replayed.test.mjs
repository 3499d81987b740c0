// The page before a machine whose every figure is known.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch } from "./browser.mjs";
import { startDaemon } from "./daemon.mjs";
import { PROCESSES, crowd, writeMachine } from "./machine.mjs";
import { head, openPage, readRow, rows, shownPids } from "./page.mjs";
import { eventually } from "./wait.mjs";

const CROWD = 10_000;

let folder, browser, daemon, crowded;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "psio-e2e-"));
  await writeMachine(join(folder, "small.jsonl"), PROCESSES, 600);
  await writeMachine(join(folder, "crowd.jsonl"), crowd(CROWD), 2);
  browser = await launch();
  daemon = await startDaemon({ replay: join(folder, "small.jsonl") });
  crowded = await startDaemon({ replay: join(folder, "crowd.jsonl") });
});

after(async () => {
  await browser?.close();
  await daemon?.stop();
  await crowded?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true });
});

/** Opens the page for one test and holds it to having had no fault. */
function onPage(options, test) {
  return async () => {
    const { page, faults } = await openPage(browser, daemon.url, options);
    try {
      await test(page);
      assert.deepEqual(faults, []);
    } finally {
      await page.close();
    }
  };
}

describe("the figures", () => {
  it("of a process are those of the machine", onPage({}, async (page) => {
    const expected = {
      PID: "412", Name: "Finder", User: "marcus", Status: "running", "CPU %": "25.0", Memory: "68.8 MiB", "Mem %": "0.4",
      Threads: "7", Nice: "0", Started: "1 Jan 00:06", Terminal: "pts/3", "Command line": "Finder",
    };
    await eventually(async () => {
      // CPU time goes on while the machine is played.
      const { "CPU time": _, ...row } = (await readRow(page, 412)) ?? {};
      return row;
    }, expected);
  }));

  it("of more than one CPU exceed a hundred percent", onPage({}, async (page) => {
    await eventually(async () => (await readRow(page, 700))?.["CPU %"], "150.0");
  }));

  it("that are not known are dashes", onPage({}, async (page) => {
    const row = await readRow(page, 1000);
    assert.deepEqual([row.User, row.Memory, row["Mem %"], row.Threads, row["Command line"]], ["–", "–", "–", "–", "–"]);
  }));

  it("of all CPUs are their mean", onPage({}, async (page) => {
    await eventually(() => page.getByTestId("cpu-usage").textContent(), "48 %");
  }));

  it("of each CPU stand beside its graph", onPage({}, async (page) => {
    await eventually(() => page.locator(".core").evaluateAll((cores) => cores.map((core) => core.getAttribute("aria-label"))),
      ["CPU 0, 40 %", "CPU 1, 100 %", "CPU 2, 0.0 %", "CPU 3, 50 %"]);
  }));

  it("of memory count what is available as free to have", onPage({}, async (page) => {
    assert.equal(await page.getByTestId("memory-percent").textContent(), "25 %");
  }));

  it("of swap are beside it", onPage({}, async (page) => {
    await page.getByText("1.00 GiB of 2.00 GiB").waitFor();
  }));

  it("of the machine are in the first line", onPage({}, async (page) => {
    const header = await page.getByRole("banner").innerText();
    for (const text of ["atlas", "6.12.41-amd64", "2.41  1.87  1.20", "4,242", "Live"]) assert.ok(header.includes(text), `${text} in ${header}`);
  }));
});

describe("sorting", () => {
  it("by memory puts the largest first", onPage({}, async (page) => {
    await head(page, "Memory").getByRole("button").click();
    await eventually(async () => (await shownPids(page)).slice(0, 3), [700, 412, 1]);
  }));

  it("puts what is not known last both ways", onPage({}, async (page) => {
    const button = head(page, "Memory").getByRole("button");
    await button.click();
    await eventually(async () => (await shownPids(page)).at(-1), 1000);
    await button.click();
    await eventually(async () => (await shownPids(page)).at(-1), 1000);
  }));

  it("says so in the head", onPage({}, async (page) => {
    await head(page, "Name").getByRole("button").click();
    await eventually(() => head(page, "Name").getAttribute("aria-sort"), "ascending");
    assert.equal(await head(page, "CPU %").getAttribute("aria-sort"), "none");
  }));

  it("works by keyboard", onPage({}, async (page) => {
    await head(page, "CPU %").getByRole("button").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await eventually(() => head(page, "Memory").getAttribute("aria-sort"), "descending");
  }));

  it("is kept in the address", onPage({ path: "?sort=name" }, async (page) => {
    await eventually(() => head(page, "Name").getAttribute("aria-sort"), "ascending");
    await head(page, "PID").getByRole("button").click();
    await eventually(() => new URL(page.url()).search, "?sort=pid");
  }));
});

describe("the filter", () => {
  const filter = (page) => page.getByRole("searchbox", { name: "Filter processes" });

  it("finds text", onPage({}, async (page) => {
    await filter(page).fill("finder");
    await eventually(() => shownPids(page), [412]);
  }));

  it("compares", onPage({}, async (page) => {
    await filter(page).fill("cpu_percent>5 username=marcus");
    await eventually(() => shownPids(page), [412]);
  }));

  it("counts what it lets through", onPage({}, async (page) => {
    await filter(page).fill("mallory");
    await eventually(() => page.getByTestId("count").textContent(), `2 of ${PROCESSES.length} match`);
  }));

  it("says what is wrong with it", onPage({}, async (page) => {
    await filter(page).fill("shoe_size>5");
    await page.getByRole("alert").filter({ hasText: "shoe_size" }).waitFor();
    assert.equal(await rows(page).count(), PROCESSES.length);
  }));

  it("is reached with a slash and left with Escape", onPage({}, async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("finder");
    await eventually(() => shownPids(page), [412]);
    await page.keyboard.press("Escape");
    await eventually(() => rows(page).count(), PROCESSES.length);
  }));
});

describe("a hostile name", () => {
  it("is text and makes no element", onPage({}, async (page) => {
    await eventually(async () => (await readRow(page, 666))?.Name, "<img src=x onerror=alert(1)>");
    await page.getByText("<img src=x onerror=alert(1)>").first().click();
    await page.locator(".details h2").waitFor();
    assert.equal(await page.locator("img, [onerror], #app script").count(), 0);
  }));

  it("cannot break its row", onPage({}, async (page) => {
    assert.equal((await readRow(page, 800)).Name, "line‹LF›break");
  }));

  it("cannot turn the direction of its row", onPage({}, async (page) => {
    assert.ok((await readRow(page, 666))["Command line"].endsWith("‹U+202E›gpj.exe"));
  }));
});

describe("the selection", () => {
  it("shows the process in full", onPage({ path: "?selected=700:70000" }, async (page) => {
    const details = page.getByRole("complementary", { name: "Selected process" });
    await details.getByText("postgres: checkpointer").waitFor();
    await details.getByText("700:70000").waitFor();
  }));

  it("moves with the arrow keys", onPage({ path: "?sort=pid" }, async (page) => {
    await page.getByRole("grid").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await eventually(() => new URL(page.url()).searchParams.get("selected"), "2:200");
    assert.equal(await page.getByRole("grid").getAttribute("aria-activedescendant"), "process-2-200");
  }));

  it("survives another order", onPage({}, async (page) => {
    await rows(page).filter({ hasText: "Finder" }).click();
    await head(page, "Name").getByRole("button").click();
    await eventually(() => page.locator('[role="row"][aria-selected="true"]').locator(".name").textContent(), "Finder");
  }));
});

describe("accessibility", () => {
  const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

  for (const colorScheme of ["light", "dark"]) {
    it(`has no violation in ${colorScheme}`, onPage({ context: { colorScheme, reducedMotion: "reduce" }, path: "?selected=412:41200" }, async (page) => {
      await page.locator(".details dl").waitFor();
      await page.evaluate(await readFile(axe, "utf8"));
      const violations = await page.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" | ")}`);
      });
      assert.deepEqual(violations, []);
    }));
  }

  it("counts the rows for those who do not see them", onPage({}, async (page) => {
    assert.equal(await page.getByRole("grid").getAttribute("aria-rowcount"), String(PROCESSES.length + 1));
  }));

  it("says the value of a graph", onPage({}, async (page) => {
    await page.getByRole("img", { name: /^CPU usage, 48 % now/ }).waitFor();
  }));
});

describe("light and dark", () => {
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  it("follow the system", async () => {
    const grounds = [];
    for (const colorScheme of ["light", "dark"]) {
      const { page } = await openPage(browser, daemon.url, { context: { colorScheme } });
      grounds.push(await ground(page));
      await page.close();
    }
    assert.notEqual(grounds[0], grounds[1]);
  });

  it("can be chosen, and the choice is remembered", onPage({ context: { colorScheme: "light" } }, async (page) => {
    const before = await ground(page);
    await page.getByRole("button", { name: "Use the dark theme" }).click();
    await eventually(async () => (await ground(page)) !== before, true);
    await page.reload();
    await page.getByRole("button", { name: "Use the light theme" }).waitFor();
  }));
});

describe("a phone", () => {
  it("shows the essential columns without scrolling sideways", onPage({ context: { viewport: { width: 390, height: 844 } } }, async (page) => {
    await eventually(() => page.getByRole("columnheader").count(), 4);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  }));
});

describe("ten thousand processes", () => {
  it("are all there, and only those on screen in the document", async () => {
    const { page, faults } = await openPage(browser, crowded.url);
    await eventually(() => page.getByRole("grid").getAttribute("aria-rowcount"), String(CROWD + 1));
    await head(page, "PID").getByRole("button").click();
    await eventually(async () => (await shownPids(page))[0], 1);
    let most = 0;
    for (const part of [0.1, 0.25, 0.5, 0.75, 1]) {
      await page.getByRole("grid").evaluate((grid, to) => grid.scrollTo({ top: grid.scrollHeight * to }), part);
      const middle = Math.round(CROWD * part);
      await eventually(async () => (await shownPids(page)).some((pid) => Math.abs(pid - middle) < 60), true);
      most = Math.max(most, await rows(page).count());
    }
    assert.equal((await shownPids(page)).at(-1), CROWD);
    assert.ok(most < 200, `${most} rows in the document`);
    assert.deepEqual(faults, []);
    await page.close();
  });
});
