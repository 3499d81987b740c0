// The examples of the README and those under examples/ do what they say, with the package as it is built.
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Psiod, runNode, startPsiod } from "./psiod.js";

let psiod: Psiod;

beforeAll(async () => {
  psiod = await startPsiod();
});
afterAll(() => psiod?.stop());

/** The blocks of JavaScript in the README that are whole programs. */
async function programs(): Promise<string[]> {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const blocks = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code ?? "");
  return blocks.filter((code) => code.includes("connect()"));
}

async function runReadme(number: number): Promise<string[]> {
  const program = (await programs())[number];
  if (program === undefined) throw new Error(`the README has no example ${number}`);
  const code = program.replace("connect()", `connect("${psiod.url}")`);
  const ended = await runNode(["--input-type=module", "-e", code]).ended;
  expect({ code: ended.code, errors: ended.errors }).toEqual({ code: 0, errors: "" });
  return ended.lines;
}

describe("the README", () => {
  it("has four programs", async () => {
    expect(await programs()).toHaveLength(4);
  });

  it("asks once", async () => {
    const lines = await runReadme(0);
    expect(lines).toHaveLength(6);
    for (const line of lines.slice(0, 5)) expect(line).toMatch(/^\d+ \S.* (\d+(\.\d+)?|null)$/);
    expect(lines[5]).toMatch(/^memory: \d+(\.\d+)? %$/);
  });

  it("subscribes", async () => {
    const lines = await runReadme(1);
    // A busy machine may skip ticks.
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toMatch(/^\d+( \d+(\.\d+)?)+$/);
  });

  it("keeps a list by deltas", async () => {
    const lines = await runReadme(2);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines[0]).toMatch(/^\d+ processes$/);
    // A busy machine may skip ticks, and then the list comes whole again.
    for (const line of lines.slice(1)) expect(line).toMatch(/^\d+ processes(, \d+ changed, \d+ started, \d+ gone)?$/);
  });

  it("tells of processes that start and exit", async () => {
    // It ends once something has happened in two intervals.
    const happenings = setInterval(() => spawnSync(process.execPath, ["--version"]), 100);
    const lines = await runReadme(3).finally(() => clearInterval(happenings));
    expect(lines[0]).toMatch(/^\d+ processes live$/);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines.slice(1)) expect(line).toMatch(/^(started|exec|exited) \d+ \S/);
  });
});

describe("examples/", () => {
  for (const [words, env] of [
    [(url: string) => [url], () => ({})],
    [() => [], (url: string) => ({ PSIO_URL: url })],
  ] as const) {
    const how = words("").length > 0 ? "a word" : "PSIO_URL";
    it(`status-bar prints a line a second, told the address by ${how}`, async () => {
      const bar = runNode(["examples/status-bar.mjs", ...words(psiod.url)], env(psiod.url));
      for (let n = 0; n < 3; n++) expect(await bar.line()).toMatch(/^cpu \d+% mem \d+%$/);
      bar.stop();
      await bar.ended;
    });
  }

  it("dashboard draws once when asked to", async () => {
    const { code, lines, errors } = await runNode(["examples/dashboard.mjs", "--once", psiod.url]).ended;
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const screen = lines.join("\n");
    expect(screen).toMatch(/load \d/);
    expect(screen).toMatch(/^cpu 0 {3}\[#* *\] +\d+\.\d %$/m);
    expect(screen).toMatch(/^memory {2}\[#* *\] +\d+\.\d %$/m);
    expect(screen).toMatch(/^ +\d+ +[\d.]+ +[\d.]+ {2}\S+ +\S/m);
  });

  it("dashboard draws again", async () => {
    const board = runNode(["examples/dashboard.mjs", psiod.url]);
    let drawn = 0;
    while (drawn < 3) if (/ load /.test(await board.line())) drawn += 1;
    board.stop();
    await board.ended;
  });
});
