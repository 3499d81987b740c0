// The order of the table.
import { describe, expect, it } from "vitest";
import { type Sort, nextSort, parseSort, sortRows, sortText } from "../src/state/sort";
import { process, tableOf } from "./rows";

function pids(rows: ReturnType<typeof process>[], sort: string): number[] {
  const table = tableOf(rows);
  return sortRows(table, parseSort(sort) as Sort).map((row) => table.key(row).pid);
}

describe("sorting", () => {
  it("puts the largest first when descending", () => {
    const rows = [process({ pid: 1, cpu_percent: 2 }), process({ pid: 2, cpu_percent: 30 }), process({ pid: 3, cpu_percent: 4 })];
    expect(pids(rows, "-cpu_percent")).toEqual([2, 3, 1]);
  });

  it("puts unknown values last when descending", () => {
    const rows = [process({ pid: 1, cpu_percent: null }), process({ pid: 2, cpu_percent: 0 })];
    expect(pids(rows, "-cpu_percent")).toEqual([2, 1]);
  });

  it("puts unknown values last when ascending too", () => {
    const rows = [process({ pid: 1, cpu_percent: null }), process({ pid: 2, cpu_percent: 5 })];
    expect(pids(rows, "cpu_percent")).toEqual([2, 1]);
  });

  it("orders equal values by pid in both directions", () => {
    const rows = [process({ pid: 3 }), process({ pid: 1 }), process({ pid: 2 })];
    expect(pids(rows, "-cpu_percent")).toEqual([1, 2, 3]);
    expect(pids(rows, "cpu_percent")).toEqual([1, 2, 3]);
  });

  it("takes memory by its resident part", () => {
    const rows = [process({ pid: 1, memory_info: [5, 900] }), process({ pid: 2, memory_info: [6, 1] })];
    expect(pids(rows, "-memory_info")).toEqual([2, 1]);
  });

  it("takes CPU time as user and system together", () => {
    const rows = [process({ pid: 1, cpu_times: [5, 1] }), process({ pid: 2, cpu_times: [1, 6] })];
    expect(pids(rows, "-cpu_times")).toEqual([2, 1]);
  });

  it("does not tell upper from lower case", () => {
    const rows = [process({ pid: 1, name: "bash" }), process({ pid: 2, name: "Xorg" }), process({ pid: 3, name: "Atom" })];
    expect(pids(rows, "name")).toEqual([3, 1, 2]);
  });

  it("puts processes without a terminal last", () => {
    const rows = [process({ pid: 1 }), process({ pid: 2, terminal: "/dev/pts/1" })];
    expect(pids(rows, "terminal")).toEqual([2, 1]);
  });

  it("handles negative nice values", () => {
    const rows = [process({ pid: 1, nice: 0 }), process({ pid: 2, nice: -20 }), process({ pid: 3, nice: 19 })];
    expect(pids(rows, "nice")).toEqual([2, 1, 3]);
  });
});

describe("choosing the order", () => {
  it("is written as on the wire", () => {
    expect(sortText({ field: "memory_info", descending: true })).toBe("-memory_info");
  });

  it("is refused for what is no column", () => {
    expect(parseSort("-toString")).toBeNull();
  });

  it("turns round on a second click", () => {
    expect(nextSort({ field: "name", descending: false }, "name")).toEqual({ field: "name", descending: true });
  });

  it("starts numbers with the largest", () => {
    expect(nextSort({ field: "name", descending: false }, "memory_info").descending).toBe(true);
  });

  it("starts text with A", () => {
    expect(nextSort({ field: "pid", descending: true }, "username").descending).toBe(false);
  });
});
