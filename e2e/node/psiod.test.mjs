// Node's own WebSocket, a browser's in all but name, against psiod: what the README shows works as it stands there.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

// Node 20 has it behind an option; later ones do without.
if (typeof WebSocket === "undefined") {
  const options = ["--experimental-websocket", "--no-warnings", fileURLToPath(import.meta.url)];
  process.exit(spawnSync(process.execPath, options, { stdio: "inherit" }).status ?? 1);
}

const psiods = [];

async function start() {
  const path = process.env.PSIOD ?? fileURLToPath(new URL("../../target/debug/psiod", import.meta.url));
  const child = spawn(path, ["--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
  let log = "";
  const port = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
      const line = /listening on http:\/\/127\.0\.0\.1:(\d+) /.exec(log);
      if (line) resolve(Number(line[1]));
    });
    exited.then((code) => reject(new Error(`psiod ended with ${code}: ${log}`)));
  });
  const psiod = { child, exited, port, url: `ws://localhost:${port}/` };
  psiods.push(psiod);
  return psiod;
}

/** A connection whose messages are kept until somebody takes them. */
async function connect({ url }) {
  const socket = new WebSocket(url);
  const [arrived, waiting] = [[], []];
  socket.onmessage = ({ data }) => (waiting.shift() ?? ((text) => arrived.push(text)))(data);
  const closed = new Promise((resolve) => (socket.onclose = resolve));
  await new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject)));
  const receive = async () =>
    JSON.parse(arrived.length > 0 ? arrived.shift() : await new Promise((resolve) => waiting.push(resolve)));
  return { socket, closed, receive, send: (message) => socket.send(JSON.stringify(message)) };
}

const command = (name, id) => ({ type: "command", ...(id === undefined ? {} : { id }), data: { name } });

let psiod;
before(async () => (psiod = await start()));
after(async () => {
  for (const { child, exited } of psiods) {
    child.kill("SIGTERM");
    assert.equal(await exited, 0);
  }
});

test("the example of the README prints processes", async () => {
  const socket = new WebSocket(psiod.url);
  const rows = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send(JSON.stringify({ type: "command", data: { name: "process.getall" } }));
    socket.onmessage = (event) => resolve(JSON.parse(event.data).data);
    socket.onerror = reject;
  });
  socket.close();
  assert.ok(rows.some((row) => row.pid === process.pid && row.ppid === process.ppid));
});

for (const name of ["process.getall", "cpu.getall", "memory.getall"]) {
  test(`${name} is answered with exactly type and data`, async () => {
    const { socket, send, receive } = await connect(psiod);
    send(command(name));
    const answer = await receive();
    socket.close();
    assert.deepEqual(Object.keys(answer), ["type", "data"]);
    assert.equal(answer.type, "response");
  });
}

test("an object that was not stringified gets the advice", async () => {
  const { socket, receive } = await connect(psiod);
  socket.send({ type: "command" });
  const answer = await receive();
  socket.close();
  assert.match(answer.data.message, /JSON\.stringify/);
});

test("a binary message is refused and the connection lives", async () => {
  const { socket, send, receive } = await connect(psiod);
  socket.send(new Uint8Array([1, 2, 3]));
  assert.equal((await receive()).data.code, "bad_request");
  send(command("cpu.getall"));
  assert.equal((await receive()).type, "response");
  socket.close();
});

test("answers to 200 pipelined commands without id keep their order", async () => {
  const { socket, send, receive } = await connect(psiod);
  const sent = Array.from({ length: 200 }, (_, n) => (n % 3 === 0 ? "memory.getall" : `unknown.${n}`));
  for (const name of sent) send(command(name));
  const got = [];
  for (const _ of sent) got.push(await receive());
  socket.close();
  assert.deepEqual(got.map(({ data }) => data.details?.name ?? "memory.getall"), sent);
});

test("each of 200 pipelined ids is answered once", async () => {
  const { socket, send, receive } = await connect(psiod);
  const ids = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? n : `id ${n}`));
  for (const id of ids) send(command("cpu.getall", id));
  const got = [];
  for (const _ of ids) got.push((await receive()).id);
  socket.close();
  assert.deepEqual(new Set(got), new Set(ids));
});

test("SIGTERM closes with 1001", async () => {
  const other = await start();
  const { closed } = await connect(other);
  other.child.kill("SIGTERM");
  const { code, wasClean } = await closed;
  assert.deepEqual({ code, wasClean, exit: await other.exited }, { code: 1001, wasClean: true, exit: 0 });
});
