// The page begins here: connect, subscribe, draw, and keep the address in step with what is on screen.
import { effect } from "@preact/signals";
import { render } from "preact";
import { connect, socketUrl } from "psio";
import "uplot/dist/uPlot.min.css";
import "./styles/tokens.css";
import "./styles/layout.css";
import "./styles/panels.css";
import "./styles/table.css";
import "./styles/details.css";
import { Page } from "./components/Page";
import { createApp } from "./state/app";
import { startFeeds } from "./state/feeds";
import { followTheme } from "./state/theme";
import { pageStateText, readPageState } from "./state/url";

const psio = connect(socketUrl(location.href));
const app = createApp(psio, readPageState(location.search));
const theme = followTheme();
startFeeds(app);

effect(() => {
  const state = { sort: app.sort.value, filter: app.filter.value, selected: app.detail.value?.key ?? null };
  const address = location.pathname + pageStateText(state) + location.hash;
  if (address !== location.pathname + location.search + location.hash) history.replaceState(null, "", address);
});
effect(() => {
  const hostname = app.host.value?.hostname;
  document.title = hostname === null || hostname === undefined ? "psio" : `${hostname} – psio`;
});
addEventListener("online", () => psio.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") psio.retryNow();
});

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no #app");
render(<Page app={app} theme={theme} />, root);
