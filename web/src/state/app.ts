// Everything the page knows, as signals: what psiod said last, what it said over the last minutes, and what the
// person chose. Components read it; only the functions of state/ write it.
import { type ReadonlySignal, batch, computed, signal } from "@preact/signals";
import type { CpuRow, DaemonStats, HostStats, MemoryStats, ProcessDetail, Psio } from "psio";
import { followConnection } from "./connection";
import { History } from "./history";
import { type ProcessKey, keyText } from "./process_key";
import type { ProcessList } from "./process_list";
import { type CpuSummary, summariseCpus } from "./summary";
import { COLUMNS } from "./table_columns";
import type { PageState } from "./url";
import type { Viewport } from "./visible_rows";

/** Seconds that the graphs show. */
export const GRAPH_SPAN_SECONDS = 60;
/** A silence longer than this is a hole in the graphs, not a straight line. */
const GAP_MS = 3500;

/** What is known of a process; null is what is not. */
export type Facts = { [Field in keyof ProcessDetail]: ProcessDetail[Field] | null };

/** The selected process: its newest values, whether it still runs, and how it did since it was selected. */
export interface Detail {
  key: ProcessKey;
  /** Until `process.get` tells all, what the table showed; null when it showed nothing. */
  facts: Facts | null;
  isComplete: boolean;
  exited: boolean;
  /** CPU in percent of one core, resident bytes. */
  history: History;
}

export interface Parent {
  key: ProcessKey;
  name: string;
}

export function createApp(psio: Psio, initial: PageState) {
  const cpus = signal<CpuRow[]>([]);
  const cpuSummary: ReadonlySignal<CpuSummary> = computed(() => summariseCpus(cpus.value));
  const filter = signal(initial.filter);
  const refusedFilter = signal<{ filter: string; message: string } | null>(null);
  const filterError: ReadonlySignal<string | null> = computed(() => {
    const refused = refusedFilter.value;
    return refused !== null && refused.filter === filter.value.trim() ? refused.message : null;
  });
  const app = {
    connection: followConnection(psio),
    /** Milliseconds since the epoch of the newest sample; null before the first. */
    time: signal<number | null>(null),
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
    /** The part of the process list that was loaded last; null before the first. */
    list: signal<ProcessList | null>(null),
    sort: signal(initial.sort),
    /** The columns there is room for. */
    columns: signal(COLUMNS),
    /** What is on screen of the table; null until it is measured. */
    viewport: signal<Omit<Viewport, "scrollTop" | "count"> | null>(null),
    scrollTop: signal(0),
    /** What stands in the filter box. */
    filter,
    /** What psiod is asked to filter by: the same, when the typing pauses. */
    wantedFilter: signal(initial.filter.trim()),
    /** The newest filter that psiod did not take, and why. */
    refusedFilter,
    filterError,
    /** How many processes there are without the filter, when that is known. */
    total: signal<number | null>(null),
    detail: signal<Detail | null>(initial.selected === null ? null : newDetail(initial.selected, null)),
    /** The parent of the selected process, when it is known. */
    parent: signal<Parent | null>(null),
    /** A position of the list that is selected as soon as it is loaded. */
    awaited: signal<number | null>(null),
    /** The person wants to read in peace. */
    paused: signal(false),
    /** Why there is no list, when psiod is connected and yet refuses. */
    problem: signal<string | null>(null),
  };
  return app;
}

export type App = ReturnType<typeof createApp>;

const NOTHING_KNOWN: Facts = {
  pid: null, name: null, username: null, status: null, nice: null, num_threads: null, cpu_percent: null, cpu_times: null,
  memory_info: null, memory_percent: null, started: null, create_time: null, ppid: null, uid: null, cpu_num: null,
  terminal: null, cmdline: null, num_ctx_switches: null, cgroup: null, oom_score: null,
};

function newDetail(key: ProcessKey, row: Partial<Facts> | null): Detail {
  const facts = row === null ? null : { ...NOTHING_KNOWN, ...row };
  return { key, facts, isComplete: false, exited: false, history: new History(2, GRAPH_SPAN_SECONDS) };
}

/** Selects a process; what the table shows of it is shown until psiod tells more. */
export function select(app: App, key: ProcessKey | null): void {
  batch(() => {
    app.awaited.value = null;
    const current = app.detail.peek();
    if (key !== null && current !== null && keyText(current.key) === keyText(key)) return;
    app.parent.value = null;
    if (key === null) {
      app.detail.value = null;
      return;
    }
    const list = app.list.peek();
    const row = list?.rows[list.keys.indexOf(keyText(key))] ?? null;
    app.detail.value = newDetail(key, row);
  });
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

export function applyCpus(app: App, time: number, cpus: CpuRow[]): void {
  batch(() => {
    app.time.value = time;
    app.cpus.value = cpus;
    const { usage, system, iowait } = app.cpuSummary.value;
    pushWithGaps(app.cpuHistory, time, [usage, system, iowait]);
    // A CPU came or went: the series no longer mean what they did.
    if (app.coreHistory.peek().series !== cpus.length) app.coreHistory.value = new History(cpus.length, GRAPH_SPAN_SECONDS);
    pushWithGaps(app.coreHistory.peek(), time, cpus.map((cpu) => cpu.usage));
  });
}

export function applyMemory(app: App, time: number, memory: MemoryStats): void {
  batch(() => {
    app.time.value = time;
    app.memory.value = memory;
    pushWithGaps(app.memoryHistory, time, [memory.virtual.percent, memory.swap.percent]);
  });
}

export function applyDetail(app: App, time: number, key: ProcessKey, facts: ProcessDetail): void {
  const current = app.detail.peek();
  if (current === null || keyText(current.key) !== keyText(key)) return;
  batch(() => {
    pushWithGaps(current.history, time, [facts.cpu_percent, facts.memory_info?.[0] ?? null]);
    app.detail.value = { ...current, facts, isComplete: true, exited: false };
  });
}

/** The selected process is no more; its last values stay on screen. */
export function applyExit(app: App, key: ProcessKey): void {
  const current = app.detail.peek();
  if (current === null || keyText(current.key) !== keyText(key)) return;
  app.detail.value = { ...current, exited: true };
}
