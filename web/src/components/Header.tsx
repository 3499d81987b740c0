// The top line: which machine this is, how long it has been up, how loaded it is, and whether what is shown is live.
import { useSignal, useSignalEffect } from "@preact/signals";
import type { ConnectionState } from "psio";
import { unreachable } from "../state/connection";
import { duration, grouped } from "../state/format";
import { visibleText } from "../state/visible_text";
import { Icon } from "./Icon";
import { usePage } from "./context";

function Fact({ label, value, hint }: { label: string; value: string; hint?: string }) {
  return (
    <div class="fact" title={hint}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function Header() {
  const { app, theme } = usePage();
  const host = app.host.value;
  const daemon = app.daemon.value;
  const load = host?.load_average ?? null;
  const kernel = [host?.os, host?.kernel, host?.architecture].filter((part) => part != null && part !== "").join(" · ");
  const paused = app.paused.value;
  const dark = theme.theme.value === "dark";
  return (
    <header class="header">
      <h1 class="brand" title={daemon?.version == null ? "psio" : `psiod ${daemon.version}, process ${daemon.pid ?? "–"}, up ${duration(daemon.uptime)}`}>
        <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M5 19h5l3-10 5 15 3.5-8H27" />
        </svg>
        psio
      </h1>
      <div class="machine">
        <bdi class="hostname">{host?.hostname == null ? "–" : visibleText(host.hostname)}</bdi>
        <bdi class="kernel">{visibleText(kernel)}</bdi>
      </div>
      <dl class="facts">
        <Fact label="Up" value={duration(host?.uptime ?? null)} />
        <Fact
          label="Load"
          value={load === null ? "–" : load.map((value) => value.toFixed(2)).join("  ")}
          hint="Processes running or waiting, on average over 1, 5 and 15 minutes"
        />
        <Fact label="Processes" value={grouped(app.total.value)} />
        <Fact label="Threads" value={grouped(host?.threads_total ?? null)} />
      </dl>
      <div class="controls">
        <ConnectionPill />
        <button type="button" class={paused ? "button on" : "button"} aria-label={paused ? "Resume" : "Pause"} onClick={() => (app.paused.value = !paused)} title={paused ? "Go on" : "Hold everything still"}>
          <Icon name={paused ? "play" : "pause"} />
          <span class="button-text">{paused ? "Resume" : "Pause"}</span>
        </button>
        <button type="button" class="button icon-only" onClick={theme.toggle} aria-label={dark ? "Use the light theme" : "Use the dark theme"} title={dark ? "Light" : "Dark"}>
          <Icon name={dark ? "sun" : "moon"} />
        </button>
      </div>
    </header>
  );
}

interface Pill {
  kind: "live" | "waiting" | "paused";
  text: string;
}

function pill(state: ConnectionState, paused: boolean, now: number): Pill {
  switch (state.kind) {
    case "live":
      return paused ? { kind: "paused", text: "Paused" } : { kind: "live", text: "Live" };
    case "connecting":
      return { kind: "waiting", text: state.attempt === 0 ? "Connecting…" : "Reconnecting…" };
    case "waiting":
      return { kind: "waiting", text: `Reconnecting in ${Math.max(1, Math.ceil((state.retryAt - now) / 1000))} s` };
    case "closed":
      return { kind: "paused", text: "Closed" };
    default:
      return unreachable(state);
  }
}

function ConnectionPill() {
  const { app } = usePage();
  const now = useSignal(Date.now());
  useSignalEffect(() => {
    if (app.connection.state.value.kind !== "waiting") return undefined;
    now.value = Date.now();
    const timer = setInterval(() => (now.value = Date.now()), 250);
    return () => clearInterval(timer);
  });
  const { kind, text } = pill(app.connection.state.value, app.paused.value, now.value);
  return (
    <div class={`pill ${kind}`} data-connection={app.connection.state.value.kind}>
      <span class="pill-dot" aria-hidden="true" />
      {text}
    </div>
  );
}
