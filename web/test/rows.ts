// Processes for tests: only what a test is about needs to be said.
import type { ProcessDetail } from "psio";

export function process(about: Partial<ProcessDetail> & { pid: number }): ProcessDetail {
  return {
    name: "init", username: "root", status: "sleeping", nice: 0, num_threads: 1, cpu_percent: 0, cpu_times: [0, 0],
    memory_info: [0, 0], memory_percent: 0, started: about.pid * 10, create_time: 0, ppid: 1, uid: 0, cpu_num: 0,
    terminal: null, cmdline: [], num_ctx_switches: null, cgroup: null, oom_score: null, ...about,
  };
}

export function crowd(count: number): ProcessDetail[] {
  return Array.from({ length: count }, (_, i) => process({ pid: i + 1, name: `worker-${i + 1}` }));
}
