// Commands, answered by a real psiod.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { CommandError, ConnectionLost, type Psio, connect } from "../src/index.js";
import { type Psiod, runNode, startPsiod } from "./psiod.js";

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

describe("a command", () => {
  it("is answered with data, time and meta", async () => {
    const before = Date.now();
    const { data, time, meta } = await psio.request("cpu.getall");
    expect(data.length).toBeGreaterThan(0);
    expect(data[0]).toMatchObject({ num: expect.any(Number), usage: expect.any(Number) });
    expect(Math.abs((time ?? 0) - before)).toBeLessThan(10_000);
    expect(meta.total).toBe(data.length);
  });

  it("chooses fields, order and number of rows", async () => {
    const rows = await psio.get("process.getall", { fields: ["pid", "cpu_percent"], sort: "-cpu_percent", limit: 3 });
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(Object.keys(row)).toEqual(["pid", "cpu_percent"]);
    const used = rows.map((row) => row.cpu_percent ?? -1);
    expect(used).toEqual([...used].sort((a, b) => b - a));
  });

  it("gives columns", async () => {
    const { columns, rows } = await psio.get("process.getall", { fields: ["pid", "name"], format: "columns" });
    expect(columns.pid).toHaveLength(rows);
    expect(columns.name[columns.pid.indexOf(process.pid)]).toEqual(expect.any(String));
  });

  it("finds this very process", async () => {
    expect(await psio.get("process.get", { pid: process.pid })).toMatchObject({ pid: process.pid, ppid: process.ppid });
  });

  it("is refused with code and details", async () => {
    const error: unknown = await psio.get("process.get", { pid: 2 ** 31 - 1 }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ code: "not_found", details: { pid: 2 ** 31 - 1 } });
  });

  it("is answered among a hundred others", async () => {
    const pids = await Promise.all(Array.from({ length: 100 }, () => psio.get("process.get", { pid: process.pid })));
    expect(new Set(pids.map(({ pid }) => pid))).toEqual(new Set([process.pid]));
  });

  it("that this psiod does not know is refused by name", async () => {
    await expect(psio.get("weather.getall")).rejects.toMatchObject({ code: "unknown_command" });
  });
});

describe("a psiod that stops", () => {
  it("fails what is asked meanwhile, and is found again when it is back", async () => {
    const first = await startPsiod();
    const client = connect(first.url, { WebSocket });
    await client.get("cpu.getall");
    const states: string[] = [];
    client.onState(({ kind }) => states.push(kind));
    const broken = new Promise<void>((resolve) => client.onState(({ kind }) => kind === "waiting" && resolve()));
    await first.stop();
    await broken;
    await expect(client.get("cpu.getall")).rejects.toBeInstanceOf(ConnectionLost);
    const second = await startPsiod(first.port);
    const live = new Promise<void>((resolve) => client.onState(({ kind }) => kind === "live" && resolve()));
    client.retryNow();
    await live;
    expect((await client.get("cpu.getall")).length).toBeGreaterThan(0);
    client.close();
    await second.stop();
    expect([states[0], states.at(-2), states.at(-1)]).toEqual(["waiting", "live", "closed"]);
  });
});

describe("where nobody listens", () => {
  it("a request fails with the address and the cause", async () => {
    const gone = await startPsiod();
    await gone.stop();
    const client = connect(gone.url, { WebSocket });
    const error: unknown = await client.get("cpu.getall").catch((error: unknown) => error);
    client.close();
    expect(error).toBeInstanceOf(ConnectionLost);
    expect(error).toMatchObject({ message: `cannot connect to psiod at ${gone.url}`, cause: { code: "ECONNREFUSED" } });
  });
});

describe("the built package", () => {
  const ask = (start: string) => `
    import { connect } from "psio";
    ${start}
    console.log((await psio.get("memory.getall")).virtual.total);
    psio.close();`;

  it("works with Node's own WebSocket, and lets the program end", async () => {
    const start = `const psio = connect("${psiod.url}");`;
    const { code, lines, errors } = await runNode(["--input-type=module", "-e", ask(start)]).ended;
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(Number(lines[0])).toBeGreaterThan(0);
  });

  it("works without one by the package ws", async () => {
    const start = `
      import { WebSocket } from "ws";
      delete globalThis.WebSocket;
      const psio = connect("${psiod.url}", { WebSocket });`;
    const { code, lines, errors } = await runNode(["--input-type=module", "-e", ask(start)]).ended;
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    expect(Number(lines[0])).toBeGreaterThan(0);
  });
});
