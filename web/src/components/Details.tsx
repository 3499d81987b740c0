// The selected process in full: who it is, what it was started with, how it did since it was selected.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { type App, type Detail, type Facts as ProcessFacts, select } from "../state/app";
import * as format from "../state/format";
import { keyText } from "../state/process_key";
import { terminal } from "../state/table_columns";
import { visibleText } from "../state/visible_text";
import { Chart } from "./Chart";
import { Icon } from "./Icon";
import { usePage } from "./context";

const CPU_SERIES = [{ index: 0, label: "CPU", stroke: "--cpu", fill: true }];
const MEMORY_SERIES = [{ index: 1, label: "memory", stroke: "--memory", fill: true }];

const BINARY_STEPS = Array.from({ length: 40 }, (_, power) => 1024 * 2 ** power);

export function Details({ detail }: { detail: Detail }) {
  const { app } = usePage();
  const { facts, exited, key } = detail;
  return (
    <aside class="details" aria-label="Selected process">
      <div class="details-head">
        <div class="details-title">
          <h2><bdi>{facts?.name == null ? "Process" : visibleText(facts.name)}</bdi></h2>
          <span class="details-pid">PID {key.pid}</span>
          {exited && <span class="badge">exited</span>}
        </div>
        <button type="button" class="button icon-only" aria-label="Close the details" onClick={() => select(app, null)}>
          <Icon name="close" />
        </button>
      </div>
      {facts === null
        ? <p class="empty">{exited ? "This process has exited." : "Not read yet."}</p>
        : <Facts key={keyText(key)} app={app} row={facts} detail={detail} />}
    </aside>
  );
}

function Facts({ app, row, detail }: { app: App; row: ProcessFacts; detail: Detail }) {
  const [rss, vms] = row.memory_info ?? [null, null];
  const [user, system] = row.cpu_times ?? [null, null];
  const cpu = row.cpu_percent === null ? format.UNKNOWN : `${format.percent(row.cpu_percent)} %`;
  return (
    <div class="details-body">
      <div class="details-charts">
        <figure>
          <figcaption>CPU <strong>{cpu}</strong></figcaption>
          <Chart history={detail.history} series={CPU_SERIES} timeless format={format.headlinePercent} axis={format.integer} label={`CPU use of this process, ${cpu} of one CPU now`} />
        </figure>
        <figure>
          <figcaption>Memory <strong>{format.bytes(rss)}</strong></figcaption>
          <Chart history={detail.history} series={MEMORY_SERIES} timeless format={format.bytes} axis={shortBytes} steps={BINARY_STEPS} label={`Memory of this process, ${format.bytes(rss)} now`} />
        </figure>
      </div>
      {(detail.isComplete || row.cmdline !== null) && <CommandLine args={row.cmdline} />}
      <dl class="fields">
        <Field name="Status">{row.status ?? format.UNKNOWN}</Field>
        <Field name="User">{row.username === null ? format.UNKNOWN : visibleText(row.username)}{row.uid != null && ` (${row.uid})`}</Field>
        <Field name="Parent"><Parent app={app} pid={row.ppid} /></Field>
        <Field name="Started">{format.dateTime(row.create_time === null ? null : row.create_time * 1000)}</Field>
        <Field name="Terminal">{terminal(row.terminal)}</Field>
        <Field name="Threads">{format.integer(row.num_threads)}</Field>
        <Field name="Nice">{format.integer(row.nice)}</Field>
        <Field name="Last on CPU">{format.integer(row.cpu_num)}</Field>
        <Field name="CPU time">{format.cpuTime(user)} user, {format.cpuTime(system)} system</Field>
        <Field name="Resident" hint={format.exactBytes(rss)}>{format.bytes(rss)} ({format.percent(row.memory_percent)} %)</Field>
        <Field name="Virtual" hint={format.exactBytes(vms)}>{format.bytes(vms)}</Field>
        <MoreFacts row={row} />
        <Field name="Identity" hint="pid : start time in clock ticks since boot">{keyText(detail.key)}</Field>
      </dl>
    </div>
  );
}

function MoreFacts({ row }: { row: ProcessFacts }) {
  const [voluntary, involuntary] = row.num_ctx_switches ?? [null, null];
  return (
    <>
      <Field name="Switches" hint="Times its main thread gave up the CPU, and times it was taken away">
        {format.grouped(voluntary)} given, {format.grouped(involuntary)} taken
      </Field>
      <Field name="OOM score" hint="How likely the kernel ends it when memory runs out">{format.integer(row.oom_score)}</Field>
      <Field name="Control group">{row.cgroup === null ? format.UNKNOWN : visibleText(row.cgroup)}</Field>
    </>
  );
}

/** For an axis: no room for decimals. */
function shortBytes(value: number | null): string {
  return format.bytes(value).replace(/\.\d+/, "").replace(/i?B$/, "");
}

function Field({ name, hint, children }: { name: string; hint?: string; children: ComponentChildren }) {
  return (
    <div class="field" title={hint}>
      <dt>{name}</dt>
      <dd><bdi>{children}</bdi></dd>
    </div>
  );
}

function Parent({ app, pid }: { app: App; pid: number | null }) {
  const parent = app.parent.value;
  if (parent === null || parent.key.pid !== pid) return <>{format.integer(pid)}</>;
  return (
    <button type="button" class="link" onClick={() => select(app, parent.key)}>
      {pid} <bdi>{visibleText(parent.name)}</bdi>
    </button>
  );
}

function CommandLine({ args }: { args: readonly string[] | null }) {
  const copied = useSignal(false);
  if (args === null || args.length === 0) {
    return <p class="command none">{args === null ? "The command line is not known." : "No command line: a thread of the kernel."}</p>;
  }
  const copy = () => {
    navigator.clipboard.writeText(args.join(" ")).then(
      () => (copied.value = true),
      () => (copied.value = false), // the browser may refuse; the text can still be selected by hand
    );
  };
  return (
    <div class="command">
      <code>
        {args.map((arg, index) => <bdi key={index} class={index === 0 ? "arg program" : "arg"}>{arg === "" ? "''" : visibleText(arg)}</bdi>)}
      </code>
      {window.isSecureContext && (
        <button type="button" class="button icon-only copy" aria-label={copied.value ? "Copied" : "Copy the command line"} title={copied.value ? "Copied" : "Copy"} onClick={copy}>
          <Icon name="copy" />
        </button>
      )}
    </div>
  );
}
