// What the graphs draw: the newest minute of some series, with holes where nobody was listening.
import { signal } from "@preact/signals";

/** Times (seconds since the epoch, as uPlot wants them) and one array of values per series, all as long. */
export type Points = [times: number[], ...values: (number | null)[][]];

export class History {
  readonly points: Points;
  /** Counts changes of `points`: whoever draws them reads this to hear of new ones. */
  readonly changes = signal(0);

  constructor(
    series: number,
    private readonly spanSeconds: number,
  ) {
    this.points = [[]];
    for (let i = 0; i < series; i++) this.points.push([]);
  }

  get series(): number {
    return this.points.length - 1;
  }

  get newest(): number | null {
    return this.points[0].at(-1) ?? null;
  }

  /** Adds a sample; one of the same instant replaces it, one from the past means the clock was set: start over. */
  push(timeMs: number, values: readonly (number | null)[]): void {
    const time = timeMs / 1000;
    const newest = this.newest;
    if (newest !== null && time < newest) this.truncate(0);
    if (newest !== null && time === newest) this.truncate(this.points[0].length - 1);
    this.append(time, values);
    this.forget(time - this.spanSeconds);
    this.changes.value = this.changes.peek() + 1;
  }

  /** The line ends here; the next sample begins a new one. */
  gap(): void {
    const newest = this.newest;
    if (newest === null || this.endsInGap()) return;
    this.append(newest + 0.001, []);
    this.changes.value = this.changes.peek() + 1;
  }

  private endsInGap(): boolean {
    return this.points.every((column, i) => i === 0 || column.at(-1) === null);
  }

  private append(time: number, values: readonly (number | null)[]): void {
    const [times, ...series] = this.points;
    times.push(time);
    series.forEach((column, i) => column.push(values[i] ?? null));
  }

  private truncate(length: number): void {
    for (const column of this.points) column.length = length;
  }

  private forget(before: number): void {
    const keep = this.points[0].findIndex((time) => time >= before);
    // One point older than the span stays, so that the line reaches the left edge.
    if (keep > 1) for (const column of this.points) column.splice(0, keep - 1);
  }
}

/** Smallest and largest known value of a series; null when there is none. */
export function extent(values: readonly (number | null)[]): { least: number; most: number } | null {
  let least = Infinity;
  let most = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return least === Infinity ? null : { least, most };
}
