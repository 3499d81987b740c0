// @vitest-environment happy-dom
// The list on screen: what part of it is asked for, and how one part takes over from another.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { countText, createFilter } from "../src/state/filter";
import { rowAt } from "../src/state/process_list";
import { COLUMNS, ESSENTIAL_COLUMNS } from "../src/state/table_columns";
import { LOADED_OVERSCAN_ROWS } from "../src/state/visible_rows";
import { ON_SCREEN, ROW_HEIGHT, openPage, show } from "./page";
import { crowd, process } from "./rows";

const CROWD = crowd(10_000);
const LIMIT = ON_SCREEN + 2 * LOADED_OVERSCAN_ROWS;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** A page that shows the beginning of a long list. */
async function openCrowd(search = "?sort=pid") {
  const page = openPage(search);
  await page.psiod().tellList(CROWD);
  await vi.advanceTimersByTimeAsync(100);
  return page;
}

/** Scrolls and lets the page ask. */
async function scrollTo(page: ReturnType<typeof openPage>, row: number): Promise<void> {
  page.app.scrollTop.value = row * ROW_HEIGHT;
  await vi.advanceTimersByTimeAsync(100);
}

describe("what is asked for", () => {
  it("is nothing before the table is measured", () => {
    expect(openPage("", null).psiod().lists()).toEqual([]);
  });

  it("is what is on screen and a little more", () => {
    expect(openPage().psiod().list()).toMatchObject({ offset: 0, limit: LIMIT });
  });

  it("is the fields of the columns", () => {
    expect(openPage().psiod().list()["fields"]).toEqual(COLUMNS.map(({ field }) => field));
  });

  it("is fewer fields where there is room for fewer columns", async () => {
    const page = await openCrowd();
    page.app.columns.value = ESSENTIAL_COLUMNS;
    await vi.advanceTimersByTimeAsync(100);
    expect(page.psiod().list()["fields"]).toEqual(["pid", "name", "cpu_percent", "memory_info"]);
  });

  it("is in the order that psiod sorts it in", () => {
    expect(openPage("?sort=-memory_info").psiod().list()["sort"]).toBe("-memory_info");
  });

  it("is the changes, once a second", () => {
    expect(openPage().psiod().newestList()).toMatchObject({ mode: "delta", interval: 1000 });
  });

  it("stays while scrolling shows what is loaded", async () => {
    const page = await openCrowd();
    await scrollTo(page, 10);
    expect(page.psiod().begun("process.getall")).toBe(1);
  });

  it("is another part when scrolling leaves what is loaded", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    expect(page.psiod().list()).toMatchObject({ offset: 5000 - LOADED_OVERSCAN_ROWS, limit: LIMIT });
  });

  it("is not every part that is scrolled past", async () => {
    const page = await openCrowd();
    for (let row = 100; row <= 5000; row += 100) page.app.scrollTop.value = row * ROW_HEIGHT;
    await vi.advanceTimersByTimeAsync(100);
    await page.psiod().tellList(CROWD);
    await vi.advanceTimersByTimeAsync(100);
    expect(page.psiod().begun("process.getall")).toBe(3);
    expect(page.psiod().list()["offset"]).toBe(5000 - LOADED_OVERSCAN_ROWS);
  });

  it("is the beginning of another order", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    await page.psiod().tellList(CROWD);
    await vi.advanceTimersByTimeAsync(100);
    page.app.sort.value = { field: "name", descending: false };
    await vi.advanceTimersByTimeAsync(100);
    expect(page.psiod().list()).toMatchObject({ sort: "name", offset: 0 });
  });

  it("is not asked for again when psiod has answered", async () => {
    const page = await openCrowd();
    await vi.advanceTimersByTimeAsync(5000);
    expect(page.psiod().begun("process.getall")).toBe(1);
  });
});

describe("the rows", () => {
  it("are those that came", async () => {
    const { app } = await openCrowd();
    expect(rowAt(app.list.value!, 3)).toMatchObject({ key: "4:40", row: { name: "worker-4" } });
  });

  it("are as many as psiod says", async () => {
    expect((await openCrowd()).app.list.value?.total).toBe(10_000);
  });

  it("stay until another part is there", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    expect(rowAt(page.app.list.value!, 0)).not.toBeNull();
    await page.psiod().tellList(CROWD);
    expect(rowAt(page.app.list.value!, 5000)?.row.pid).toBe(5001);
  });

  it("go on ticking until another part is there", async () => {
    const page = await openCrowd();
    const [old] = page.psiod().lists();
    await scrollTo(page, 5000);
    await page.psiod().tellList([process({ pid: 7 })], {}, old);
    expect(rowAt(page.app.list.value!, 0)?.row.pid).toBe(7);
  });

  it("are no more those of a part that another took over from", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    await page.psiod().tellList(CROWD);
    expect(page.psiod().lists()).toHaveLength(1);
    expect(page.psiod().list()["offset"]).toBe(5000 - LOADED_OVERSCAN_ROWS);
  });

  it("are seen from the first one on when their order is another", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    await page.psiod().tellList(CROWD);
    page.app.sort.value = { field: "name", descending: false };
    await vi.advanceTimersByTimeAsync(100);
    expect(page.app.scrollTop.value).toBe(5000 * ROW_HEIGHT);
    await page.psiod().tellList(CROWD);
    expect(page.app.scrollTop.value).toBe(0);
  });

  it("are the same objects while nothing in them changes", async () => {
    const { app, psiod } = await openCrowd();
    const before = app.list.value!;
    await psiod().tellChanges({ set: { "2:20": { cpu_percent: 5 } } }, CROWD.length);
    expect(app.list.value).not.toBe(before);
    expect(app.list.value?.rows[0]).toBe(before.rows[0]);
    expect(app.list.value?.rows[1]).toMatchObject({ name: "worker-2", cpu_percent: 5 });
  });
});

describe("a refusal", () => {
  it("is told where there is no list", async () => {
    const { app, psiod } = openPage();
    await psiod().refuse(psiod().newestList(), "unavailable", "no sample yet");
    expect(app.problem.value).toBe("no sample yet");
  });

  it("is followed by another attempt", async () => {
    const { app, psiod } = openPage();
    await psiod().refuse(psiod().newestList(), "unavailable", "no sample yet");
    expect(psiod().lists()).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1000);
    await psiod().tellList(CROWD);
    expect(app.problem.value).toBeNull();
  });

  it("of another part leaves the list as it is and is overcome", async () => {
    const page = await openCrowd();
    await scrollTo(page, 5000);
    await page.psiod().refuse(page.psiod().newestList(), "too_many", "ask less often");
    expect(page.app.problem.value).toBeNull();
    expect(page.psiod().lists()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(page.psiod().list()["offset"]).toBe(5000 - LOADED_OVERSCAN_ROWS);
  });
});

describe("the filter", () => {
  it("goes to psiod as it is written", () => {
    expect(openPage("?filter=cpu_percent%3E5+root").psiod().list()["filter"]).toBe("cpu_percent>5 root");
  });

  it("is sent when the typing pauses", async () => {
    const { app, psiod } = await openCrowd();
    const filter = createFilter(app);
    filter.set("s");
    await vi.advanceTimersByTimeAsync(100);
    filter.set("ssh");
    await vi.advanceTimersByTimeAsync(149);
    expect(psiod().begun("process.getall")).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(psiod().list()["filter"]).toBe("ssh");
  });

  it("works while paused", async () => {
    const { app, psiod } = await openCrowd();
    app.paused.value = true;
    createFilter(app).set("ssh");
    await vi.advanceTimersByTimeAsync(150);
    await psiod().tellList([process({ pid: 9, name: "sshd" })]);
    expect(app.list.value).toMatchObject({ total: 1, question: { filter: "ssh" } });
    expect(psiod().subscriptions).toEqual([]);
  });

  it("has psiod count what there is without it", async () => {
    const { app, psiod } = await openCrowd("?filter=ssh");
    expect(psiod().to("process.getall").find(({ mode }) => mode === undefined)?.data).toMatchObject({ limit: 0 });
    await psiod().tell("process.getall", [], { total: 5031 });
    expect(app.total.value).toBe(5031);
  });

  async function refused() {
    const page = await openCrowd();
    createFilter(page.app).set("cpu_percent>");
    await vi.advanceTimersByTimeAsync(150);
    const { psiod } = page;
    await psiod().refuse(psiod().newestList(), "bad_params", "a value is missing", { parameter: "filter" });
    return page;
  }

  it("shows psiod's own words when it is refused", async () => {
    expect((await refused()).app.filterError.value).toBe("a value is missing");
  });

  it("leaves the list live when it is refused", async () => {
    const { app, psiod } = await refused();
    await vi.advanceTimersByTimeAsync(1000);
    expect(psiod().lists()).toHaveLength(1);
    expect(psiod().list()["filter"]).toBeUndefined();
    expect(app.problem.value).toBeNull();
  });

  it("is not complained of while it is written on", async () => {
    const { app } = await refused();
    createFilter(app).set("cpu_percent>5");
    expect(app.filterError.value).toBeNull();
  });

  it("lists everything when the address has one that is refused", async () => {
    const { app, psiod } = openPage("?filter=x%3E");
    await psiod().refuse(psiod().newestList(), "bad_params", "a value is missing", { parameter: "filter" });
    await vi.advanceTimersByTimeAsync(100);
    await psiod().tellList(CROWD);
    expect([app.filterError.value, app.list.value?.total]).toEqual(["a value is missing", 10_000]);
  });

  it("counts what it lets through and what there is", () => {
    expect(countText(12, 5031, "ssh")).toBe("12 of 5,031 match");
  });
});

describe("held still", () => {
  it("a page is sent no list", async () => {
    const { app, psiod } = await openCrowd();
    app.paused.value = true;
    expect(psiod().lists()).toEqual([]);
  });

  it("a page fetches once what it is scrolled to", async () => {
    const page = await openCrowd();
    page.app.paused.value = true;
    await scrollTo(page, 5000);
    await page.psiod().tellList(CROWD);
    expect(rowAt(page.app.list.value!, 5000)?.row.pid).toBe(5001);
    await vi.advanceTimersByTimeAsync(1000);
    expect(page.psiod().lists()).toEqual([]);
  });

  it("a page that nobody sees asks for nothing at all", async () => {
    const page = await openCrowd();
    show("hidden");
    await scrollTo(page, 5000);
    expect(page.psiod().lists()).toEqual([]);
  });

  it("a page shows what it has, and goes on from there", async () => {
    const page = await openCrowd();
    show("hidden");
    expect(page.app.list.value?.total).toBe(10_000);
    show("visible");
    await vi.advanceTimersByTimeAsync(100);
    expect(page.psiod().lists()).toHaveLength(1);
  });
});
