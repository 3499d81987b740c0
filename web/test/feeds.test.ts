// @vitest-environment happy-dom
// What psiod sends the page besides the list: the machine, psiod itself, the selected process.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { select } from "../src/state/app";
import { openPage, show } from "./page";
import { process } from "./rows";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const CPUS = [{ num: 0, usage: 50, user: 30, system: 20, iowait: 0, steal: 0 }];
const MACHINE = ["cpu.getall", "memory.getall", "host.getstats", "daemon.getstats"];

describe("the machine", () => {
  it("is told once a second, psiod itself seldom", () => {
    const { psiod } = openPage();
    expect(MACHINE.map((name) => psiod().to(name).map(({ interval }) => interval))).toEqual([[1000], [1000], [1000], [10_000]]);
  });

  it("is never asked by commands", async () => {
    const { psiod } = openPage();
    await vi.advanceTimersByTimeAsync(5000);
    expect(psiod().received.filter(({ type }) => type === "command")).toEqual([]);
  });

  it("becomes the graphs", async () => {
    const { app, psiod } = openPage();
    await psiod().tell("cpu.getall", CPUS);
    await psiod().tell("memory.getall", { virtual: { percent: 40 }, swap: { percent: null } });
    expect([app.cpuHistory.points[1], app.memoryHistory.points[1], app.memoryHistory.points[2]]).toEqual([[50], [40], [null]]);
  });

  it("is what stands in the first line", async () => {
    const { app, psiod } = openPage();
    await psiod().tell("host.getstats", { hostname: "atlas" });
    expect(app.host.value?.hostname).toBe("atlas");
  });

  it("is not told to a page that is held still", () => {
    const { app, psiod } = openPage();
    app.paused.value = true;
    expect(MACHINE.flatMap((name) => psiod().to(name))).toEqual([]);
  });

  it("is told again when the page goes on", () => {
    const { app, psiod } = openPage();
    app.paused.value = true;
    app.paused.value = false;
    expect(MACHINE.map((name) => psiod().to(name).length)).toEqual([1, 1, 1, 1]);
  });

  it("is not told to a tab that is hidden, and again when it is seen", () => {
    const { psiod } = openPage();
    show("hidden");
    expect(psiod().subscriptions).toEqual([]);
    show("visible");
    expect(MACHINE.map((name) => psiod().to(name).length)).toEqual([1, 1, 1, 1]);
  });

  it("is not asked for again where psiod does not know the command", async () => {
    const { psiod } = openPage();
    await psiod().refuse(psiod().to("host.getstats")[0]!, "unknown_command", "unknown command host.getstats");
    await vi.advanceTimersByTimeAsync(5000);
    expect(psiod().begun("host.getstats")).toBe(1);
  });

  it("is asked for again where psiod cannot tell yet", async () => {
    const { psiod } = openPage();
    await psiod().refuse(psiod().to("cpu.getall")[0]!, "unavailable", "no sample yet");
    await vi.advanceTimersByTimeAsync(1000);
    expect(psiod().to("cpu.getall")).toHaveLength(1);
  });
});

describe("a break of the connection", () => {
  async function reconnected() {
    const page = openPage();
    await page.psiod().tell("cpu.getall", CPUS);
    await page.psiod().tellList([process({ pid: 7 })]);
    await page.psiod().refuse(page.psiod().to("host.getstats")[0]!, "unknown_command", "unknown command host.getstats");
    page.psiod().break();
    await vi.advanceTimersByTimeAsync(1000);
    page.psiod().open();
    return page;
  }

  it("is followed by the same subscriptions, those too that another psiod refused", async () => {
    const { psiod } = await reconnected();
    expect([...MACHINE, "process.getall"].map((name) => psiod().to(name).length)).toEqual([1, 1, 1, 1, 1]);
  });

  it("leaves the list on screen", async () => {
    const { app } = await reconnected();
    expect(app.list.value?.total).toBe(1);
  });

  it("is a gap in the graphs", async () => {
    const { app, psiod } = await reconnected();
    await psiod().tell("cpu.getall", CPUS);
    expect(app.cpuHistory.points[1]).toEqual([50, null, 50]);
  });
});

describe("the selected process", () => {
  it("is asked for by pid and start", () => {
    const { psiod } = openPage("?selected=7:70");
    expect(psiod().to("process.get").map(({ data }) => data)).toEqual([{ name: "process.get", pid: 7, started: 70 }]);
  });

  it("is at first what the list shows of it", async () => {
    const { app, psiod } = openPage();
    await psiod().tellList([process({ pid: 7, name: "seven" })]);
    select(app, { pid: 7, started: 70 });
    expect(app.detail.value).toMatchObject({ facts: { name: "seven" }, isComplete: false });
  });

  it("is told in full", async () => {
    const { app, psiod } = openPage("?selected=7:70");
    await psiod().tell("process.get", process({ pid: 7, cgroup: "/init.scope" }));
    expect(app.detail.value).toMatchObject({ facts: { cgroup: "/init.scope" }, isComplete: true });
  });

  it("is the newest one only", async () => {
    const { app, psiod } = openPage("?selected=7:70");
    select(app, { pid: 8, started: 80 });
    await vi.advanceTimersByTimeAsync(100);
    expect(psiod().to("process.get").map(({ data }) => data["pid"])).toEqual([8]);
  });

  it("is asked for once the arrow key is let go", async () => {
    const { app, psiod } = openPage("?selected=7:70");
    for (const pid of [8, 9, 10, 11]) select(app, { pid, started: pid * 10 });
    await vi.advanceTimersByTimeAsync(100);
    expect(psiod().begun("process.get")).toBe(2);
  });

  it.each(["not_found", "conflict"])("has exited when psiod refuses it with %s", async (code) => {
    const { app, psiod } = openPage("?selected=7:70");
    await psiod().refuse(psiod().to("process.get")[0]!, code, "no process 7");
    expect(app.detail.value?.exited).toBe(true);
  });

  it("keeps its last values when it exits", async () => {
    const { app, psiod } = openPage("?selected=7:70");
    await psiod().tell("process.get", process({ pid: 7, name: "seven" }));
    await psiod().end(psiod().to("process.get")[0]!, "not_found", "no process 7");
    expect(app.detail.value).toMatchObject({ exited: true, facts: { name: "seven" } });
    await vi.advanceTimersByTimeAsync(5000);
    expect(psiod().begun("process.get")).toBe(1);
  });

  it("is fetched once while the page is held still", async () => {
    const { app, psiod } = openPage();
    app.paused.value = true;
    select(app, { pid: 7, started: 70 });
    await psiod().tell("process.get", process({ pid: 7, ppid: 0 }));
    expect(app.detail.value?.isComplete).toBe(true);
    expect(psiod().to("process.get")).toEqual([]);
  });

  it("has a parent with a name", async () => {
    const { app, psiod } = openPage("?selected=7:70");
    await psiod().tell("process.get", process({ pid: 7, ppid: 4 }));
    const [parent] = psiod().to("process.getall").filter(({ data }) => data["filter"] === "pid=4");
    await psiod().tellList([process({ pid: 4, name: "four" })], {}, { ...parent!, data: { ...parent!.data, offset: 0, limit: 1 } });
    expect(app.parent.value).toEqual({ key: { pid: 4, started: 40 }, name: "four" });
  });
});
