// The selected process, asked for by itself, because it need not be among the rows on screen; and who started it.
import { computed, effect, untracked } from "@preact/signals";
import { type App, applyDetail, applyExit } from "./app";
import { type Mode, after, keepSubscribed } from "./feed";
import { type ProcessKey, keyText, parseKey } from "./process_key";

const INTERVAL_MS = 1000;
/** The parent's name hardly changes. */
const PARENT_INTERVAL_MS = 10_000;
/** Who holds an arrow key down is told of the process that it ends at. */
const SPACING_MS = 80;

/** Begins as `mode` says; what it returns ends it. */
export function feedDetail(app: App, mode: () => Mode): () => void {
  const key = computed(() => {
    const detail = app.detail.value;
    return detail === null || detail.exited ? null : keyText(detail.key);
  });
  const parentPid = computed(() => app.detail.value?.facts?.ppid ?? null);
  // What is held still is fetched once.
  const isWanted = computed(() => mode() === "following" || (mode() === "once" && app.detail.value?.isComplete === false));
  const isParentWanted = computed(() => mode() === "following" || (mode() === "once" && app.parent.value === null));
  let notBefore = 0;

  const stopDetail = effect(() => {
    const wanted = key.value;
    if (wanted === null || !isWanted.value) return undefined;
    return untracked(() => {
      let stop: () => void = () => undefined;
      const begin = () => (stop = feedProcess(app, parseKey(wanted)));
      const wait = notBefore - Date.now();
      notBefore = Date.now() + SPACING_MS;
      if (wait > 0) stop = after(wait, begin);
      else begin();
      return () => stop();
    });
  });
  const stopParent = effect(() => {
    const pid = parentPid.value;
    if (pid === null || pid === 0) {
      app.parent.value = null;
      return undefined;
    }
    return isParentWanted.value ? untracked(() => feedParent(app, pid)) : undefined;
  });
  return () => {
    stopDetail();
    stopParent();
  };
}

function feedProcess(app: App, key: ProcessKey | null): () => void {
  if (key === null) throw new Error("invariant: the key of a selected process is one");
  const { connection } = app;
  const subscribe = () => connection.psio.subscribe("process.get", { ...key }, { interval: INTERVAL_MS });
  return keepSubscribed(connection, subscribe, {
    event: ({ time, data }) => applyDetail(app, time ?? Date.now(), key, data),
    refused: ({ code }) => {
      // A conflict is a pid that belongs to another process by now.
      const isGone = code === "not_found" || code === "conflict";
      if (isGone) applyExit(app, key);
      return isGone;
    },
  });
}

function feedParent(app: App, pid: number): () => void {
  const { connection } = app;
  const subscribe = () =>
    connection.psio.subscribe(
      "process.getall",
      { fields: ["name"], filter: `pid=${pid}` },
      { mode: "delta", interval: PARENT_INTERVAL_MS },
    );
  return keepSubscribed(connection, subscribe, {
    event: ({ data, keys }) => {
      const key = parseKey(keys[0] ?? "");
      app.parent.value = key === null ? null : { key, name: data[0]?.name ?? "" };
    },
  });
}
