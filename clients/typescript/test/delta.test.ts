// Lists kept up to date by what changed.
import { describe, expect, it } from "vitest";
import { DeltaList } from "../src/delta.js";
import { liveClient, take } from "./fake_socket.js";

interface Row {
  n: number;
  s: string | null;
}

const A = { n: 1, s: "a" };
const B = { n: 2, s: "b" };
const C = { n: 3, s: "c" };

/** A list of a, b and c, taken once. */
function abc(): DeltaList<Row> {
  const list = new DeltaList<Row>();
  expect(list.apply({ reset: { a: A, b: B, c: C }, order: ["a", "b", "c"] })).toBe(true);
  list.take();
  return list;
}

const NOTHING = { reset: false, added: [], changed: [], removed: [], moved: false };

describe("a delta", () => {
  it("begins with a reset, in its order whatever order the object's keys have", () => {
    const list = new DeltaList<Row>();
    expect(list.apply({ reset: { "1": A, "2": B }, order: ["2", "1"] })).toBe(true);
    const changes = { ...NOTHING, reset: true, moved: true };
    expect(list.take()).toEqual({ data: [B, A], keys: ["2", "1"], changes });
  });

  it("sets single fields, null being a value", () => {
    const list = abc();
    expect(list.apply({ set: { b: { s: null } } })).toBe(true);
    expect(list.take()).toEqual({
      data: [A, { n: 2, s: null }, C],
      keys: ["a", "b", "c"],
      changes: { ...NOTHING, changed: ["b"] },
    });
  });

  it("leaves the rows that were handed out as they were", () => {
    const list = abc();
    const before = list.take().data[1];
    list.apply({ set: { b: { n: 7 } } });
    expect(before).toEqual({ n: 2, s: "b" });
  });

  it("leaves unchanged rows the same objects", () => {
    const list = abc();
    list.apply({ set: { b: { n: 7 } } });
    const { data } = list.take();
    expect(data[0]).toBe(A);
    expect(data[2]).toBe(C);
  });

  it("that is empty leaves the same array", () => {
    const list = abc();
    const before = list.take().data;
    expect(list.apply({})).toBe(true);
    const { data, changes } = list.take();
    expect(data).toBe(before);
    expect(changes).toEqual(NOTHING);
  });

  it("adds, removes and moves", () => {
    const list = abc();
    const d = { n: 4, s: "d" };
    expect(list.apply({ remove: ["a"], add: { d }, order: ["d", "c", "b"] })).toBe(true);
    expect(list.take()).toEqual({
      data: [d, C, B],
      keys: ["d", "c", "b"],
      changes: { ...NOTHING, added: ["d"], removed: ["a"], moved: true },
    });
  });

  it("may remove a key and add it again", () => {
    const list = abc();
    const again = { n: 9, s: "again" };
    expect(list.apply({ remove: ["a"], add: { a: again }, order: ["a", "b", "c"] })).toBe(true);
    const { data, changes } = list.take();
    expect(data[0]).toBe(again);
    expect(changes).toMatchObject({ added: [], removed: [], changed: ["a"] });
  });

  it("may set what it adds", () => {
    const list = abc();
    expect(list.apply({ add: { d: A }, set: { d: { n: 5 } }, order: ["a", "b", "c", "d"] })).toBe(true);
    const { data, changes } = list.take();
    expect(data[3]).toEqual({ n: 5, s: "a" });
    expect(changes).toMatchObject({ added: ["d"], changed: [] });
  });

  it("may empty the list", () => {
    const list = abc();
    expect(list.apply({ remove: ["a", "b", "c"], order: [] })).toBe(true);
    expect(list.take()).toMatchObject({ data: [], keys: [], changes: { removed: ["a", "b", "c"] } });
  });

  it("keeps keys apart that objects have of themselves", () => {
    const list = abc();
    const delta: unknown = JSON.parse('{"add":{"__proto__":{"n":4,"s":"p"}},"order":["a","b","c","__proto__"]}');
    expect(list.apply(delta)).toBe(true);
    expect(list.take().data[3]).toEqual({ n: 4, s: "p" });
  });

  const misfits: [string, unknown][] = [
    ["sets an unknown row", { set: { x: { n: 1 } } }],
    ["orders an unknown row", { order: ["a", "b", "x"] }],
    ["orders fewer rows than there are", { order: ["a", "b"] }],
    ["orders a row twice", { order: ["a", "b", "b"] }],
    ["adds without a place", { add: { d: A } }],
    ["removes without a new order", { remove: ["a"] }],
    ["is no object", [A]],
    ["is null", null],
  ];
  for (const [what, delta] of misfits) {
    it(`does not fit when it ${what}`, () => {
      expect(abc().apply(delta)).toBe(false);
    });
  }
});

describe("changes over several deltas", () => {
  it("are told against what was taken last", () => {
    const list = abc();
    list.apply({ set: { a: { n: 5 }, b: { n: 6 } } });
    list.apply({ remove: ["b"], add: { d: A }, order: ["a", "c", "d"] });
    list.apply({ set: { d: { n: 8 } } });
    list.apply({ add: { e: B }, order: ["a", "c", "d", "e"] });
    list.apply({ remove: ["e"], order: ["a", "c", "d"] });
    const { changes } = list.take();
    expect(changes).toEqual({ reset: false, added: ["d"], changed: ["a"], removed: ["b"], moved: true });
    expect(list.take().changes).toEqual(NOTHING);
  });

  it("are a reset when one of them was", () => {
    const list = abc();
    list.apply({ set: { a: { n: 5 } } });
    list.apply({ reset: { a: A, b: B }, order: ["a", "b"] });
    list.apply({ set: { b: { n: 5 } } });
    list.apply({ remove: ["a"], order: ["b"] });
    expect(list.take()).toEqual({
      data: [{ n: 5, s: "b" }],
      keys: ["b"],
      changes: { ...NOTHING, reset: true, moved: true },
    });
  });
});

describe("a subscription to deltas", () => {
  const RESET = { reset: { "0": { num: 0, usage: 1 }, "1": { num: 1, usage: 2 } }, order: ["0", "1"] };

  function subscribed() {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall", { fields: ["num", "usage"] }, { mode: "delta" });
    newest().accept();
    return { psio, newest, events };
  }

  it("shows the whole list at each event", async () => {
    const { newest, events } = subscribed();
    newest().event(1, RESET);
    expect((await take(events)).data.map(({ usage }) => usage)).toEqual([1, 2]);
    newest().event(2, { set: { "1": { usage: 9 } } });
    const { data, keys, changes, skipped } = await take(events);
    expect(data).toEqual([{ num: 0, usage: 1 }, { num: 1, usage: 9 }]);
    expect({ keys, changed: changes.changed, skipped }).toEqual({ keys: ["0", "1"], changed: ["1"], skipped: 0 });
  });

  it("takes in what a slow consumer did not take", async () => {
    const { newest, events } = subscribed();
    newest().event(1, RESET);
    await take(events);
    newest().event(2, { set: { "0": { usage: 5 } } });
    newest().event(3, { set: { "1": { usage: 6 } } });
    const event = await take(events);
    expect(event.data.map(({ usage }) => usage)).toEqual([5, 6]);
    expect(event).toMatchObject({ seq: 3, skipped: 1, changes: { changed: ["0", "1"] } });
  });

  it("goes on with the reset after a gap", async () => {
    const { newest, events } = subscribed();
    newest().event(1, RESET);
    await take(events);
    newest().event(6, { reset: { "3": { num: 3, usage: 4 } }, order: ["3"] });
    expect(await take(events)).toMatchObject({ data: [{ num: 3 }], skipped: 4, changes: { reset: true } });
    expect(newest().ofType("subscribe")).toHaveLength(1);
  });

  for (const [what, seq, delta] of [
    ["a gap without a reset", 3, {}],
    ["a delta that does not fit", 2, { set: { "7": { usage: 1 } } }],
  ] as const) {
    it(`begins afresh after ${what}, and shows nothing half changed`, async () => {
      const { newest, events } = subscribed();
      newest().event(1, RESET);
      newest().event(seq, delta);
      const next = take(events);
      expect(newest().ofType("unsubscribe").map(({ subscription }) => subscription)).toEqual([1]);
      expect(newest().ofType("subscribe")).toHaveLength(2);
      newest().event(1, RESET);
      expect(await next).toMatchObject({ data: [{ usage: 1 }, { usage: 2 }], changes: { reset: true }, skipped: 1 });
    });
  }

  it("throws when no list comes, rather than ask for ever", async () => {
    const { newest, events } = subscribed();
    newest().event(1, { virtual: {}, swap: {} });
    await expect(events.next()).rejects.toThrow("cpu.getall did not come as a list with keys");
    expect(newest().ofType("subscribe")).toHaveLength(1);
  });

  it("begins with a reset after a break", async () => {
    const { psio, newest, events } = subscribed();
    newest().event(1, RESET);
    await take(events);
    newest().event(2, { set: { "0": { usage: 5 } } });
    newest().break();
    psio.retryNow();
    newest().open();
    newest().event(1, RESET);
    expect(await take(events)).toMatchObject({ resumed: true, changes: { reset: true }, data: [{ usage: 1 }, {}] });
  });
});
