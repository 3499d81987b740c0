// The connection: what is asked is answered or failed, and a break is followed by patient new attempts.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { backoffMs } from "../src/connection.js";
import { CommandError, ConnectionLost } from "../src/index.js";
import { fakeClient, liveClient } from "./fake_socket.js";

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a request", () => {
  it("carries an id, the name and the parameters", () => {
    const { psio, newest } = liveClient();
    void psio.request("process.get", { pid: 412, started: 7 });
    const data = { name: "process.get", pid: 412, started: 7 };
    expect(newest().sent).toEqual([{ type: "command", id: 1, data }]);
  });

  it("is answered with data, time and meta", async () => {
    const { psio, newest } = liveClient();
    const reply = psio.request("cpu.getall");
    newest().say({ type: "response", id: 1, time: 123, meta: { window_ms: 500 }, data: [] });
    expect(await reply).toEqual({ data: [], time: 123, meta: { window_ms: 500 } });
  });

  it("says null for a time that psiod did not tell", async () => {
    const { psio, newest } = liveClient();
    const reply = psio.request("daemon.describe");
    newest().say({ type: "response", id: 1, data: {} });
    expect(await reply).toEqual({ data: {}, time: null, meta: {} });
  });

  it("is answered with the data alone by get", async () => {
    const { psio, newest } = liveClient();
    const data = psio.get("cpu.getall");
    newest().say({ type: "response", id: 1, time: 123, data: ["cpu"] });
    expect(await data).toEqual(["cpu"]);
  });

  it("gets its own answer, in whatever order they come", async () => {
    const { psio, newest } = liveClient();
    const first = psio.get("cpu.getall");
    const second = psio.get("memory.getall");
    newest().say({ type: "response", id: 2, data: "memory" });
    newest().say({ type: "response", id: 1, data: "cpu" });
    expect([await first, await second]).toEqual(["cpu", "memory"]);
  });

  it("keeps its first answer when a second comes", async () => {
    const { psio, newest } = liveClient();
    const data = psio.get("cpu.getall");
    newest().say({ type: "response", id: 1, data: "first" });
    newest().say({ type: "error", id: 1, data: { code: "internal", message: "second" } });
    expect(await data).toBe("first");
  });

  it("fails with the code and the details that psiod gave", async () => {
    const { psio, newest } = liveClient();
    const data = psio.get("process.get", { pid: 1 });
    newest().say({ type: "error", id: 1, data: { code: "not_found", message: "no process 1", details: { pid: 1 } } });
    const error: unknown = await data.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ code: "not_found", message: "no process 1", details: { pid: 1 } });
  });

  it("may name a command and get a code that this version does not know", async () => {
    const { psio, newest } = liveClient();
    const data = psio.get("weather.getall", { city: "Bonn" });
    expect(newest().sent[0]?.data).toEqual({ name: "weather.getall", city: "Bonn" });
    newest().say({ type: "error", id: 1, data: { code: "too_cloudy", message: "cannot see" } });
    await expect(data).rejects.toMatchObject({ code: "too_cloudy" });
  });

  it("waits for the connection that is being made", async () => {
    const { psio, newest } = fakeClient();
    const data = psio.get("cpu.getall");
    expect(newest().sent).toEqual([]);
    newest().open();
    newest().say({ type: "response", id: 1, data: "cpu" });
    expect(await data).toBe("cpu");
  });

  it("fails with the address and the cause when that connection cannot be made", async () => {
    const { psio, newest } = fakeClient();
    const data = psio.get("cpu.getall");
    const refused = new Error("connect ECONNREFUSED");
    newest().onerror?.({ error: refused });
    newest().break();
    const error: unknown = await data.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConnectionLost);
    expect(error).toMatchObject({ message: "cannot connect to psiod at ws://psiod.test/", cause: refused });
  });

  it("fails without the cause of an earlier failure", async () => {
    const { psio, newest } = fakeClient();
    newest().onerror?.({ error: new Error("the first") });
    newest().break();
    psio.retryNow();
    const data = psio.get("cpu.getall");
    newest().break();
    expect(await data.catch((error: unknown) => error)).not.toHaveProperty("cause");
  });

  it("leaves nothing on a signal that outlives it", async () => {
    const { psio, newest } = liveClient();
    const { signal } = new AbortController();
    const left = vi.spyOn(signal, "removeEventListener");
    const data = psio.get("cpu.getall", {}, { signal });
    newest().say({ type: "response", id: 1, data: [] });
    await data;
    expect(left).toHaveBeenCalledWith("abort", expect.any(Function));
  });

  it("fails at once between two attempts", async () => {
    const { psio, newest } = fakeClient();
    newest().break();
    await expect(psio.get("cpu.getall")).rejects.toBeInstanceOf(ConnectionLost);
  });

  it("fails when the connection breaks before the answer", async () => {
    const { psio, newest } = liveClient();
    const data = psio.get("cpu.getall");
    newest().break();
    await expect(data).rejects.toThrow("lost the connection to psiod at ws://psiod.test/");
  });

  it("rejects with the reason of its signal, and ignores the answer that still comes", async () => {
    const { psio, newest } = liveClient();
    const stop = new AbortController();
    const data = psio.get("cpu.getall", {}, { signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(data).rejects.toThrow("enough");
    expect(() => newest().say({ type: "response", id: 1, data: [] })).not.toThrow();
  });

  it("is not sent when its signal was aborted before", async () => {
    const { psio, newest } = liveClient();
    await expect(psio.get("cpu.getall", {}, { signal: AbortSignal.abort() })).rejects.toThrow("aborted");
    expect(newest().sent).toEqual([]);
  });

  it("is not sent when its signal is aborted while the connection is being made", async () => {
    const { psio, newest } = fakeClient();
    const stop = new AbortController();
    const data = psio.get("cpu.getall", {}, { signal: stop.signal });
    stop.abort();
    await expect(data).rejects.toThrow("aborted");
    newest().open();
    expect(newest().sent).toEqual([]);
  });
});

describe("messages that mean nothing", () => {
  const garbage: unknown[] = [
    "{", "null", "[]", "7", '"response"', "{}", '{"type":"news","id":1,"data":1}', '{"type":"response","id":1}',
    '{"type":"response","data":1}', '{"type":"response","id":99,"data":1}', '{"type":"error","id":1}',
    '{"type":"error","id":1,"data":null}', '{"type":"event","id":1,"data":1}', '{"type":"event","id":9,"seq":1,"data":1}',
    '{"type":"end","id":9,"data":{"code":"not_found","message":""}}', new Uint8Array([1]),
  ];
  for (const data of garbage) {
    it(`are ignored: ${String(data)}`, async () => {
      const { psio, newest } = liveClient();
      const answer = psio.get("cpu.getall");
      newest().onmessage?.({ data });
      newest().say({ type: "response", id: 1, data: "cpu" });
      expect(await answer).toBe("cpu");
    });
  }
});

describe("a broken connection", () => {
  it("is tried again with growing, jittered waits", () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => backoffMs(attempt, 1))).toEqual(
      [500, 1000, 2000, 4000, 8000, 15_000, 15_000],
    );
    expect(backoffMs(3, 0)).toBe(1000);
  });

  it("is tried again after the wait that its state tells, and not before", () => {
    const { psio, sockets, newest } = liveClient();
    newest().break();
    expect(psio.state).toEqual({ kind: "waiting", attempt: 1, retryAt: Date.now() + 375 });
    vi.advanceTimersByTime(374);
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sockets).toHaveLength(2);
    expect(psio.state).toEqual({ kind: "connecting", attempt: 1 });
  });

  it("waits longer after each failure", () => {
    const { psio, newest } = fakeClient();
    newest().break();
    vi.runOnlyPendingTimers();
    newest().break();
    expect(psio.state).toEqual({ kind: "waiting", attempt: 2, retryAt: Date.now() + 750 });
  });

  it("waits briefly again once psiod has answered, not once it has accepted", async () => {
    const { psio, newest } = fakeClient();
    newest().break();
    vi.runOnlyPendingTimers();
    newest().open();
    newest().break();
    expect(psio.state).toMatchObject({ attempt: 2 });
    vi.runOnlyPendingTimers();
    newest().open();
    const data = psio.get("cpu.getall");
    newest().say({ type: "response", id: 1, data: [] });
    await data;
    newest().break();
    expect(psio.state).toMatchObject({ attempt: 1 });
  });

  it("is tried at once when asked to", () => {
    const { psio, sockets, newest } = fakeClient();
    newest().break();
    psio.retryNow();
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(sockets).toHaveLength(2);
  });

  it("is not doubled by retryNow while it is live or being made", () => {
    const { psio, sockets, newest } = fakeClient();
    psio.retryNow();
    newest().open();
    psio.retryNow();
    expect(sockets).toHaveLength(1);
  });

  it("hears nothing more of its old socket", () => {
    const { psio, sockets, newest } = liveClient();
    const old = newest();
    old.break();
    psio.retryNow();
    newest().open();
    old.break();
    old.open();
    expect(psio.state).toEqual({ kind: "live" });
    expect(sockets).toHaveLength(2);
    expect(old.closed).toBe(true);
  });

  it("keeps a listener for errors on the old socket: the package ws throws those that nobody hears", () => {
    const { newest } = fakeClient();
    const socket = newest();
    vi.advanceTimersByTime(10_000);
    expect(socket.closed).toBe(true);
    expect(socket.onerror).not.toBeNull();
  });
});

describe("a connection that is only half there", () => {
  it("is given up when an answer is due and nothing comes for ten seconds", async () => {
    const { psio } = liveClient();
    const failure = psio.get("cpu.getall").catch((error: unknown) => error);
    vi.advanceTimersByTime(9_999);
    expect(psio.state.kind).toBe("live");
    vi.advanceTimersByTime(1);
    expect(psio.state.kind).toBe("waiting");
    expect(await failure).toMatchObject({ name: "ConnectionLost", cause: { message: "nothing came for 10 s" } });
  });

  it("is given up although requests go on being sent", () => {
    const { psio } = liveClient();
    for (let second = 0; second < 10; second++) {
      psio.get("cpu.getall").catch(() => undefined);
      vi.advanceTimersByTime(1000);
    }
    expect(psio.state.kind).toBe("waiting");
  });

  it("is not given up while other messages come", () => {
    const { psio, newest } = liveClient();
    void psio.get("process.getall");
    for (let second = 0; second < 30; second++) {
      vi.advanceTimersByTime(1000);
      newest().say({ type: "event", id: 77, seq: second, data: null });
    }
    expect(psio.state.kind).toBe("live");
  });

  it("is not given up while nothing is expected of it", () => {
    const { psio } = liveClient();
    vi.advanceTimersByTime(3_600_000);
    expect(psio.state.kind).toBe("live");
  });

  it("is given up when it is not made within ten seconds", () => {
    const { psio, newest } = fakeClient();
    vi.advanceTimersByTime(10_000);
    expect(psio.state.kind).toBe("waiting");
    expect(newest().closed).toBe(true);
  });
});
