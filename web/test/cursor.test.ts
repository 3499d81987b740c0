// @vitest-environment happy-dom
// The arrow keys, over rows that are loaded and rows that are not.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { select } from "../src/state/app";
import { createCursor } from "../src/state/cursor";
import { ON_SCREEN, ROW_HEIGHT, openPage } from "./page";
import { crowd, process } from "./rows";

const CROWD = crowd(10_000);

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

async function open(search = "?sort=pid") {
  const page = openPage(search);
  await page.psiod().tellList(CROWD);
  await vi.advanceTimersByTimeAsync(100);
  return { ...page, cursor: createCursor(page.app) };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** Lets the page ask for what is not there, and answers. */
async function load({ psiod }: Opened): Promise<void> {
  await vi.advanceTimersByTimeAsync(100);
  await psiod().tellList(CROWD);
  await vi.advanceTimersByTimeAsync(100);
}

describe("the cursor", () => {
  it("begins at the first row", async () => {
    const { app, cursor } = await open();
    cursor.move("down");
    expect(app.detail.value?.key.pid).toBe(1);
  });

  it("begins at the first row on screen", async () => {
    const page = await open();
    page.app.scrollTop.value = 5000 * ROW_HEIGHT;
    await load(page);
    page.cursor.move("down");
    expect(page.app.detail.value?.key.pid).toBe(5001);
  });

  it("begins there too when nobody knows where the selected row is", async () => {
    const page = await open("?sort=pid&selected=9000:90000");
    page.cursor.move("down");
    expect(page.app.detail.value?.key.pid).toBe(1);
  });

  it("goes from row to row", async () => {
    const { app, cursor } = await open();
    cursor.move("down");
    cursor.move("down");
    cursor.move("down");
    cursor.move("up");
    expect(app.detail.value?.key.pid).toBe(2);
  });

  it("goes to the last row when that comes", async () => {
    const page = await open();
    page.cursor.move("last");
    expect(page.app.detail.value).toBeNull();
    await load(page);
    expect(page.app.detail.value?.key.pid).toBe(10_000);
  });

  it("brings the row into view before it is there", async () => {
    const { app, cursor } = await open();
    cursor.move("last");
    expect(app.scrollTop.value).toBe((10_000 - (ON_SCREEN - 1)) * ROW_HEIGHT);
  });

  it("goes on from a row that is not there yet", async () => {
    const page = await open();
    page.cursor.move("last");
    page.cursor.move("up");
    await load(page);
    expect(page.app.detail.value?.key.pid).toBe(9999);
  });

  it("pages through rows that are not there yet", async () => {
    const page = await open();
    page.cursor.move("down");
    for (let turn = 0; turn < 10; turn++) page.cursor.move("page-down");
    await load(page);
    await load(page);
    expect(page.app.detail.value?.key.pid).toBe(1 + 10 * (ON_SCREEN - 2));
  });

  it("goes on from the selected row when that is scrolled away", async () => {
    const page = await open();
    page.cursor.move("down");
    page.app.scrollTop.value = 5000 * ROW_HEIGHT;
    await load(page);
    page.cursor.move("down");
    await load(page);
    expect([page.app.detail.value?.key.pid, page.app.scrollTop.value]).toEqual([2, 1 * ROW_HEIGHT]);
  });

  it("follows the selected row when that changes its place", async () => {
    const { app, psiod, cursor } = await open();
    cursor.move("down");
    await psiod().tellList([process({ pid: 3 }), process({ pid: 2 }), process({ pid: 1 }), process({ pid: 4 })]);
    cursor.move("down");
    expect(app.detail.value?.key.pid).toBe(4);
  });

  it("forgets the row it waits for when another is clicked", async () => {
    const page = await open();
    page.cursor.move("last");
    select(page.app, { pid: 5, started: 50 });
    await load(page);
    expect(page.app.detail.value?.key.pid).toBe(5);
  });

  it("forgets the row it waits for when the order is another", async () => {
    const page = await open();
    page.cursor.move("last");
    page.app.sort.value = { field: "name", descending: false };
    await load(page);
    await load(page);
    expect(page.app.detail.value).toBeNull();
  });
});
