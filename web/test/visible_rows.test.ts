// The part of a long list that is in the document.
import { describe, expect, it } from "vitest";
import { LOADED_OVERSCAN_ROWS, moveRow, rowWindow, scrollToRow, visibleRows } from "../src/state/visible_rows";

const view = { scrollTop: 0, height: 520, rowHeight: 26, count: 10_000 };

describe("visible rows", () => {
  it("begin with the first at the top", () => {
    expect(visibleRows(view).first).toBe(0);
  });

  it("cover the whole view", () => {
    const { first, end } = visibleRows({ ...view, scrollTop: 26_013 });
    expect(first * 26).toBeLessThanOrEqual(26_013);
    expect(end * 26).toBeGreaterThanOrEqual(26_013 + 520);
  });

  it("are few however long the list is", () => {
    const { first, end } = visibleRows({ ...view, scrollTop: 130_000 });
    expect(end - first).toBeLessThan(40);
  });

  it("end with the last at the bottom", () => {
    expect(visibleRows({ ...view, scrollTop: 10_000 * 26 - 520 }).end).toBe(10_000);
  });

  it("are all there are when the list is short", () => {
    expect(visibleRows({ ...view, count: 3 })).toEqual({ first: 0, end: 3 });
  });

  it("are the last ones when the list shrank under a scrolled view", () => {
    const { first, end } = visibleRows({ ...view, scrollTop: 200_000, count: 100 });
    expect(end).toBe(100);
    expect(first).toBeLessThan(81);
  });

  it("are none of an empty list", () => {
    expect(visibleRows({ ...view, count: 0 })).toEqual({ first: 0, end: 0 });
  });

  it("start at zero when the view is pulled past the top", () => {
    expect(visibleRows({ ...view, scrollTop: -80 }).first).toBe(0);
  });
});

describe("the part to load", () => {
  const atTop = rowWindow(view, null);

  it("is the view and some rows around it", () => {
    const { offset, limit } = rowWindow({ ...view, scrollTop: 26 * 500 }, null);
    expect([offset, offset + limit]).toEqual([500 - LOADED_OVERSCAN_ROWS, 500 + 20 + 1 + LOADED_OVERSCAN_ROWS]);
  });

  it("begins with the first row at the top", () => {
    expect(atTop.offset).toBe(0);
  });

  it("holds all rows that are drawn, wherever the view is", () => {
    let loaded = atTop;
    for (let scrollTop = 0; scrollTop < 26 * 200; scrollTop += 7) {
      loaded = rowWindow({ ...view, scrollTop }, loaded);
      const { first, end } = visibleRows({ ...view, scrollTop });
      expect(loaded.offset).toBeLessThanOrEqual(first);
      expect(loaded.offset + loaded.limit).toBeGreaterThanOrEqual(end);
    }
  });

  it("stays while the view moves within it", () => {
    expect(rowWindow({ ...view, scrollTop: 26 * 10 }, atTop)).toEqual(atTop);
  });

  it("grows with the view", () => {
    expect(rowWindow({ ...view, height: 1040 }, atTop).limit).toBe(atTop.limit + 20);
  });

  it("is as large for a view that is pulled past the top", () => {
    expect(rowWindow({ ...view, scrollTop: -40 }, null)).toEqual(atTop);
  });
});

describe("scrolling to a row", () => {
  it("does nothing when the row is in view", () => {
    expect(scrollToRow(5, view)).toBe(0);
  });

  it("brings a row below to the bottom edge", () => {
    expect(scrollToRow(20, view)).toBe(26);
  });

  it("brings a row above to the top edge", () => {
    expect(scrollToRow(2, { ...view, scrollTop: 1000 })).toBe(52);
  });
});

describe("moving the selection", () => {
  it("goes to the first row when nothing is selected", () => {
    expect(moveRow(-1, "down", 10, 5)).toBe(0);
  });

  it("stays on the last row", () => {
    expect(moveRow(9, "down", 10, 5)).toBe(9);
  });

  it("moves by a page", () => {
    expect(moveRow(7, "page-up", 100, 5)).toBe(2);
  });

  it("goes nowhere in an empty list", () => {
    expect(moveRow(-1, "last", 0, 5)).toBe(-1);
  });
});
