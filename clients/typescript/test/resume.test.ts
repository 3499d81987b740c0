// What becomes of subscriptions when the connection breaks, and when something else is asked for.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandError } from "../src/index.js";
import { fakeClient, liveClient, take } from "./fake_socket.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
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
