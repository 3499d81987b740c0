// All CPUs as one: the headline, where the time goes, and the last minute.
import { headlinePercent, wholePercent } from "../state/format";
import { extent } from "../state/history";
import { visibleText } from "../state/visible_text";
import { Chart } from "./Chart";
import { usePage } from "./context";

const SHARES = [
  { key: "user", label: "User" },
  { key: "system", label: "System" },
  { key: "iowait", label: "I/O wait" },
  { key: "steal", label: "Stolen" },
] as const;

const SERIES = [
  { index: 0, label: "usage", stroke: "--cpu", fill: true },
  { index: 1, label: "system", stroke: "--system", fill: true },
  { index: 2, label: "I/O wait", stroke: "--wait", dash: [3, 3] },
];

export function CpuPanel() {
  const { app } = usePage();
  void app.cpuHistory.changes.value;
  const summary = app.cpuSummary.value;
  const count = app.cpus.value.length;
  const model = app.host.value?.cpu_model ?? null;
  const range = extent(app.cpuHistory.points[1] ?? []);
  const seen = range === null ? "" : `; between ${headlinePercent(range.least)} and ${headlinePercent(range.most)} in the last minute`;
  return (
    <section class="panel cpu-panel" aria-labelledby="cpu-title">
      <div class="panel-head">
        <h2 id="cpu-title">CPU</h2>
        <output class="headline" data-testid="cpu-usage">{headlinePercent(summary.usage)}</output>
        <bdi class="aside" title={model ?? undefined}>
          {count > 0 && `${count} ${count === 1 ? "CPU" : "CPUs"}`}
          {model !== null && ` · ${visibleText(model)}`}
        </bdi>
      </div>
      <dl class="shares">
        {/* Only a virtual machine can be stolen from, and only then is it worth the room. */}
        {SHARES.filter(({ key }) => key !== "steal" || summary.steal !== 0).map(({ key, label }) => (
          <div key={key} class="share">
            <dt><i class={`swatch ${key}`} aria-hidden="true" />{label}</dt>
            <dd>{headlinePercent(summary[key])}</dd>
          </div>
        ))}
      </dl>
      <Chart history={app.cpuHistory} series={SERIES} most={100} format={headlinePercent} axis={wholePercent} label={`CPU usage, ${headlinePercent(summary.usage)} now${seen}`} />
    </section>
  );
}
