// A real psiod for the tests: the program that PSIOD names, on a free port.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));

export interface Psiod {
  url: string;
  port: number;
  stop(): Promise<void>;
}

export async function startPsiod(port = 0): Promise<Psiod> {
  const program = process.env["PSIOD"];
  if (program === undefined) {
    const line = "cargo build -p psiod && PSIOD=../../target/debug/psiod npm test";
    throw new Error(`PSIOD is not set. Type in clients/typescript: ${line}`);
  }
  const child = spawn(program, ["--port", String(port)], { cwd: PACKAGE, stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  const found = await listeningPort(child, exited);
  return {
    port: found,
    url: `ws://localhost:${found}/`,
    stop: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

function listeningPort(child: ChildProcess, exited: Promise<unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.once("error", reject);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const line = /listening on http:\/\/127\.0\.0\.1:(\d+) /.exec(log);
      if (line !== null) resolve(Number(line[1]));
    });
    exited.then(() => reject(new Error(`psiod ended: ${log}`)), reject);
  });
}

export interface Running {
  /** The next line that it prints. */
  line(): Promise<string>;
  /** Its exit code, once it has printed everything. */
  ended: Promise<{ code: number | null; lines: string[]; errors: string }>;
  stop(): void;
}

/** Runs a program of JavaScript that imports the built package by its name. */
export function runNode(words: string[], env: Record<string, string> = {}): Running {
  // Node 20 has a WebSocket behind an option; newer ones take the option for granted.
  const child = spawn(process.execPath, ["--experimental-websocket", "--no-warnings", ...words], {
    cwd: PACKAGE,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let [rest, errors, taken] = ["", "", 0];
  let wake = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  let isOver = false;
  const ended = once(child, "close").then(([code]: (number | null)[]) => {
    isOver = true;
    wake();
    return { code: code ?? null, lines, errors };
  });
  return {
    ended,
    stop: () => void child.kill(),
    line: async () => {
      while (lines.length <= taken) {
        if (isOver) throw new Error(`it ended after ${taken} lines: ${errors}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return lines[taken++] ?? "";
    },
  };
}
