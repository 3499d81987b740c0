// How the page is built: one script, one stylesheet, everything served by psiod itself, and the same bytes
// whichever folder it is built in, because web/dist is committed and checked for drift.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// `npm run dev` serves the page and passes the WebSocket on to a psiod that runs here.
const DAEMON = "ws://127.0.0.1:3000";

export default defineConfig({
  base: "./",
  // The client of this very version, from its sources.
  resolve: { alias: { psio: fileURLToPath(new URL("../clients/typescript/src/index.ts", import.meta.url)) } },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    // The page's content security policy allows no script in the document and no data: URI but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    // The client lies beside this folder.
    fs: { allow: [".", "../clients/typescript/src"] },
    proxy: {
      "^/(\\?.*)?$": {
        target: DAEMON,
        ws: true,
        rewriteWsOrigin: true,
        bypass: (request) => (request.headers.upgrade === "websocket" ? undefined : request.url),
      },
    },
  },
  test: {
    include: ["test/**/*.test.{ts,tsx}"],
    environment: "node",
  },
});
