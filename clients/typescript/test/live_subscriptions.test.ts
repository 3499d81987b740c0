// Subscriptions, served by a real psiod.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Psio, Subscription, WatchTick } from "../src/index.js";
import { CommandError, SubscriptionEnded, connect } from "../src/index.js";
import { take } from "./fake_socket.js";
import { type Psiod, startPsiod } from "./psiod.js";

let psiod: Psiod;
let psio: Psio;

beforeAll(async () => {
  psiod = await startPsiod();
  psio = connect(psiod.url, { WebSocket });
});
afterAll(async () => {
  psio?.close();
  await psiod?.stop();
});

/** A child that does nothing until it is ended. */
function sleeper() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  const { pid } = child;
  if (pid === undefined) throw new Error("node could not be started");
  return { pid, end: () => (child.kill("SIGKILL"), once(child, "exit")) };
}

describe("a subscription", () => {
  it("tells at once and then at every tick", async () => {
    const seen = [];
    for await (const event of psio.subscribe("cpu.getall", { fields: ["num", "usage"] }, { interval: 200 })) {
      seen.push(event);
      if (seen.length === 4) break;
    }
    expect(seen[0]?.seq).toBe(1);
    for (const { data, time, meta, resumed } of seen) {
      expect(Object.keys(data[0] ?? {})).toEqual(["num", "usage"]);
      expect(meta.total).toBe(data.length);
      expect(time).toEqual(expect.any(Number));
      expect(resumed).toBe(false);
    }
    // A busy machine may skip ticks, and says so; the first event stands before the first tick.
    for (const [i, { seq, skipped, time }] of seen.entries()) {
      const before = seen[i - 1];
      if (before === undefined) continue;
      expect(seq - before.seq - 1).toBe(skipped);
      if (i > 1) expect(Math.abs((time ?? 0) - (before.time ?? 0) - 200 * (seq - before.seq))).toBeLessThan(150);
    }
  });

  it("leaves psiod without it when its loop is left", async () => {
    const client = connect(psiod.url, { WebSocket });
    for (let n = 0; n < 100; n++) await client.subscribe("memory.getall").forEach(leave).catch(left);
    // Were they alive, they would be more than the 64 that a connection may have.
    expect(await take(client.subscribe("memory.getall"))).toMatchObject({ seq: 1 });
    client.close();
  });

  it("stands beside others and commands on one connection", async () => {
    const [cpus, memory] = [psio.subscribe("cpu.getall"), psio.subscribe("memory.getall", {}, { interval: 300 })];
    const [cpu, mem, host] = await Promise.all([take(cpus), take(memory), psio.get("host.getstats")]);
    expect(cpu.data).toHaveLength(host.cpu_count ?? NaN);
    expect(mem.data.virtual.total).toBeGreaterThan(0);
    cpus.unsubscribe();
    memory.unsubscribe();
  });

  it("is refused when its interval is out of range, naming the range", async () => {
    const events = psio.subscribe("cpu.getall", {}, { interval: 99 });
    const error: unknown = await events.next().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ code: "bad_params", message: expect.stringMatching(/100.*3_?600_?000/) });
  });

  it("is refused when there are too many", async () => {
    const client = connect(psiod.url, { WebSocket });
    const events = Array.from({ length: 65 }, () => client.subscribe("memory.getall"));
    await expect(events[64]?.next()).rejects.toMatchObject({ code: "too_many" });
    expect(await events[63]?.next()).toMatchObject({ done: false });
    client.close();
  });

  it("ends when its process does", async () => {
    const child = sleeper();
    const events = psio.subscribe("process.get", { pid: child.pid }, { interval: 100 });
    expect(await take(events)).toMatchObject({ data: { pid: child.pid } });
    await child.end();
    const error: unknown = await events.forEach(() => undefined).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SubscriptionEnded);
    expect(error).toMatchObject({ code: "not_found" });
  });

  it("goes on when psiod is started again", async () => {
    const first = await startPsiod();
    const client = connect(first.url, { WebSocket });
    const events = client.subscribe("cpu.getall", {}, { interval: 100 });
    expect(await take(events)).toMatchObject({ resumed: false });
    await first.stop();
    const second = await startPsiod(first.port);
    // What came before the end and was not taken yet comes first.
    const { data } = await until(events, ({ resumed }) => resumed);
    expect(data.length).toBeGreaterThan(0);
    client.close();
    await second.stop();
  });

  it("shows the next page after change", async () => {
    const events = psio.subscribe("process.getall", { fields: ["pid"], sort: "pid", limit: 1, offset: 0 });
    const first = (await take(events)).data[0]?.pid ?? NaN;
    events.change({ offset: 1 });
    expect((await take(events)).data[0]?.pid).toBeGreaterThan(first);
    events.unsubscribe();
  });
});

describe("deltas", () => {
  it("show the same list as whole answers do", async () => {
    // The children of this test: nobody else starts and ends those.
    const filter = `ppid=${process.pid}`;
    const [short, long] = [sleeper(), sleeper()];
    const events = psio.subscribe(
      "process.getall",
      { fields: ["pid", "started"], filter, sort: "-pid" },
      { mode: "delta", interval: 100 },
    );
    const { keys, data, changes } = await take(events);
    expect(changes.reset).toBe(true);
    expect(keys).toEqual(data.map(({ pid, started }) => `${pid}:${started}`));
    await until(events, ({ data }) => lists(data, short.pid) && lists(data, long.pid));
    await short.end();
    const late = sleeper();
    const last = await until(events, ({ data }) => !lists(data, short.pid) && lists(data, late.pid));
    expect(last.data).toEqual(await psio.get("process.getall", { fields: ["pid", "started"], filter, sort: "-pid" }));
    events.unsubscribe();
    await Promise.all([long.end(), late.end()]);
  });

  it("keep up with what changes, in order", async () => {
    const params = { fields: ["num", "usage"] as ("num" | "usage")[], sort: "-usage" };
    const events = psio.subscribe("cpu.getall", params, { mode: "delta", interval: 100 });
    for (let n = 0; n < 10; n++) {
      const { data, keys } = await take(events);
      expect(keys).toEqual(data.map(({ num }) => String(num)));
      expect(data.map(({ usage }) => usage)).toEqual(data.map(({ usage }) => usage ?? -1).sort((a, b) => b - a));
    }
    events.unsubscribe();
  });
});

describe("process.watch", () => {
  it("lists what is there, then tells what starts and exits", async () => {
    const events = psio.subscribe("process.watch", {}, { interval: 100 });
    const { data } = await take(events);
    expect(["proc_connector", "sweeps"]).toContain(data.source);
    expect(data.list?.some(({ pid }) => pid === process.pid)).toBe(true);
    const child = sleeper();
    const tells = (what: string) => ({ data }: WatchTick) =>
      data.events.some(({ event, pid }) => event === what && pid === child.pid);
    await until(events, tells("started"));
    await child.end();
    await until(events, tells("exited"));
    events.unsubscribe();
  });
});

/** The first event of which this is true. */
async function until<Event>(events: Subscription<Event>, isTrue: (event: Event) => boolean): Promise<Event> {
  for (;;) {
    const event = await take(events);
    if (isTrue(event)) return event;
  }
}

function lists(rows: readonly { pid: number }[], wanted: number): boolean {
  return rows.some(({ pid }) => pid === wanted);
}

/** Leaves forEach after its first event. */
function leave(): never {
  throw new Error("left");
}

function left(error: Error): void {
  expect(error.message).toBe("left");
}
