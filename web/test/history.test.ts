// What the graphs draw.
import { describe, expect, it } from "vitest";
import { History, extent } from "../src/state/history";

describe("a history", () => {
  it("keeps times in seconds and a column per series", () => {
    const history = new History(2, 60);
    history.push(1000, [1, 2]);
    history.push(2000, [3, 4]);
    expect(history.points).toEqual([[1, 2], [1, 3], [2, 4]]);
  });

  it("forgets what is older than its span, but for one point at the edge", () => {
    const history = new History(1, 3);
    for (let second = 0; second < 10; second++) history.push(second * 1000, [second]);
    expect(history.points[0]).toEqual([5, 6, 7, 8, 9]);
  });

  it("replaces a sample of the same instant", () => {
    const history = new History(1, 60);
    history.push(1000, [1]);
    history.push(1000, [2]);
    expect(history.points).toEqual([[1], [2]]);
  });

  it("starts over when the clock was set back", () => {
    const history = new History(1, 60);
    history.push(9000, [1]);
    history.push(5000, [2]);
    expect(history.points).toEqual([[5], [2]]);
  });

  it("breaks its lines at a gap", () => {
    const history = new History(1, 60);
    history.push(1000, [1]);
    history.gap();
    history.push(9000, [2]);
    expect(history.points[1]).toEqual([1, null, 2]);
  });

  it("has one gap however often it is interrupted", () => {
    const history = new History(1, 60);
    history.push(1000, [1]);
    history.gap();
    history.gap();
    expect(history.points[1]).toEqual([1, null]);
  });

  it("has no gap before the first sample", () => {
    const history = new History(1, 60);
    history.gap();
    expect(history.points).toEqual([[], []]);
  });

  it("keeps unknown values unknown", () => {
    const history = new History(1, 60);
    history.push(1000, [null]);
    expect(history.points[1]).toEqual([null]);
  });
});

describe("the extent of a series", () => {
  it("leaves out what is not known", () => {
    expect(extent([null, 3, null, 8])).toEqual({ least: 3, most: 8 });
  });

  it("is null when nothing is known", () => {
    expect(extent([null])).toBeNull();
  });
});
