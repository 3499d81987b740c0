// Starts the psiod under test and finds out where it listens. PSIOD names the executable; without it the newest
// build of this repository is taken.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const START_DEADLINE_MS = 15_000;

function executable() {
  if (process.env.PSIOD) return process.env.PSIOD;
  const built = ["release", "debug"]
    .map((profile) => fileURLToPath(new URL(`../../target/${profile}/psiod`, import.meta.url)))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (built.length === 0) throw new Error("no psiod: cargo build, or name one in PSIOD");
  return built[0];
}

/** Starts psiod on a free port, or on the given one; `replay` is a recorded machine. */
export async function startDaemon({ replay, port = 0 } = {}) {
  const args = ["--port", String(port), ...(replay === undefined ? [] : ["--replay", replay])];
  const child = spawn(executable(), args, { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  let output = "";
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`psiod does not say where it listens:\n${output}`)), START_DEADLINE_MS);
    const read = (chunk) => {
      output += chunk;
      const found = /listening on .*?(http:\/\/127\.0\.0\.1:\d+)/.exec(output);
      if (found === null) return;
      clearTimeout(timer);
      resolve(`${found[1]}/`);
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`psiod ended with ${code}:\n${output}`)));
  });
  return {
    url,
    port: Number(new URL(url).port),
    /** Ends it and waits until it is gone. */
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await exited;
    },
  };
}
