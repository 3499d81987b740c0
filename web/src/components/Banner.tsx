// What is wrong with what is shown, said where nobody can miss it, with the one thing that can be done about it.
import { unreachable } from "../state/connection";
import { clockTime } from "../state/format";
import { usePage } from "./context";

export function Banner() {
  const { app } = usePage();
  const state = app.connection.state.value;
  const time = app.time.value;
  switch (state.kind) {
    case "live":
      return app.problem.value === null ? null : (
        <div class="banner" role="alert">psiod cannot list the processes: {app.problem.value}</div>
      );
    case "connecting":
    case "waiting":
      if (state.attempt === 0) return null;
      return (
        <div class="banner" role="status">
          <span>
            psiod does not answer.
            {time !== null && ` What you see is from ${clockTime(time)}.`}
          </span>
          <button type="button" class="button" disabled={state.kind !== "waiting"} onClick={() => app.connection.psio.retryNow()}>
            Try now
          </button>
        </div>
      );
    case "closed":
      return null;
    default:
      return unreachable(state);
  }
}
