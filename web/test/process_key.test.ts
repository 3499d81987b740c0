// Keys of processes, as the address and psiod write them.
import { describe, expect, it } from "vitest";
import { parseKey } from "../src/state/process_key";

describe("keys", () => {
  it("are read from their text", () => {
    expect(parseKey("412:1763800")).toEqual({ pid: 412, started: 1763800 });
  });

  it.each(["", "412", "412:", "-1:2", "412:1:2", "a:b"])("are not read from %j", (text) => {
    expect(parseKey(text)).toBeNull();
  });
});
