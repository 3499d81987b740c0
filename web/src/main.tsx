// The page begins here: connect, ask, draw, and keep the address in step with what is on screen.
import { effect } from "@preact/signals";
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/panels.css";
import "./styles/table.css";
import "./styles/details.css";
import { Connection, type Socket, socketUrl } from "./api/socket";
import { Page } from "./components/Page";
import { createApp } from "./state/app";
import { startPolling } from "./state/poll";
import { followTheme } from "./state/theme";
import { pageStateText, readPageState } from "./state/url";

const connection = new Connection({ open: () => new WebSocket(socketUrl(location.href)) as Socket });
const app = createApp(connection, readPageState(location.search));
const theme = followTheme();
const poller = startPolling(app);

effect(() => {
  const state = { sort: app.sort.value, filter: app.filter.value, selected: app.detail.value?.key ?? null };
  const address = location.pathname + pageStateText(state) + location.hash;
  if (address !== location.pathname + location.search + location.hash) history.replaceState(null, "", address);
});
effect(() => {
  const hostname = app.host.value?.hostname;
  document.title = hostname === null || hostname === undefined ? "psio" : `${hostname} – psio`;
});
addEventListener("online", () => connection.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") connection.retryNow();
});

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no #app");
render(<Page app={app} poller={poller} theme={theme} />, root);
