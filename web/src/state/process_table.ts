// The process list as it came over the wire, column by column. Rows are made only for what is on screen:
// ten thousand row objects a second would cost more than everything else the page does.
import type { Columns } from "../api/protocol";
import type { ProcessRow } from "../api/types";

/** Which process, for as long as the machine runs: a pid alone is used again. */
export interface ProcessKey {
  pid: number;
  started: number;
}

export function keyText(key: ProcessKey): string {
  return `${key.pid}:${key.started}`;
}

/** The key in `412:1763800`, or null when the text is something else. */
export function parseKey(text: string): ProcessKey | null {
  const match = /^(\d{1,10}):(\d{1,15})$/.exec(text);
  return match === null ? null : { pid: Number(match[1]), started: Number(match[2]) };
}

export class ProcessTable {
  static readonly EMPTY = new ProcessTable({ columns: {}, rows: 0 });

  readonly count: number;
  private readonly columns: Columns<ProcessRow>["columns"];
  private rowByPid: Map<number, number> | null = null;

  constructor(
    data: Columns<ProcessRow>,
    /** Why a field is null: field → reason. */
    readonly unknown: Readonly<Record<string, string>> = {},
  ) {
    this.columns = data.columns;
    this.count = data.rows;
  }

  /** One value; null also when the daemon does not send the column at all. */
  at<K extends keyof ProcessRow>(field: K, row: number): ProcessRow[K] | null {
    return this.columns[field]?.[row] ?? null;
  }

  key(row: number): ProcessKey {
    return { pid: this.at("pid", row) ?? 0, started: this.at("started", row) ?? 0 };
  }

  row(row: number): ProcessRow {
    return {
      ...this.key(row),
      ppid: this.at("ppid", row) ?? 0,
      name: this.at("name", row) ?? "",
      cmdline: this.at("cmdline", row),
      username: this.at("username", row),
      uid: this.at("uid", row),
      status: this.at("status", row) ?? "unknown",
      nice: this.at("nice", row),
      num_threads: this.at("num_threads", row),
      cpu_percent: this.at("cpu_percent", row),
      cpu_times: this.at("cpu_times", row),
      memory_info: this.at("memory_info", row),
      memory_percent: this.at("memory_percent", row),
      create_time: this.at("create_time", row),
      cpu_num: this.at("cpu_num", row),
      terminal: this.at("terminal", row),
    };
  }

  /** Where that process is, or -1: a pid that meanwhile belongs to another process is not it. */
  find(key: ProcessKey): number {
    const row = this.findPid(key.pid);
    return row >= 0 && this.at("started", row) === key.started ? row : -1;
  }

  findPid(pid: number): number {
    if (this.rowByPid === null) {
      this.rowByPid = new Map();
      for (let row = 0; row < this.count; row++) this.rowByPid.set(this.at("pid", row) ?? -1, row);
    }
    return this.rowByPid.get(pid) ?? -1;
  }
}
