// The connection: what is asked is answered or failed, and a break is followed by patient new attempts.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CommandError, ConnectionLost, backoffMs, socketUrl } from "../src/api/socket";
import { connect } from "./fake_socket";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function live(random?: number) {
  const made = connect(random);
  made.newest().onopen?.();
  return made;
}

describe("requests", () => {
  it("sends the command with an id", () => {
    const { connection, newest } = live();
    void connection.request("cpu.getall", {});
    expect(newest().sent).toEqual([{ type: "command", id: 1, data: { name: "cpu.getall" } }]);
  });

  it("sends parameters beside the name", () => {
    const { connection, newest } = live();
    void connection.request("process.get", { pid: 412, started: 7 });
    expect(newest().sent[0]?.data).toEqual({ name: "process.get", pid: 412, started: 7 });
  });

  it("matches answers that come in another order", async () => {
    const { connection, newest } = live();
    const first = connection.request("cpu.getall", {});
    const second = connection.request("memory.getall", {});
    newest().answer({ type: "response", id: 2, data: "memory" });
    newest().answer({ type: "response", id: 1, data: "cpu" });
    expect((await first).data).toBe("cpu");
    expect((await second).data).toBe("memory");
  });

  it("hands over time and meta", async () => {
    const { connection, newest } = live();
    const reply = connection.request("cpu.getall", {});
    newest().answer({ type: "response", id: 1, time: 123, meta: { window_ms: 500 }, data: [] });
    expect(await reply).toEqual({ data: [], time: 123, meta: { window_ms: 500 } });
  });

  it("fails with the code that psiod gave", async () => {
    const { connection, newest } = live();
    const reply = connection.request("process.get", { pid: 1, started: 1 });
    newest().answer({ type: "error", id: 1, data: { code: "not_found", message: "no process 1" } });
    await expect(reply).rejects.toMatchObject({ code: "not_found", message: "no process 1" });
    await expect(reply).rejects.toBeInstanceOf(CommandError);
  });

  it("ignores an answer to nothing that was asked", () => {
    const { newest } = live();
    expect(() => newest().answer({ type: "response", id: 99, data: null })).not.toThrow();
  });

  it("ignores messages of a type it does not know", async () => {
    const { connection, newest } = live();
    const reply = connection.request("cpu.getall", {});
    newest().answer({ type: "news", id: 1, data: "?" });
    newest().answer({ type: "response", id: 1, data: "cpu" });
    expect((await reply).data).toBe("cpu");
  });

  it("survives a frame that is no JSON", () => {
    const { newest } = live();
    expect(() => newest().onmessage?.({ data: "{" })).not.toThrow();
  });

  it("fails at once when there is no connection", async () => {
    const { connection } = connect();
    await expect(connection.request("cpu.getall", {})).rejects.toBeInstanceOf(ConnectionLost);
  });
});

describe("a broken connection", () => {
  it("fails what was under way", async () => {
    const { connection, newest } = live();
    const reply = connection.request("cpu.getall", {});
    newest().onclose?.();
    await expect(reply).rejects.toBeInstanceOf(ConnectionLost);
  });

  it("tells when it will be tried again", () => {
    const { connection, newest } = live(0.5);
    newest().onclose?.();
    expect(connection.state.value).toEqual({ kind: "waiting", attempt: 1, retryAt: Date.now() + 375 });
  });

  it("is tried again after the wait", () => {
    const { sockets, newest } = live(0.5);
    newest().onclose?.();
    vi.advanceTimersByTime(374);
    expect(sockets).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sockets).toHaveLength(2);
  });

  it("is live again when the new socket opens", () => {
    const { connection, newest } = live();
    newest().onclose?.();
    vi.advanceTimersByTime(1000);
    newest().onopen?.();
    expect(connection.state.value).toEqual({ kind: "live" });
  });

  it("waits longer after each failure", () => {
    const { connection, newest } = live(0);
    const waits = [1, 2, 3].map(() => {
      newest().onclose?.();
      const state = connection.state.value;
      const wait = state.kind === "waiting" ? state.retryAt - Date.now() : NaN;
      vi.advanceTimersByTime(wait);
      return wait;
    });
    expect(waits).toEqual([250, 500, 1000]);
  });

  it("keeps waiting longer for a daemon that accepts and hangs up", () => {
    const { connection, newest } = live();
    newest().onclose?.();
    vi.advanceTimersByTime(1000);
    newest().onopen?.();
    newest().onclose?.();
    expect(connection.state.value).toMatchObject({ attempt: 2 });
  });

  it("begins with short waits again once something was answered", () => {
    const { connection, newest } = live();
    newest().onclose?.();
    vi.advanceTimersByTime(1000);
    newest().onopen?.();
    void connection.request("cpu.getall", {});
    newest().reply("cpu.getall", []);
    newest().onclose?.();
    expect(connection.state.value).toMatchObject({ attempt: 1 });
  });

  it("can be tried at once", () => {
    const { connection, sockets, newest } = live();
    newest().onclose?.();
    connection.retryNow();
    expect(sockets).toHaveLength(2);
  });

  it("is noticed when an answer stays out", () => {
    const { connection } = live();
    connection.request("cpu.getall", {}).catch(() => undefined);
    vi.advanceTimersByTime(10_000);
    expect(connection.state.value.kind).toBe("waiting");
  });

  it("is not waited for for ever while it opens", () => {
    const { connection } = connect();
    vi.advanceTimersByTime(10_000);
    expect(connection.state.value.kind).toBe("waiting");
  });

  it("takes no answer from a socket that was given up", async () => {
    const { connection, sockets, newest } = live();
    newest().onclose?.();
    vi.advanceTimersByTime(1000);
    newest().onopen?.();
    const reply = connection.request("cpu.getall", {});
    sockets[0]?.answer({ type: "response", id: 1, data: "old" });
    newest().reply("cpu.getall", "new");
    expect((await reply).data).toBe("new");
  });

  it("is not tried again after close", () => {
    const { connection, sockets } = live();
    connection.close();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });
});

describe("back-off", () => {
  it("never exceeds fifteen seconds", () => {
    expect(backoffMs(30, 0.999)).toBeLessThanOrEqual(15_000);
  });

  it("differs between pages by up to half", () => {
    expect([backoffMs(3, 0), backoffMs(3, 1)]).toEqual([1000, 2000]);
  });
});

describe("the address", () => {
  it("is the page's own", () => {
    expect(socketUrl("http://localhost:3000/?sort=pid#x")).toBe("ws://localhost:3000/");
  });

  it("is encrypted when the page is", () => {
    expect(socketUrl("https://monitor.example/")).toBe("wss://monitor.example/");
  });

  it("stays in the folder of a reverse proxy", () => {
    expect(socketUrl("https://example.org/psio/index.html")).toBe("wss://example.org/psio/");
  });
});
