// Columns from the wire into rows on the screen.
import { describe, expect, it } from "vitest";
import { ProcessTable, parseKey } from "../src/state/process_table";
import { columnsOf, process, tableOf } from "./rows";

describe("columns", () => {
  it("give back the row they were made of", () => {
    const row = process({ pid: 412, name: "Finder", cpu_times: [86.3, 82.4], memory_info: [72105984, 4062593024] });
    expect(tableOf([process({ pid: 1 }), row]).row(1)).toEqual(row);
  });

  it("make null of a column that is not sent", () => {
    const { terminal: _, ...columns } = columnsOf([process({ pid: 1, terminal: "/dev/tty1" })]).columns;
    expect(new ProcessTable({ columns, rows: 1 }).row(0).terminal).toBeNull();
  });

  it("keep null apart from zero", () => {
    const table = tableOf([process({ pid: 1, cpu_percent: null }), process({ pid: 2, cpu_percent: 0 })]);
    expect([table.row(0).cpu_percent, table.row(1).cpu_percent]).toEqual([null, 0]);
  });
});

describe("finding", () => {
  it("finds a process by pid and start", () => {
    expect(tableOf([process({ pid: 5 }), process({ pid: 9, started: 77 })]).find({ pid: 9, started: 77 })).toBe(1);
  });

  it("does not take a later process with the same pid for it", () => {
    expect(tableOf([process({ pid: 9, started: 78 })]).find({ pid: 9, started: 77 })).toBe(-1);
  });
});

describe("keys", () => {
  it("are read from their text", () => {
    expect(parseKey("412:1763800")).toEqual({ pid: 412, started: 1763800 });
  });

  it.each(["", "412", "412:", "-1:2", "412:1:2", "a:b"])("are not read from %j", (text) => {
    expect(parseKey(text)).toBeNull();
  });
});
