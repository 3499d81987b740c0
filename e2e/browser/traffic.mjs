// What goes over the page's WebSocket, as the browser sees it.

export class Traffic {
  /** Messages that the page sent, oldest first. */
  sent = [];
  /** Subscriptions that live, by id. */
  living = new Map();
  events = 0;
  bytesReceived = 0;

  follow(socket) {
    this.living.clear();
    socket.on("framesent", ({ payload }) => this.#send(JSON.parse(payload)));
    socket.on("framereceived", ({ payload }) => {
      this.bytesReceived += Buffer.byteLength(payload);
      this.#receive(JSON.parse(payload));
    });
  }

  /** The parameters of the living subscriptions to the rows on screen. */
  lists() {
    return [...this.living.values()].filter(({ mode, data }) => mode === "delta" && "sort" in data).map(({ data }) => data);
  }

  #send(message) {
    this.sent.push(message);
    if (message.type === "subscribe") this.living.set(message.id, message);
    if (message.type === "unsubscribe") this.living.delete(message.subscription);
  }

  #receive(message) {
    if (message.type === "event") this.events += 1;
    if (message.type === "end" || message.type === "error") this.living.delete(message.id);
  }
}
