// The machine in a few numbers, and the page's address.
import { describe, expect, it } from "vitest";
import type { VirtualMemory } from "psio";
import { memoryParts, summariseCpus } from "../src/state/summary";
import { pageStateText, readPageState } from "../src/state/url";
import { DEFAULT_SORT } from "../src/state/sort";

const cpu = { num: 0, usage: 0, user: 0, system: 0, iowait: 0, steal: 0 };
const memory: VirtualMemory = {
  total: 1000, available: 600, percent: 40, used: 350, free: 100, active: null, inactive: null,
  buffers: null, cached: null, shared: null, slab: null, wired: null,
};

describe("all CPUs", () => {
  it("are the mean of each", () => {
    expect(summariseCpus([{ ...cpu, usage: 20 }, { ...cpu, num: 1, usage: 60 }]).usage).toBe(40);
  });

  it("leave out a CPU that is not known", () => {
    expect(summariseCpus([{ ...cpu, usage: null }, { ...cpu, num: 1, usage: 60 }]).usage).toBe(60);
  });

  it("are not known when none is", () => {
    expect(summariseCpus([{ ...cpu, steal: null }]).steal).toBeNull();
  });
});

describe("the parts of memory", () => {
  it("add up to the total", () => {
    expect(memoryParts(memory)).toEqual({ total: 1000, inUse: 400, reclaimable: 500, free: 100 });
  });

  it("never go below nothing when available is less than free", () => {
    expect(memoryParts({ ...memory, available: 80 })).toEqual({ total: 1000, inUse: 920, reclaimable: 0, free: 80 });
  });

  it("are not drawn when the machine does not say", () => {
    expect(memoryParts({ ...memory, available: null })).toBeNull();
  });
});

describe("the address", () => {
  it("is bare at first", () => {
    expect(pageStateText({ sort: DEFAULT_SORT, filter: "", selected: null })).toBe("");
  });

  it("brings back what it was made of", () => {
    const state = { sort: { field: "name", descending: false } as const, filter: "cpu_percent>5 a&b", selected: { pid: 4, started: 99 } };
    expect(readPageState(pageStateText(state))).toEqual(state);
  });

  it("falls back where it makes no sense", () => {
    expect(readPageState("?sort=shoe_size&selected=x")).toEqual({ sort: DEFAULT_SORT, filter: "", selected: null });
  });
});
