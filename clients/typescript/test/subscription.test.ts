// Subscriptions on a faked socket: what is asked of psiod, what the consumer gets, and when it is over.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandError, ConnectionLost, SubscriptionEnded } from "../src/index.js";
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
