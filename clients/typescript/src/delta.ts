// A list that is kept up to date by what changed. Rows that did not change stay the same objects, and a tick without
// changes leaves the same array, so that whoever draws them can compare by identity.
import { isObject } from "./protocol.js";

/** What changed since the event before, by the keys of the rows. */
export interface Changes {
  /** The list was sent whole: at first, and after ticks were skipped. The other members are empty then. */
  reset: boolean;
  added: string[];
  /** Rows of which some field changed. */
  changed: string[];
  removed: string[];
  /** Whether the sequence of keys differs. */
  moved: boolean;
}

export interface ListState<Row> {
  data: readonly Row[];
  /** The key of each row of `data`, in the same order. */
  keys: readonly string[];
  changes: Changes;
}

export class DeltaList<Row extends object> {
  private readonly rows = new Map<string, Row>();
  private keys: readonly string[] = [];
  private data: readonly Row[] = [];
  private reset = false;
  private moved = false;
  private readonly added = new Set<string>();
  private readonly changed = new Set<string>();
  private readonly removed = new Set<string>();

  /** Takes in the data of a delta event. False when it does not fit what is known: the list must be had afresh. */
  apply(delta: unknown): boolean {
    if (!isObject(delta)) return false;
    const { reset, remove, add, set, order } = delta as Delta<Row>;
    if (reset !== undefined) this.startOver(reset);
    for (const key of remove ?? []) this.drop(key);
    for (const [key, row] of Object.entries(add ?? {})) this.put(key, row);
    for (const [key, fields] of Object.entries(set ?? {})) {
      const row = this.rows.get(key);
      if (row === undefined) return false;
      this.put(key, { ...row, ...fields });
    }
    if (order !== undefined) {
      this.keys = order;
      this.moved = true;
    }
    return order === undefined && add === undefined && remove === undefined ? true : this.isWhole();
  }

  /** The list as it is, and what changed since it was taken last. */
  take(): ListState<Row> {
    const { reset, moved } = this;
    if (reset || moved || this.changed.size > 0) {
      // Every key has its row: `apply` saw to that.
      this.data = this.keys.map((key) => this.rows.get(key) as Row);
    }
    const changes = reset
      ? { reset, added: [], changed: [], removed: [], moved: true }
      : { reset, added: [...this.added], changed: [...this.changed], removed: [...this.removed], moved };
    this.forgetChanges();
    return { data: this.data, keys: this.keys, changes };
  }

  private startOver(rows: Record<string, Row>): void {
    this.reset = true;
    this.rows.clear();
    for (const [key, row] of Object.entries(rows)) this.rows.set(key, row);
  }

  // Several events may come before the list is taken, so each change is noted against what was taken last.

  private put(key: string, row: Row): void {
    const known = this.rows.has(key) || this.removed.delete(key);
    this.rows.set(key, row);
    if (this.reset || this.added.has(key)) return;
    (known ? this.changed : this.added).add(key);
  }

  private drop(key: string): void {
    if (!this.rows.delete(key) || this.reset) return;
    this.changed.delete(key);
    if (!this.added.delete(key)) this.removed.add(key);
  }

  private isWhole(): boolean {
    const keys = new Set(this.keys);
    const isOnceEach = keys.size === this.keys.length && keys.size === this.rows.size;
    return isOnceEach && this.keys.every((key) => this.rows.has(key));
  }

  private forgetChanges(): void {
    this.reset = false;
    this.moved = false;
    this.added.clear();
    this.changed.clear();
    this.removed.clear();
  }
}

interface Delta<Row> {
  reset?: Record<string, Row>;
  add?: Record<string, Row>;
  set?: Record<string, Partial<Row>>;
  remove?: string[];
  order?: string[];
}
