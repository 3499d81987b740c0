// Everything the page knows, as signals: what psiod said last, what it said over the last minutes, and what the
// person chose. Components read it; only the functions here and the poller write it.
import { type ReadonlySignal, batch, computed, signal } from "@preact/signals";
import type { Connection } from "../api/socket";
import type { CpuRow, DaemonStats, HostStats, MemoryStats, ProcessDetail, ProcessRow } from "../api/types";
import { History } from "./history";
import { type ProcessKey, ProcessTable, keyText } from "./process_table";
import type { PageState } from "./url";
import { sortRows } from "./sort";
import { type CpuSummary, summariseCpus } from "./summary";

/** Seconds that the graphs show. */
export const GRAPH_SPAN_SECONDS = 60;
/** A silence longer than this is a hole in the graphs, not a straight line. */
const GAP_MS = 3500;

/** The selected process: its newest row, whether it still runs, and how it did since it was selected. */
export interface Detail {
  key: ProcessKey;
  row: ProcessRow | null;
  /** What only `process.get` tells; null before it has answered. */
  full: ProcessDetail | null;
  exited: boolean;
  /** CPU in percent of one core, resident bytes. */
  history: History;
}

/** One round of answers; what could not be had this time is left out. */
export interface Sample {
  time: number;
  table?: ProcessTable;
  windowMs?: number | null;
  cpus?: CpuRow[];
  memory?: MemoryStats;
  host?: HostStats;
  daemon?: DaemonStats;
  /** The selected process; null when it has exited. */
  detail?: { key: ProcessKey; row: ProcessRow | null; full: ProcessDetail | null };
}

export function createApp(connection: Connection, initial: PageState) {
  const table = signal(ProcessTable.EMPTY);
  const sort = signal(initial.sort);
  const cpus = signal<CpuRow[]>([]);
  const order: ReadonlySignal<number[]> = computed(() => sortRows(table.value, sort.value));
  const cpuSummary: ReadonlySignal<CpuSummary> = computed(() => summariseCpus(cpus.value));
  const app = {
    connection,
    /** Milliseconds since the epoch of the newest sample; null before the first. */
    time: signal<number | null>(null),
    /** Over how long the rates were measured. */
    windowMs: signal<number | null>(null),
    table,
    cpus,
    cpuSummary,
    memory: signal<MemoryStats | null>(null),
    host: signal<HostStats | null>(null),
    daemon: signal<DaemonStats | null>(null),
    /** Usage, system and I/O wait of all CPUs. */
    cpuHistory: new History(3, GRAPH_SPAN_SECONDS),
    /** One series per CPU, in the order of `cpus`. */
    coreHistory: signal(new History(0, GRAPH_SPAN_SECONDS)),
    /** Percent of memory, percent of swap. */
    memoryHistory: new History(2, GRAPH_SPAN_SECONDS),
    /** Counts samples: whatever draws a history reads this to hear of new points. */
    ticks: signal(0),
    sort,
    /** Row numbers of `table` in display order. */
    order,
    /** What stands in the filter box. */
    filter: signal(initial.filter),
    /** Why psiod did not take the filter. */
    filterError: signal<string | null>(null),
    /** How many processes there are without the filter, when that is known. */
    total: signal<number | null>(null),
    detail: signal<Detail | null>(initial.selected === null ? null : newDetail(initial.selected, null)),
    /** The person wants to read in peace. */
    paused: signal(false),
    /** Why there is no list, when psiod is connected and yet refuses. */
    problem: signal<string | null>(null),
  };
  return app;
}

export type App = ReturnType<typeof createApp>;

function newDetail(key: ProcessKey, row: ProcessRow | null): Detail {
  return { key, row, full: null, exited: false, history: new History(2, GRAPH_SPAN_SECONDS) };
}

export function select(app: App, key: ProcessKey | null): void {
  if (key === null) {
    app.detail.value = null;
    return;
  }
  const current = app.detail.peek();
  if (current !== null && keyText(current.key) === keyText(key)) return;
  const table = app.table.peek();
  const row = table.find(key);
  app.detail.value = newDetail(key, row < 0 ? null : table.row(row));
}

function pushWithGaps(history: History, time: number, values: readonly (number | null)[]): void {
  const newest = history.newest;
  if (newest !== null && time - newest * 1000 > GAP_MS) history.gap();
  history.push(time, values);
}

/** The graphs stop here: the connection broke. */
export function interruptHistories(app: App): void {
  app.cpuHistory.gap();
  app.coreHistory.peek().gap();
  app.memoryHistory.gap();
  app.detail.peek()?.history.gap();
}

export function applySample(app: App, sample: Sample): void {
  batch(() => {
    app.time.value = sample.time;
    if (sample.table !== undefined) app.table.value = sample.table;
    if (sample.windowMs !== undefined) app.windowMs.value = sample.windowMs;
    if (sample.host !== undefined) app.host.value = sample.host;
    if (sample.daemon !== undefined) app.daemon.value = sample.daemon;
    if (sample.cpus !== undefined) applyCpus(app, sample.time, sample.cpus);
    if (sample.memory !== undefined) {
      app.memory.value = sample.memory;
      const { virtual, swap } = sample.memory;
      pushWithGaps(app.memoryHistory, sample.time, [virtual.percent, swap.percent]);
    }
    applyDetail(app, sample);
    app.ticks.value += 1;
  });
}

function applyCpus(app: App, time: number, cpus: CpuRow[]): void {
  app.cpus.value = cpus;
  const { usage, system, iowait } = app.cpuSummary.value;
  pushWithGaps(app.cpuHistory, time, [usage, system, iowait]);
  // A CPU came or went: the series no longer mean what they did.
  if (app.coreHistory.peek().series !== cpus.length) app.coreHistory.value = new History(cpus.length, GRAPH_SPAN_SECONDS);
  pushWithGaps(app.coreHistory.peek(), time, cpus.map((cpu) => cpu.usage));
}

function applyDetail(app: App, sample: Sample): void {
  const current = app.detail.peek();
  // The selection may have moved on while the answer was under way.
  if (current === null || sample.detail === undefined || keyText(sample.detail.key) !== keyText(current.key)) return;
  const { row, full } = sample.detail;
  if (row === null) {
    if (!current.exited) app.detail.value = { ...current, exited: true };
    return;
  }
  pushWithGaps(current.history, sample.time, [row.cpu_percent, row.memory_info?.[0] ?? null]);
  app.detail.value = { ...current, row, full: full ?? current.full, exited: false };
}
