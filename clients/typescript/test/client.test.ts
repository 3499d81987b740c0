// The client around its connection: its state, its end, and where it connects to.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ConnectionState, connect, socketUrl } from "../src/index.js";
import { fakeClient, liveClient } from "./fake_socket.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the state", () => {
  it("is told at every change until the listener leaves", () => {
    const { psio, newest } = fakeClient();
    const seen: ConnectionState["kind"][] = [];
    const leave = psio.onState(({ kind }) => seen.push(kind));
    newest().open();
    newest().break();
    psio.retryNow();
    leave();
    newest().open();
    expect(seen).toEqual(["live", "waiting", "connecting"]);
  });

  it("reaches the others when one listener throws, which the runtime reports", () => {
    const { psio, newest } = fakeClient();
    const reported: (() => void)[] = [];
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((task) => void reported.push(task));
    const second = vi.fn();
    psio.onState(() => {
      throw new Error("mine");
    });
    psio.onState(second);
    newest().open();
    expect(second).toHaveBeenCalledOnce();
    expect(reported[0]).toThrow("mine");
  });

  it("is closed for good by close, which fails what was asked", async () => {
    const { psio, sockets, newest } = liveClient();
    const data = psio.get("cpu.getall");
    psio.close();
    await expect(data).rejects.toThrow("this client was closed");
    await expect(psio.get("cpu.getall")).rejects.toThrow("this client was closed");
    expect(newest().closed).toBe(true);
    psio.retryNow();
    // A timer would keep Node from ending.
    expect(vi.getTimerCount()).toBe(0);
    expect(sockets).toHaveLength(1);
    expect(psio.state).toEqual({ kind: "closed" });
  });

  it("stays closed when closed between two attempts", () => {
    const { psio, sockets, newest } = fakeClient();
    newest().break();
    psio.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(sockets).toHaveLength(1);
  });
});

describe("the address", () => {
  it("is psiod's own when none is given", () => {
    const urls: string[] = [];
    class Fake {
      onopen = null;
      onmessage = null;
      onclose = null;
      onerror = null;
      constructor(url: string) {
        urls.push(url);
      }
      send() {}
      close() {}
    }
    connect(undefined, { WebSocket: Fake }).close();
    connect("http://127.0.0.1:8080", { WebSocket: Fake }).close();
    connect(new URL("https://host/psio/"), { WebSocket: Fake }).close();
    expect(urls).toEqual(["ws://localhost:3000/", "ws://127.0.0.1:8080/", "wss://host/psio/"]);
  });

  it("is refused when it is none", () => {
    expect(() => connect("file:///tmp", { WebSocket: class {} as never })).toThrow('"file:///tmp" does not');
    expect(() => connect("localhost:3000", { WebSocket: class {} as never })).toThrow("begins with ws://");
    expect(() => connect("localhost", { WebSocket: class {} as never })).toThrow("Invalid URL");
  });

  it("is found beside a page", () => {
    expect(socketUrl("https://host/psio/index.html?a=1#b")).toBe("wss://host/psio/");
    expect(socketUrl("http://localhost:3000/")).toBe("ws://localhost:3000/");
  });

  it("is not tried where the runtime has no WebSocket, and the error says what to do", () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(() => connect()).toThrow(/Node 20 .*package ws[^]*--experimental-websocket/);
    vi.unstubAllGlobals();
  });
});
