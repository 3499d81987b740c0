// process.watch: a bounded queue of events, and a list afresh where some are missing.
import { describe, expect, it } from "vitest";
import { WATCH_QUEUE_LIMIT } from "../src/inbox.js";
import { liveClient, take } from "./fake_socket.js";

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
