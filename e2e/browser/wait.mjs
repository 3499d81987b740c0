// Waiting with a deadline for what must become true: the page is live, so nothing is true at once.
import assert from "node:assert/strict";

export const expectTimeout = 10_000;

/** Asks until the answer is the expected one; fails with the difference. */
export async function eventually(ask, expected) {
  const deadline = Date.now() + expectTimeout;
  for (;;) {
    const answer = await ask();
    try {
      assert.deepEqual(answer, expected);
      return;
    } catch (difference) {
      if (Date.now() > deadline) throw difference;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
