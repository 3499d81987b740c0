// A process list for tests: only what a test is about needs to be said.
import type { ProcessRow } from "../src/api/types";
import { ProcessTable } from "../src/state/process_table";

export function process(about: Partial<ProcessRow> & { pid: number }): ProcessRow {
  return {
    name: "init", username: "root", status: "sleeping", nice: 0, num_threads: 1, cpu_percent: 0, cpu_times: [0, 0],
    memory_info: [0, 0], memory_percent: 0, started: about.pid * 10, create_time: 0, ppid: 1, uid: 0, cpu_num: 0,
    terminal: null, cmdline: [], ...about,
  };
}

export function columnsOf(rows: readonly ProcessRow[]) {
  const pick = <K extends keyof ProcessRow>(field: K) => rows.map((row) => row[field]);
  return {
    columns: {
      pid: pick("pid"), name: pick("name"), username: pick("username"), status: pick("status"), nice: pick("nice"),
      num_threads: pick("num_threads"), cpu_percent: pick("cpu_percent"), cpu_times: pick("cpu_times"),
      memory_info: pick("memory_info"), memory_percent: pick("memory_percent"), started: pick("started"),
      create_time: pick("create_time"), ppid: pick("ppid"), uid: pick("uid"), cpu_num: pick("cpu_num"),
      terminal: pick("terminal"), cmdline: pick("cmdline"),
    },
    rows: rows.length,
  };
}

export function tableOf(rows: readonly ProcessRow[]): ProcessTable {
  return new ProcessTable(columnsOf(rows));
}
