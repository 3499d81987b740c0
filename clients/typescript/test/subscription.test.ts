// Subscriptions on a faked socket: what is asked of psiod, what the consumer gets, and when it is over.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandError, ConnectionLost, SubscriptionEnded } from "../src/index.js";
import { WATCH_QUEUE_LIMIT } from "../src/inbox.js";
import { fakeClient, liveClient, take } from "./fake_socket.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("subscribing", () => {
  it("sends name, parameters and interval", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("process.getall", { sort: "-cpu_percent", limit: 5 }, { interval: 500 });
    const data = { name: "process.getall", sort: "-cpu_percent", limit: 5 };
    expect(newest().sent).toEqual([{ type: "subscribe", id: 1, interval: 500, data }]);
  });

  it("leaves out what was not chosen", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("cpu.getall", {}, { mode: "whole" });
    expect(newest().sent).toEqual([{ type: "subscribe", id: 1, data: { name: "cpu.getall" } }]);
  });

  it("asks for deltas", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("cpu.getall", {}, { mode: "delta" });
    expect(newest().sent).toEqual([{ type: "subscribe", id: 1, mode: "delta", data: { name: "cpu.getall" } }]);
  });

  it("waits for the connection", () => {
    const { psio, newest } = fakeClient();
    psio.subscribe("cpu.getall");
    expect(newest().sent).toEqual([]);
    newest().open();
    expect(newest().ofType("subscribe")).toHaveLength(1);
  });
});

describe("an iteration", () => {
  it("gets what psiod says", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().accept();
    newest().say({ type: "event", id: 1, seq: 1, time: 5, meta: { window_ms: 1000 }, data: ["cpu"] });
    const expected = { seq: 1, time: 5, meta: { window_ms: 1000 }, data: ["cpu"], skipped: 0, resumed: false };
    expect(await take(events)).toEqual(expected);
  });

  it("waits for what comes later", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    const [first, second] = [take(events), take(events)];
    newest().event(1, "a");
    newest().event(2, "b");
    expect([(await first).data, (await second).data]).toEqual(["a", "b"]);
  });

  it("gets nothing of other subscriptions", async () => {
    const { psio, newest } = liveClient();
    const cpus = psio.subscribe("cpu.getall");
    const memory = psio.subscribe("memory.getall");
    newest().event(1, "memory", 2);
    newest().event(1, "cpus", 1);
    expect([(await take(cpus)).data, (await take(memory)).data]).toEqual(["cpus", "memory"]);
  });

  it("gets the newest alone when it is slow, and hears how many it missed", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().event(1, "a");
    await take(events);
    for (const seq of [2, 3, 4]) newest().event(seq, `tick ${seq}`);
    expect(await take(events)).toMatchObject({ seq: 4, data: "tick 4", skipped: 2 });
    newest().event(5, "e");
    expect(await take(events)).toMatchObject({ skipped: 0 });
  });

  it("counts what psiod skipped as well", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().event(1, "a");
    newest().event(4, "d");
    newest().event(9, "i");
    expect(await take(events)).toMatchObject({ seq: 9, skipped: 2 + 2 + 4 });
  });

  it("unsubscribes when its loop is left", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().event(1, "a");
    for await (const { data } of events) {
      expect(data).toBe("a");
      break;
    }
    expect(newest().ofType("unsubscribe")).toEqual([{ type: "unsubscribe", id: 2, subscription: 1 }]);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it("is done when it is unsubscribed while it waits", async () => {
    const { psio } = liveClient();
    const events = psio.subscribe("cpu.getall");
    const next = events.next();
    events.unsubscribe();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("unsubscribes once", () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    events.unsubscribe();
    events.unsubscribe();
    expect(newest().ofType("unsubscribe")).toHaveLength(1);
  });

  it("does not mind that psiod refuses to end what it has ended", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    events.unsubscribe();
    newest().say({ type: "error", id: 2, data: { code: "not_found", message: "no subscription 1" } });
    await vi.advanceTimersByTimeAsync(0);
    expect(psio.state).toEqual({ kind: "live" });
  });

  it("ignores events that were under way when it ended", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    events.unsubscribe();
    newest().event(1, "late");
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it("throws the reason when its signal is aborted", async () => {
    const { psio, newest } = liveClient();
    const stop = new AbortController();
    const events = psio.subscribe("cpu.getall", {}, { signal: stop.signal });
    newest().event(1, "not taken");
    stop.abort(new Error("enough"));
    await expect(events.next()).rejects.toThrow("enough");
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(newest().ofType("unsubscribe")).toHaveLength(1);
  });

  it("leaves nothing on a signal that outlives it", () => {
    const { psio } = liveClient();
    const { signal } = new AbortController();
    const left = vi.spyOn(signal, "removeEventListener");
    psio.subscribe("cpu.getall", {}, { signal }).unsubscribe();
    expect(left).toHaveBeenCalledWith("abort", expect.any(Function));
  });

  it("asks nothing when its signal was aborted before", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall", {}, { signal: AbortSignal.abort() });
    await expect(events.next()).rejects.toThrow("aborted");
    expect(newest().sent).toEqual([]);
  });

  it("is done when the client is closed", async () => {
    const { psio } = liveClient();
    const events = psio.subscribe("cpu.getall");
    const next = events.next();
    psio.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });

  it("throws when the client was closed before", async () => {
    const { psio } = liveClient();
    psio.close();
    await expect(psio.subscribe("cpu.getall").next()).rejects.toBeInstanceOf(ConnectionLost);
  });
});

describe("psiod's refusal", () => {
  it("is thrown as CommandError, once", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall", {}, { interval: 5 });
    newest().say({ type: "error", id: 1, data: { code: "bad_params", message: "interval: 100 to 3600000" } });
    const error: unknown = await events.next().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ code: "bad_params" });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(newest().ofType("unsubscribe")).toEqual([]);
  });

  it("is not repeated on the next connection", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("cpu.getall").next().catch(() => undefined);
    newest().say({ type: "error", id: 1, data: { code: "too_many", message: "64 are enough" } });
    return vi.advanceTimersByTimeAsync(0).then(() => {
      newest().break();
      psio.retryNow();
      newest().open();
      expect(newest().sent).toEqual([]);
    });
  });

  it("to resume is thrown as SubscriptionEnded: it was granted before", async () => {
    const { psio, newest } = liveClient();
    const next = psio.subscribe("process.get", { pid: 412 }).next().catch((error: unknown) => error);
    newest().accept();
    await vi.advanceTimersByTimeAsync(0);
    newest().break();
    psio.retryNow();
    newest().open();
    const id = newest().subscription();
    newest().say({ type: "error", id, data: { code: "not_found", message: "no process 412" } });
    expect(await next).toBeInstanceOf(SubscriptionEnded);
  });
});

describe("an end from psiod", () => {
  const data = { code: "not_found", message: "process 412 exited", details: { pid: 412 } };

  it("is thrown after the last event", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.get", { pid: 412 });
    newest().event(1, "last");
    newest().say({ type: "end", id: 1, data });
    expect(await take(events)).toMatchObject({ data: "last" });
    const error: unknown = await events.next().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SubscriptionEnded);
    expect(error).toMatchObject(data);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it("is thrown to who waits", async () => {
    const { psio, newest } = liveClient();
    const next = psio.subscribe("process.get", { pid: 412 }).next();
    newest().say({ type: "end", id: 1, data });
    await expect(next).rejects.toBeInstanceOf(SubscriptionEnded);
  });

  it("is not answered with unsubscribe, nor resumed", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("process.get", { pid: 412 });
    newest().say({ type: "end", id: 1, data });
    expect(newest().ofType("unsubscribe")).toEqual([]);
    newest().break();
    psio.retryNow();
    newest().open();
    expect(newest().sent).toEqual([]);
  });

  it("does not surprise who leaves the loop", async () => {
    const { psio, newest } = liveClient();
    const seen: unknown[] = [];
    const events = psio.subscribe("process.get", { pid: 412 });
    newest().event(1, "last");
    for await (const event of events) {
      seen.push(event.data);
      newest().say({ type: "end", id: 1, data });
      break;
    }
    expect(seen).toEqual(["last"]);
  });
});

describe("a break of the connection", () => {
  it("is bridged: the iteration goes on, and says so once", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall", {}, { interval: 500 });
    newest().accept();
    newest().event(7, "before");
    expect(await take(events)).toMatchObject({ data: "before", resumed: false });
    const next = take(events);
    newest().break();
    await vi.advanceTimersByTimeAsync(500);
    newest().open();
    expect(newest().sent).toEqual([{ type: "subscribe", id: 2, interval: 500, data: { name: "cpu.getall" } }]);
    newest().event(1, "after");
    expect(await next).toMatchObject({ seq: 1, data: "after", resumed: true, skipped: 0 });
    newest().event(2, "later");
    expect(await take(events)).toMatchObject({ resumed: false });
  });

  it("is told although the first event after it was not taken", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().accept();
    await vi.advanceTimersByTimeAsync(0);
    newest().break();
    psio.retryNow();
    newest().open();
    newest().event(1, "a");
    newest().event(2, "b");
    expect(await take(events)).toMatchObject({ data: "b", resumed: true, skipped: 1 });
  });

  it("resumes all that lives and nothing else", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("cpu.getall");
    psio.subscribe("memory.getall");
    psio.subscribe("host.getstats").unsubscribe();
    newest().break();
    psio.retryNow();
    newest().open();
    expect(newest().sent.map(({ data }) => data?.name)).toEqual(["cpu.getall", "memory.getall"]);
  });

  it("is no break to a subscription that had not begun", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().break();
    psio.retryNow();
    newest().open();
    newest().event(1, "first");
    expect(await take(events)).toMatchObject({ resumed: false });
  });

  it("leaves nothing that asks for signs of life when the subscription ended meanwhile", () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("cpu.getall");
    newest().break();
    events.unsubscribe();
    psio.retryNow();
    newest().open();
    vi.advanceTimersByTime(10_000);
    expect(newest().sent).toEqual([]);
  });

  it("is noticed when nothing comes: psiod is asked for a sign of life, and given ten seconds", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("host.getstats", {}, { interval: 3_600_000 });
    newest().accept();
    vi.advanceTimersByTime(10_000);
    expect(newest().sent.at(-1)).toEqual({ type: "unsubscribe", id: 2, subscription: 0 });
    vi.advanceTimersByTime(9_999);
    expect(psio.state.kind).toBe("live");
    vi.advanceTimersByTime(1);
    expect(psio.state.kind).toBe("waiting");
  });

  it("is not suspected while psiod gives signs of life", () => {
    const { psio, newest } = liveClient();
    psio.subscribe("host.getstats", {}, { interval: 3_600_000 });
    newest().accept();
    for (let n = 0; n < 10; n++) {
      vi.advanceTimersByTime(10_000);
      const id = newest().sent.at(-1)?.id;
      newest().say({ type: "error", id, data: { code: "not_found", message: "no subscription 0" } });
    }
    expect(psio.state.kind).toBe("live");
  });
});

describe("change", () => {
  it("subscribes again with what is new beside what stays", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.getall", { sort: "pid", limit: 5, offset: 0 }, { interval: 500 });
    newest().event(1, "first page");
    await take(events);
    events.change({ offset: 5 }, { interval: 2000 });
    const data = { name: "process.getall", sort: "pid", limit: 5, offset: 5 };
    expect(newest().sent.slice(1)).toEqual([
      { type: "unsubscribe", id: 2, subscription: 1 },
      { type: "subscribe", id: 3, interval: 2000, data },
    ]);
    newest().event(2, "of the first page", 1);
    newest().event(1, "second page");
    expect(await take(events)).toMatchObject({ data: "second page", skipped: 0, resumed: false });
  });

  it("drops what was not taken of what was asked before", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.getall", { limit: 5 });
    newest().event(1, "of five");
    newest().event(2, "of five");
    events.change({ limit: 9 });
    const next = take(events);
    newest().event(1, "of nine");
    expect(await next).toMatchObject({ data: "of nine", skipped: 0 });
  });

  it("that psiod refuses is thrown as CommandError", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.getall", { limit: 5 });
    newest().accept();
    await vi.advanceTimersByTimeAsync(0);
    events.change({ filter: "cpu_percent>" });
    const id = newest().subscription();
    newest().say({ type: "error", id, data: { code: "bad_params", message: "filter" } });
    await expect(events.next()).rejects.toBeInstanceOf(CommandError);
  });

  it("of the pace of process.watch keeps its events, and says that some may be missing", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    newest().event(1, { events: [{ event: "started", pid: 1 }] });
    events.change({}, { interval: 5000 });
    newest().event(1, { list: [], events: [] });
    expect((await take(events)).data.events).toHaveLength(1);
    expect((await take(events)).data.lost).toBeNull();
  });

  it("is not undone by a refusal of what was asked before", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.getall", { filter: "cpu_percent>" });
    events.change({ filter: "cpu_percent>5" });
    newest().say({ type: "error", id: 1, data: { code: "bad_params", message: "filter" } });
    await vi.advanceTimersByTimeAsync(0);
    newest().event(1, "filtered");
    expect(await take(events)).toMatchObject({ data: "filtered" });
  });

  it("while there is no connection counts for the next", () => {
    const { psio, newest } = fakeClient();
    psio.subscribe("process.getall", { limit: 5 }).change({ limit: 9 });
    newest().open();
    expect(newest().sent.map(({ data }) => data)).toEqual([{ name: "process.getall", limit: 9 }]);
  });

  it("does not revive what has ended", () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.getall", { limit: 5 });
    events.unsubscribe();
    events.change({ limit: 9 });
    expect(newest().ofType("subscribe")).toHaveLength(1);
  });
});

describe("forEach", () => {
  it("calls back for each event until it is unsubscribed", async () => {
    const { psio, newest } = liveClient();
    const seen: unknown[] = [];
    const events = psio.subscribe("cpu.getall");
    const done = events.forEach(({ data }) => seen.push(data));
    newest().event(1, "a");
    await vi.advanceTimersByTimeAsync(0);
    newest().event(2, "b");
    await vi.advanceTimersByTimeAsync(0);
    events.unsubscribe();
    await done;
    expect(seen).toEqual(["a", "b"]);
  });

  it("rejects with what the callback throws, and unsubscribes", async () => {
    const { psio, newest } = liveClient();
    const done = psio.subscribe("cpu.getall").forEach(() => {
      throw new Error("mine");
    });
    newest().event(1, "a");
    await expect(done).rejects.toThrow("mine");
    expect(newest().ofType("unsubscribe")).toHaveLength(1);
  });
});

describe("process.watch", () => {
  const started = (pid: number) => ({ event: "started", pid });

  it("keeps every event for a slow consumer", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch", {}, { interval: 200 });
    newest().event(1, { source: "sweeps", list: [], events: [] });
    newest().event(2, { events: [started(1)] });
    newest().event(5, { events: [started(2), started(3)] });
    expect((await take(events)).data).toEqual({ source: "sweeps", list: [], events: [] });
    expect((await take(events)).data.events).toEqual([started(1)]);
    expect((await take(events)).data.events).toEqual([started(2), started(3)]);
  });

  it("hands on what psiod lost", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    newest().event(1, { lost: 12, list: [{ pid: 1 }], events: [] });
    expect((await take(events)).data).toEqual({ lost: 12, list: [{ pid: 1 }], events: [] });
  });

  it("stops at its limit and begins again, with a list afresh and a word of the loss, when all is taken", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    const many = Array.from({ length: WATCH_QUEUE_LIMIT - 2 }, (_, pid) => started(pid));
    newest().event(1, { source: "sweeps", list: [], events: [] });
    newest().event(2, { events: many });
    expect(newest().ofType("unsubscribe")).toEqual([]);
    newest().event(3, { events: [started(1)] });
    expect(newest().ofType("unsubscribe")).toHaveLength(1);
    await take(events);
    expect((await take(events)).data.events).toHaveLength(many.length);
    expect(newest().ofType("subscribe")).toHaveLength(1);
    const next = take(events);
    expect(newest().ofType("subscribe")).toHaveLength(2);
    newest().event(1, { source: "sweeps", list: [{ pid: 9 }], events: [] });
    expect((await next).data).toEqual({ lost: null, source: "sweeps", list: [{ pid: 9 }], events: [] });
    newest().event(2, { events: [started(2)] });
    expect((await take(events)).data).toEqual({ events: [started(2)] });
  });

  it("goes on without end for who keeps up", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    const some = Array.from({ length: WATCH_QUEUE_LIMIT / 4 }, (_, pid) => started(pid));
    for (let seq = 1; seq < 20; seq += 2) {
      newest().event(seq, { events: some });
      newest().event(seq + 1, { events: some });
      await take(events);
      await take(events);
    }
    expect(newest().ofType("unsubscribe")).toEqual([]);
  });

  it("takes a first message that is larger than the limit", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    const list = Array.from({ length: WATCH_QUEUE_LIMIT * 2 }, (_, pid) => ({ pid }));
    newest().event(1, { source: "sweeps", list, events: [] });
    expect((await take(events)).data.list).toHaveLength(list.length);
  });

  it("is not begun again by a new connection while it is paused", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    newest().event(1, { events: Array.from({ length: WATCH_QUEUE_LIMIT }, (_, pid) => started(pid)) });
    newest().event(2, { events: [started(1)] });
    newest().break();
    psio.retryNow();
    newest().open();
    expect(newest().sent).toEqual([]);
    await take(events);
    void events.next();
    expect(newest().ofType("subscribe")).toHaveLength(1);
  });

  it("says after a break that events are missing", async () => {
    const { psio, newest } = liveClient();
    const events = psio.subscribe("process.watch");
    newest().accept();
    newest().event(1, { source: "sweeps", list: [], events: [] });
    await take(events);
    newest().break();
    psio.retryNow();
    newest().open();
    newest().event(1, { source: "sweeps", list: [], events: [] });
    expect(await take(events)).toMatchObject({ resumed: true, data: { lost: null, list: [] } });
  });
});
