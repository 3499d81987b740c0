// The columns of the process table: what they are called, how wide they are and what they say about a row.
import * as format from "./format";
import type { ListRow } from "./process_list";
import type { SortField } from "./sort";
import { commandText, visibleText } from "./visible_text";

export interface Column {
  field: SortField;
  title: string;
  /** What the title stands for, said in full. */
  hint: string;
  /** Pixels; the command line takes what is left over. */
  width: number;
  align: "start" | "end";
  /** Shown on a phone as well. */
  essential: boolean;
  text: (row: ListRow, nowMs: number) => string;
  /** The exact value behind a rounded one. */
  exact?: (row: ListRow) => string;
  /** 0–1, drawn as a bar behind the number. */
  bar?: (row: ListRow) => number;
}

function known(text: string | null): string {
  return text === null || text === "" ? format.UNKNOWN : visibleText(text);
}

/** `/dev/pts/3` is known to everyone as `pts/3`. */
export function terminal(path: string | null): string {
  return known(path?.replace(/^\/dev\//, "") ?? null);
}

function totalSeconds(times: readonly [number, number] | null): number | null {
  return times === null ? null : times[0] + times[1];
}

export const COLUMNS: readonly Column[] = [
  {
    field: "pid", title: "PID", hint: "Process id", width: 72, align: "end", essential: true,
    text: (row) => String(row.pid),
  },
  {
    field: "name", title: "Name", hint: "Name of the process", width: 190, align: "start", essential: true,
    text: (row) => known(row.name),
  },
  {
    field: "username", title: "User", hint: "Owner of the process", width: 96, align: "start", essential: false,
    text: (row) => known(row.username),
  },
  {
    field: "status", title: "Status", hint: "What the process is doing", width: 92, align: "start", essential: false,
    text: (row) => known(row.status),
  },
  {
    field: "cpu_percent", title: "CPU %", hint: "CPU use; 100 is one CPU fully used", width: 76, align: "end", essential: true,
    text: (row) => format.percent(row.cpu_percent),
    bar: (row) => Math.min(1, (row.cpu_percent ?? 0) / 100),
  },
  {
    field: "memory_info", title: "Memory", hint: "Resident set size: memory in RAM", width: 92, align: "end", essential: true,
    text: (row) => format.bytes(row.memory_info?.[0] ?? null),
    exact: (row) => format.exactBytes(row.memory_info?.[0] ?? null),
  },
  {
    field: "memory_percent", title: "Mem %", hint: "Resident set size as a part of all memory", width: 72, align: "end", essential: false,
    text: (row) => format.percent(row.memory_percent),
    bar: (row) => Math.min(1, (row.memory_percent ?? 0) / 100),
  },
  {
    field: "num_threads", title: "Threads", hint: "Number of threads", width: 76, align: "end", essential: false,
    text: (row) => format.integer(row.num_threads),
  },
  {
    field: "nice", title: "Nice", hint: "Nice value: −20 goes first, 19 last", width: 60, align: "end", essential: false,
    text: (row) => format.integer(row.nice).replace("-", "−"),
  },
  {
    field: "cpu_times", title: "CPU time", hint: "CPU time used so far, user and system", width: 96, align: "end", essential: false,
    text: (row) => format.cpuTime(totalSeconds(row.cpu_times)),
  },
  {
    field: "create_time", title: "Started", hint: "When the process started", width: 112, align: "end", essential: false,
    text: (row, nowMs) => format.started(row.create_time, nowMs),
    exact: (row) => format.dateTime(row.create_time === null ? null : row.create_time * 1000),
  },
  {
    field: "terminal", title: "Terminal", hint: "Controlling terminal", width: 88, align: "start", essential: false,
    text: (row) => terminal(row.terminal),
  },
  {
    field: "cmdline", title: "Command line", hint: "Command line with its arguments", width: 240, align: "start", essential: false,
    text: (row) => (row.cmdline === null || row.cmdline.length === 0 ? format.UNKNOWN : commandText(row.cmdline)),
  },
];

export const ESSENTIAL_COLUMNS: readonly Column[] = COLUMNS.filter((column) => column.essential);
