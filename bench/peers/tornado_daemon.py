"""The daemon that psiod is compared with: tornado and psutil, the three frozen commands, nothing else.

Written the way the first version of this protocol was served: each request reads the machine anew
and answers {"type":"response","data":...} in the shapes of PROTOCOL.md §1. Usage: tornado_daemon.py PORT
"""

import asyncio
import json
import sys

import psutil
import tornado.web
import tornado.websocket

from frozen import FIELDS


def process_getall() -> list:
    rows = []
    for process in psutil.process_iter(FIELDS):
        row = process.info
        if row["cpu_times"] is not None:
            row["cpu_times"] = [row["cpu_times"].user, row["cpu_times"].system]
        if row["memory_info"] is not None:
            row["memory_info"] = [row["memory_info"].rss, row["memory_info"].vms]
        rows.append(row)
    return rows


def cpu_getall() -> list:
    return [
        {"num": num, "usage": usage}
        for num, usage in enumerate(psutil.cpu_percent(interval=None, percpu=True))
    ]


def memory_getall() -> dict:
    virtual = psutil.virtual_memory()._asdict()
    virtual.setdefault("wired", None)  # psutil knows it on macOS and BSD only
    return {"virtual": virtual, "swap": psutil.swap_memory()._asdict()}


COMMANDS = {
    "process.getall": process_getall,
    "cpu.getall": cpu_getall,
    "memory.getall": memory_getall,
}


class Socket(tornado.websocket.WebSocketHandler):
    def open(self) -> None:
        self.set_nodelay(True)

    def on_message(self, message) -> None:
        request = json.loads(message)
        command = COMMANDS[request["data"]["name"]]
        self.write_message(json.dumps({"type": "response", "data": command()}))


async def main() -> None:
    tornado.web.Application([("/", Socket)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
