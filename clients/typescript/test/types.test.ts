// What compiles, and as what. `tsc` checks this file; at run time only the calls happen.
import { describe, expectTypeOf, it } from "vitest";
import type { Changes, Columns, CpuRow, HostStats, LifecycleEvent, MemoryStats, ProcessRow } from "../src/index.js";
import type { ProcessWatchEvent, WatchedProcess } from "../src/index.js";
import { fakeClient } from "./fake_socket.js";

const { psio, newest } = fakeClient();
newest().open();

describe("answers", () => {
  it("are typed by the command's name", () => {
    expectTypeOf(psio.get("memory.getall")).resolves.toEqualTypeOf<MemoryStats>();
    expectTypeOf(psio.get("cpu.getall")).resolves.toEqualTypeOf<CpuRow[]>();
    expectTypeOf(psio.get("cpu.getall", { sort: "-usage" })).resolves.toEqualTypeOf<CpuRow[]>();
    expectTypeOf(psio.request("host.getstats")).resolves.toHaveProperty("data").toEqualTypeOf<HostStats>();
  });

  it("have the fields that were asked for", () => {
    const rows = psio.get("process.getall", { fields: ["pid", "name"], limit: 5 });
    expectTypeOf(rows).resolves.toEqualTypeOf<Pick<ProcessRow, "pid" | "name">[]>();
  });

  it("may lack each field when it is chosen at run time", () => {
    const fields: string[] = ["pid"];
    expectTypeOf(psio.get("process.getall", { fields })).resolves.toEqualTypeOf<Partial<ProcessRow>[]>();
  });

  it("are columns when asked for", () => {
    const columns = psio.get("process.getall", { fields: ["pid"], format: "columns" });
    expectTypeOf(columns).resolves.toEqualTypeOf<Columns<Pick<ProcessRow, "pid">>>();
    expectTypeOf(psio.get("cpu.getall", { format: "columns" })).resolves.toEqualTypeOf<Columns<CpuRow>>();
    expectTypeOf<Columns<CpuRow>["columns"]["usage"]>().toEqualTypeOf<(number | null)[]>();
  });

  it("are unknown for a name that this version does not have", () => {
    expectTypeOf(psio.get("weather.getall", { city: "Bonn" })).resolves.toBeUnknown();
  });
});

describe("requests that psiod would refuse", () => {
  it("do not compile", () => {
    // @ts-expect-error: an unknown parameter
    void psio.get("process.getall", { limitt: 5, sort: "pid" });
    // @ts-expect-error: a parameter of the wrong type
    void psio.get("process.getall", { limit: "5" });
    // @ts-expect-error: no pid
    psio.get("process.get").catch(() => undefined);
    // @ts-expect-error: no deltas of what does not list
    psio.subscribe("memory.getall", {}, { mode: "delta" }).unsubscribe();
    // @ts-expect-error: process.watch has no mode
    psio.subscribe("process.watch", {}, { mode: "delta" }).unsubscribe();
    // @ts-expect-error: process.watch has no parameters
    psio.subscribe("process.watch", { limit: 5 }).unsubscribe();
    // @ts-expect-error: process.watch can only be subscribed to
    void psio.request("process.watch");
    // @ts-expect-error: with parameters neither
    void psio.request("process.watch", {});
    // @ts-expect-error: nor can its data alone be asked for
    void psio.get("process.watch");
  });
});

describe("events", () => {
  it("are typed by name, parameters and mode", () => {
    const whole = psio.subscribe("cpu.getall", { fields: ["usage"] }, { interval: 500 });
    expectTypeOf<EventOf<typeof whole>["data"]>().toEqualTypeOf<Pick<CpuRow, "usage">[]>();
    const delta = psio.subscribe("cpu.getall", { fields: ["usage"] }, { mode: "delta" });
    expectTypeOf<EventOf<typeof delta>["data"]>().toEqualTypeOf<readonly Pick<CpuRow, "usage">[]>();
    expectTypeOf<EventOf<typeof delta>["changes"]>().toEqualTypeOf<Changes>();
    const watch = psio.subscribe("process.watch");
    expectTypeOf<EventOf<typeof watch>["data"]>().toEqualTypeOf<ProcessWatchEvent>();
    const paced = psio.subscribe("process.watch", {}, { interval: 500 });
    expectTypeOf(paced).toEqualTypeOf(watch);
    const bare = psio.subscribe("memory.getall");
    expectTypeOf<EventOf<typeof bare>["data"]>().toEqualTypeOf<MemoryStats>();
  });

  it("of process.watch may tell of a loss, of unknown size too, and a list", () => {
    expectTypeOf<ProcessWatchEvent["lost"]>().toEqualTypeOf<number | null | undefined>();
    expectTypeOf<ProcessWatchEvent["list"]>().toEqualTypeOf<WatchedProcess[] | null | undefined>();
    expectTypeOf<ProcessWatchEvent["events"]>().toEqualTypeOf<LifecycleEvent[]>();
    expectTypeOf<LifecycleEvent["event"]>().toEqualTypeOf<"started" | "exec" | "exited">();
  });

  it("keep their type through change", () => {
    const events = psio.subscribe("process.getall", { fields: ["pid"], limit: 5 });
    events.change({ limit: 6, filter: null });
    // @ts-expect-error: other fields are another type
    events.change({ fields: ["name"] });
  });
});

type EventOf<S> = S extends AsyncIterable<infer Event> ? Event : never;
