// Machines that never were, in the form that `psiod --replay` plays: a header, then one snapshot of raw counters a
// line. All counters grow evenly, so every rate is the same over whatever window it is measured.
import { writeFile } from "node:fs/promises";

const SECOND_NS = 1_000_000_000;
const BOOTED_S = 1_767_225_600; // 2026-01-01 00:00:00 UTC
const UPTIME_S = 100_000;
const GIB = 1024 ** 3;

/** CPUs of the machine, in percent of their time. */
const CPUS = [
  { user: 30, system: 10 },
  { user: 80, system: 20 },
  { user: 0, system: 0 },
  { user: 50, system: 0 },
];

function process({ pid, name, ...about }) {
  return {
    ppid: 1, started: pid * 100, cpuPercent: 0, cpuSeconds: 0, rss: 0, vms: 0, uid: 0, threads: 1, nice: 0,
    status: "sleeping", cmdline: [name], username: "root", terminal: null, ...about, pid, name,
  };
}

export const PROCESSES = [
  process({ pid: 1, ppid: 0, name: "systemd", rss: 12_582_912, vms: 171_966_464, cmdline: ["/usr/lib/systemd/systemd", "--system"], cpuSeconds: 3.5 }),
  process({ pid: 2, ppid: 0, name: "kthreadd", cmdline: [] }),
  process({ pid: 412, name: "Finder", username: "marcus", uid: 501, threads: 7, cpuPercent: 25, rss: 72_105_984, vms: 4_062_593_024, terminal: "/dev/pts/3", status: "running" }),
  process({ pid: 700, name: "postgres", username: "postgres", uid: 70, nice: -5, cpuPercent: 150, rss: 2 * GIB, vms: 3 * GIB, threads: 12, cmdline: ["postgres: checkpointer", ""] }),
  process({ pid: 666, name: "<img src=x onerror=alert(1)>", username: "mallory", uid: 1001, rss: 1_048_576, cmdline: ["<script>alert(1)</script>", "a\nb", "\u202Egpj.exe"] }),
  process({ pid: 800, name: "line\nbreak", username: "mallory", uid: 1001, rss: 2_097_152 }),
  process({ pid: 900, name: "zombie", status: "zombie", cmdline: [], ppid: 412 }),
  process({ pid: 1000, name: "unreadable", username: null, uid: null, threads: null, memory: null, cmdline: null }),
];

/** So many processes that only a part can be in the document. */
export function crowd(count) {
  return Array.from({ length: count }, (_, i) =>
    process({ pid: i + 1, name: `worker-${i + 1}`, rss: (i + 1) * 4096, cpuPercent: (i * 7) % 100, cmdline: ["/usr/bin/worker", `--number=${i + 1}`] }));
}

function processAt(second, about) {
  const userNs = Math.round((about.cpuSeconds + (about.cpuPercent / 100) * second) * SECOND_NS);
  return {
    pid: about.pid, ppid: about.ppid, started: about.started,
    cpu_time: { total_ns: userNs, system_ns: 0 },
    memory: about.memory === null ? null : { rss_bytes: about.rss, vms_bytes: about.vms },
    uid: about.uid, num_threads: about.threads, cpu_num: 0, nice: about.nice, status: about.status,
    identity: { name: about.name, cmdline: about.cmdline, username: about.username, terminal: about.terminal },
  };
}

function snapshot(second, processes) {
  const at = { since_boot_ns: (UPTIME_S + second) * SECOND_NS, wall_ms: (BOOTED_S + UPTIME_S + second) * 1000 };
  const sample = (value) => ({ at, value });
  const cpus = CPUS.map(({ user, system }, num) => ({
    num, user_ticks: user * second, nice_ticks: 0, system_ticks: system * second, idle_ticks: (100 - user - system) * second,
    iowait_ticks: 0, irq_ticks: 0, softirq_ticks: 0, steal_ticks: 0,
  }));
  return {
    cpus: sample({ cpus }),
    memory: sample({
      total_bytes: 16 * GIB, available_bytes: 12 * GIB, free_bytes: 4 * GIB, active_bytes: 3 * GIB, inactive_bytes: 5 * GIB,
      buffers_bytes: GIB, cached_bytes: 7 * GIB, shared_bytes: GIB / 8, slab_bytes: GIB / 4, wired_bytes: GIB / 4,
      swap_total_bytes: 2 * GIB, swap_free_bytes: GIB, swapped_in_bytes: 0, swapped_out_bytes: GIB,
    }),
    processes: sample({
      processes: processes.map((about) => processAt(second, about)).sort((a, b) => a.pid - b.pid),
      ticks_per_second: 100, boot_time: BOOTED_S, memory_total_bytes: 16 * GIB, unknown: {},
    }),
    host: sample({
      hostname: "atlas", os: "Debian GNU/Linux 12 (bookworm)", kernel: "6.12.41-amd64", architecture: "x86_64",
      boot_id: "3f0a5f3e-6f0e-4b39-9a53-5a2f6b2f0c11", boot_time: BOOTED_S, cpu_model: "A CPU for tests", logical_cpus: CPUS.length,
      physical_cores: CPUS.length, load_average: [2.41, 1.87, 1.2], threads_running: 2, threads_total: 4242,
    }),
  };
}

/** Writes a machine that runs for so many seconds. */
export async function writeMachine(path, processes, seconds) {
  const lines = Array.from({ length: seconds + 1 }, (_, second) => JSON.stringify(snapshot(second, processes)));
  await writeFile(path, `${[JSON.stringify({ psio_recording: 1 }), ...lines].join("\n")}\n`);
}
