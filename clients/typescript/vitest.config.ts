import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // The live tests wait for a psiod that may share its machine with a compiler.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
