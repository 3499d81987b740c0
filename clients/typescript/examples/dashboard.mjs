// A dashboard for the terminal: CPU, memory and the busiest processes, drawn anew as they change.
//
//   node examples/dashboard.mjs [--once] [ws://localhost:3000/]
import { connect } from "psio";

const MEBIBYTE = 1024 * 1024;
const BAR_WIDTH = 40;

const words = process.argv.slice(2);
const once = words.includes("--once");
const url = words.find((word) => !word.startsWith("--")) ?? process.env.PSIO_URL;
const processLines = Math.max(5, Math.min(20, (process.stdout.rows ?? 24) - 8));

const psio = connect(url);
psio.onState((state) => {
  if (state.kind === "waiting") console.error(`no connection to psiod; attempt ${state.attempt + 1} follows`);
});

const host = psio.subscribe("host.getstats", {}, { interval: 5000 });
const cpus = psio.subscribe("cpu.getall", { fields: ["num", "usage"] });
const memory = psio.subscribe("memory.getall");
const processes = psio.subscribe(
  "process.getall",
  { fields: ["pid", "name", "username", "cpu_percent", "memory_info"], sort: "-cpu_percent", limit: processLines },
  { mode: "delta" },
);

/** What came last of each: lines, or null before the first event. @type {Record<string, string[] | null>} */
const parts = { host: null, cpus: null, memory: null, processes: null };

/** @param {string} part @param {string[]} lines */
function show(part, lines) {
  parts[part] = lines;
  const screen = Object.values(parts);
  if (screen.includes(null)) return;
  // Home, each line erased to its end, and what stood below: redrawing without a flicker.
  const text = screen.flat().map((line) => (process.stdout.isTTY ? `${line}\x1b[K\n` : `${line}\n`)).join("");
  process.stdout.write(process.stdout.isTTY ? `\x1b[H${text}\x1b[J` : text);
  if (once) psio.close();
}

/** @param {number | null} percent */
function bar(percent) {
  const filled = Math.round(((percent ?? 0) / 100) * BAR_WIDTH);
  return `[${"#".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${figure(percent)} %`;
}

/** What is not known is a dash, never 0. @param {number | null | undefined} value */
function figure(value) {
  return (value?.toFixed(1) ?? "–").padStart(7);
}

await Promise.all([
  host.forEach(({ data: { hostname, load_average } }) =>
    show("host", [`${hostname ?? "–"}  load ${load_average?.join("  ") ?? "–"}`, ""]),
  ),
  cpus.forEach(({ data }) => show("cpus", data.map(({ num, usage }) => `cpu ${String(num).padEnd(3)} ${bar(usage)}`))),
  memory.forEach(({ data: { virtual, swap } }) =>
    show("memory", [`memory  ${bar(virtual.percent)}`, `swap    ${bar(swap.percent)}`, ""]),
  ),
  processes.forEach(({ data, meta }) =>
    show("processes", [
      `    pid   cpu %     MiB  user      name (${meta.total ?? data.length} in all)`,
      ...data.map(({ pid, name, username, cpu_percent, memory_info }) => {
        const resident = memory_info === null ? null : memory_info[0] / MEBIBYTE;
        const user = (username ?? "–").padEnd(9);
        return `${String(pid).padStart(7)} ${figure(cpu_percent)} ${figure(resident)}  ${user} ${name}`;
      }),
    ]),
  ),
]);
