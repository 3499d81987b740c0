// @vitest-environment happy-dom
// The rounds of questions: when they are asked, what they hold, and what comes of the answers.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createApp, select } from "../src/state/app";
import { countText, createFilter } from "../src/state/filter";
import { startPolling } from "../src/state/poll";
import { readPageState } from "../src/state/url";
import { connect, type FakeSocket } from "./fake_socket";
import { columnsOf, process } from "./rows";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function start(search = "") {
  const { connection, newest } = connect();
  const app = createApp(connection, readPageState(search));
  const poller = startPolling(app);
  newest().onopen?.();
  return { app, poller, connection, newest };
}

const memory = {
  virtual: { total: 100, percent: 40 },
  swap: { total: 0, percent: 0 },
};

/** Answers everything that was asked in this round and lets the answers arrive. */
async function answerRound(socket: FakeSocket, rows = [process({ pid: 1 })], time = Date.now()): Promise<void> {
  const meta = { window_ms: 1000, total: rows.length };
  const list = socket.asked("process.getall");
  for (const { id } of list) socket.answer({ type: "response", id, time, meta, data: columnsOf(rows) });
  socket.reply("cpu.getall", [{ num: 0, usage: 50, user: 30, system: 20, iowait: 0, steal: 0 }], { time });
  socket.reply("memory.getall", memory, { time });
  socket.reply("host.getstats", { hostname: "atlas" }, { time });
  if (socket.asked("daemon.getstats").length > 0) socket.reply("daemon.getstats", { version: "0.1.0" });
  await vi.advanceTimersByTimeAsync(0);
}

describe("rounds", () => {
  it("begin when the connection is live", () => {
    expect(start().newest().asked("process.getall")).toHaveLength(1);
  });

  it("ask for columns", () => {
    expect(start().newest().asked("process.getall")[0]?.data["format"]).toBe("columns");
  });

  it("come a second apart", async () => {
    const { newest } = start();
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(999);
    expect(newest().asked("process.getall")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(newest().asked("process.getall")).toHaveLength(2);
  });

  it("wait for the answer to the last one", async () => {
    const { newest } = start();
    await vi.advanceTimersByTimeAsync(5000);
    expect(newest().asked("process.getall")).toHaveLength(1);
  });

  it("leave psiod a rest after a slow answer", async () => {
    const { newest } = start();
    await vi.advanceTimersByTimeAsync(3000);
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(199);
    expect(newest().asked("process.getall")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(newest().asked("process.getall")).toHaveLength(2);
  });

  it("stop while paused", async () => {
    const { app, newest } = start();
    app.paused.value = true;
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(5000);
    expect(newest().asked("process.getall")).toHaveLength(1);
  });

  it("stop while the tab is hidden", async () => {
    const { newest } = start();
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(5000);
    expect(newest().asked("process.getall")).toHaveLength(1);
  });

  it("go on when the tab is seen again", async () => {
    const { newest } = start();
    const visibility = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(5000);
    visibility.mockReturnValue("visible");
    document.dispatchEvent(new Event("visibilitychange"));
    expect(newest().asked("process.getall")).toHaveLength(2);
  });

  it("do not ask again for a command that psiod does not have", async () => {
    const { newest } = start();
    newest().refuse("host.getstats", "unknown_command", "unknown command host.getstats");
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(1000);
    expect(newest().asked("host.getstats")).toHaveLength(1);
  });

  it("go on after the connection was lost and found", async () => {
    const { newest } = start();
    await answerRound(newest());
    newest().onclose?.();
    await vi.advanceTimersByTimeAsync(1000);
    newest().onopen?.();
    expect(newest().asked("process.getall")).toHaveLength(1);
  });
});

describe("answers", () => {
  it("become the table", async () => {
    const { app, newest } = start();
    await answerRound(newest(), [process({ pid: 7, name: "seven" })]);
    expect(app.table.value.row(0).name).toBe("seven");
  });

  it("keep the last table when the connection breaks", async () => {
    const { app, newest } = start();
    await answerRound(newest(), [process({ pid: 7 })]);
    newest().onclose?.();
    expect(app.table.value.count).toBe(1);
  });

  it("draw a gap where the connection was broken", async () => {
    const { app, newest } = start();
    await answerRound(newest());
    newest().onclose?.();
    await vi.advanceTimersByTimeAsync(1000);
    newest().onopen?.();
    await answerRound(newest());
    expect(app.cpuHistory.points[1]).toEqual([50, null, 50]);
  });

  it("say why there is no list", async () => {
    const { app, newest } = start();
    newest().refuse("process.getall", "unavailable", "no sample yet");
    newest().reply("cpu.getall", []);
    newest().reply("memory.getall", memory);
    newest().reply("host.getstats", {});
    newest().reply("daemon.getstats", {});
    await vi.advanceTimersByTimeAsync(0);
    expect(app.problem.value).toBe("no sample yet");
  });
});

describe("the filter", () => {
  it("goes to psiod as it is written", () => {
    const { newest } = start("?filter=cpu_percent%3E5+root");
    expect(newest().asked("process.getall")[0]?.data["filter"]).toBe("cpu_percent>5 root");
  });

  it("is sent when the typing pauses", async () => {
    const { app, poller, newest } = start();
    await answerRound(newest());
    const filter = createFilter(app, poller);
    filter.set("s");
    await vi.advanceTimersByTimeAsync(100);
    filter.set("ssh");
    await vi.advanceTimersByTimeAsync(149);
    expect(newest().asked("process.getall")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(newest().asked("process.getall")[1]?.data["filter"]).toBe("ssh");
  });

  it("works while paused", async () => {
    const { app, poller, newest } = start();
    await answerRound(newest());
    app.paused.value = true;
    createFilter(app, poller).set("ssh");
    await vi.advanceTimersByTimeAsync(150);
    expect(newest().asked("process.getall")[1]?.data["filter"]).toBe("ssh");
  });

  async function refused() {
    const made = start();
    await answerRound(made.newest());
    createFilter(made.app, made.poller).set("cpu_percent>");
    await vi.advanceTimersByTimeAsync(150);
    const socket = made.newest();
    const { id } = socket.asked("process.getall").find(({ data }) => data["filter"] === "cpu_percent>") ?? { id: -1 };
    socket.answer({ type: "error", id, data: { code: "bad_params", message: "a value is missing" } });
    await answerRound(socket);
    return made;
  }

  it("shows psiod's own words when it is refused", async () => {
    expect((await refused()).app.filterError.value).toBe("a value is missing");
  });

  it("leaves the list live when it is refused", async () => {
    const { newest } = await refused();
    await vi.advanceTimersByTimeAsync(1000);
    const lists = newest().asked("process.getall").filter(({ data }) => data["limit"] === undefined);
    expect(lists.at(-1)?.data["filter"]).toBeUndefined();
  });

  it("counts what it lets through and what there is", () => {
    expect(countText(12, 5031, "ssh")).toBe("12 of 5,031 match");
  });
});

describe("the selected process", () => {
  it("is asked for by pid and start", async () => {
    const { newest } = start("?selected=7:70");
    expect(newest().asked("process.get")[0]?.data).toEqual({ name: "process.get", pid: 7, started: 70 });
  });

  it("stays selected when the list changes its order", async () => {
    const { app, newest } = start();
    await answerRound(newest(), [process({ pid: 7, cpu_percent: 9 }), process({ pid: 8, cpu_percent: 1 })]);
    select(app, { pid: 7, started: 70 });
    await vi.advanceTimersByTimeAsync(1000);
    newest().reply("process.get", process({ pid: 7, cpu_percent: 1 }));
    await answerRound(newest(), [process({ pid: 8, cpu_percent: 9 }), process({ pid: 7, cpu_percent: 1 })]);
    expect(app.detail.value?.row).toMatchObject({ pid: 7, cpu_percent: 1 });
  });

  it.each(["not_found", "conflict"])("has exited when psiod says %s", async (code) => {
    const { app, newest } = start("?selected=7:70");
    newest().refuse("process.get", code, "no process 7");
    await answerRound(newest());
    expect(app.detail.value?.exited).toBe(true);
  });

  it("keeps its last values when it exits", async () => {
    const { app, newest } = start("?selected=7:70");
    newest().reply("process.get", process({ pid: 7, name: "seven" }));
    await answerRound(newest());
    await vi.advanceTimersByTimeAsync(1000);
    newest().refuse("process.get", "not_found", "no process 7");
    await answerRound(newest());
    expect(app.detail.value?.row?.name).toBe("seven");
  });
});
