// How the order of the table is chosen and written.
import { describe, expect, it } from "vitest";
import { nextSort, parseSort, sortText } from "../src/state/sort";

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
