// Asks psiod for everything the page shows, about once a second: the next round is set when the last one is
// answered, so a slow machine is asked less often, and a tab that nobody sees asks nothing.
import { effect } from "@preact/signals";
import type { Answer, Columns, CommandName, Params, Reply } from "../api/protocol";
import { CommandError, ConnectionLost } from "../api/socket";
import type { ProcessRow } from "../api/types";
import { type App, type Sample, applySample, interruptHistories } from "./app";
import { type ProcessKey, ProcessTable } from "./process_table";

const INTERVAL_MS = 1000;
/** Between an answer and the next question there is at least this. */
const SHORTEST_WAIT_MS = 200;
/** What hardly changes is asked for once in so many rounds. */
const DAEMON_EVERY = 10;

const LIST_FIELDS: (keyof ProcessRow)[] = [
  "pid", "started", "ppid", "name", "cmdline", "username", "status", "nice", "num_threads",
  "cpu_percent", "cpu_times", "memory_info", "memory_percent", "create_time", "terminal",
];

export interface Poller {
  /** Ask at once, even when paused: what is asked for has changed. */
  pollNow: () => void;
  stop: () => void;
}

export function startPolling(app: App, clock: () => number = Date.now): Poller {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let busy = false;
  let again = false;
  let round = 0;
  /** Commands that this daemon does not have. */
  const absent = new Set<CommandName>();
  /** The newest filter that psiod accepted and the newest that it refused. */
  let goodFilter = "";
  let badFilter: string | null = null;

  async function ask<N extends CommandName, P extends Params<N>>(name: N, params: P): Promise<Reply<Answer<N, P>> | null> {
    if (absent.has(name)) return null;
    try {
      return await app.connection.request(name, params);
    } catch (error) {
      if (error instanceof CommandError) {
        if (error.code === "unknown_command" || error.code === "unsupported") absent.add(name);
        return null;
      }
      throw error;
    }
  }

  async function askProcesses(): Promise<Reply<Columns<ProcessRow>> | null> {
    const wanted = app.filter.peek().trim();
    const filter = wanted === badFilter ? goodFilter : wanted;
    try {
      const reply = await app.connection.request("process.getall", {
        fields: LIST_FIELDS,
        format: "columns",
        ...(filter === "" ? {} : { filter }),
      });
      if (filter === wanted) {
        goodFilter = filter;
        app.filterError.value = null;
      }
      app.problem.value = null;
      if (filter === "") app.total.value = reply.meta.total ?? reply.data.rows;
      return reply;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.code === "bad_params" && filter !== "" && filter === wanted) {
        badFilter = wanted;
        app.filterError.value = error.message;
      } else {
        app.problem.value = error.message;
      }
      return null;
    }
  }

  /** How many there are is not in a filtered answer. */
  async function askTotal(): Promise<void> {
    if (app.filter.peek().trim() === "") return;
    const reply = await ask("process.getall", { fields: ["pid"], limit: 0, format: "columns" });
    if (reply?.meta.total !== undefined) app.total.value = reply.meta.total;
  }

  /** The selected process may not be in the (filtered) list, so it is asked for by itself. */
  async function askDetail(key: ProcessKey | undefined): Promise<Sample["detail"]> {
    if (key === undefined || absent.has("process.get")) return undefined;
    try {
      const { data } = await app.connection.request("process.get", { pid: key.pid, started: key.started });
      return { key, row: data, full: data };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      // A conflict is a pid that belongs to another process by now.
      if (error.code === "not_found" || error.code === "conflict") return { key, row: null, full: null };
      absent.add("process.get");
      return undefined;
    }
  }

  async function poll(): Promise<void> {
    const key = app.detail.peek()?.key;
    const [processes, cpus, memory, host, daemon, asked] = await Promise.all([
      askProcesses(),
      ask("cpu.getall", {}),
      ask("memory.getall", {}),
      ask("host.getstats", {}),
      round % DAEMON_EVERY === 0 ? ask("daemon.getstats", {}) : null,
      askDetail(key),
      askTotal(),
    ]);
    round += 1;
    const sample: Sample = { time: processes?.time ?? cpus?.time ?? clock() };
    if (processes !== null) {
      sample.table = new ProcessTable(processes.data, processes.meta.unknown ?? {});
      sample.windowMs = processes.meta.window_ms ?? null;
    }
    if (cpus !== null) sample.cpus = cpus.data;
    if (memory !== null) sample.memory = memory.data;
    if (host !== null) sample.host = host.data;
    if (daemon !== null) sample.daemon = daemon.data;
    const detail = asked ?? detailFromList(key, sample.table);
    if (detail !== undefined) sample.detail = detail;
    applySample(app, sample);
  }

  function detailFromList(key: ProcessKey | undefined, table: ProcessTable | undefined): Sample["detail"] {
    if (key === undefined || table === undefined) return undefined;
    const row = table.find(key);
    if (row >= 0) return { key, row: table.row(row), full: null };
    // Not listed means gone only when everything is listed.
    return goodFilter === "" ? { key, row: null, full: null } : undefined;
  }

  function wanted(): boolean {
    return !app.paused.peek() && document.visibilityState === "visible";
  }

  function run(): void {
    clearTimeout(timer);
    if (busy) {
      again = true;
      return;
    }
    if (app.connection.state.peek().kind !== "live") return;
    busy = true;
    again = false;
    const began = clock();
    poll()
      .catch((error: unknown) => {
        // A lost connection is shown by its own state; the next round comes when it is live again.
        if (!(error instanceof ConnectionLost)) throw error;
      })
      .finally(() => {
        busy = false;
        if (again) run();
        else if (wanted()) timer = setTimeout(run, Math.max(SHORTEST_WAIT_MS, INTERVAL_MS - (clock() - began)));
      });
  }

  let wasLive = false;
  const stopFollowing = effect(() => {
    const live = app.connection.state.value.kind === "live";
    const paused = app.paused.value;
    if (wasLive && !live) interruptHistories(app);
    if (live && !wasLive) {
      // It may be another daemon than before.
      absent.clear();
      round = 0;
    }
    wasLive = live;
    clearTimeout(timer);
    if (live && !paused && wanted()) run();
  });
  const onVisibility = () => {
    if (document.visibilityState === "visible" && wanted()) run();
    else clearTimeout(timer);
  };
  document.addEventListener("visibilitychange", onVisibility);

  return {
    pollNow: run,
    stop: () => {
      clearTimeout(timer);
      stopFollowing();
      document.removeEventListener("visibilitychange", onVisibility);
    },
  };
}
