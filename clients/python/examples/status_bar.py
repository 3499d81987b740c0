"""A status bar in ten lines: python status_bar.py [ADDRESS]"""
import sys
from psio_client import Client

with Client(*sys.argv[1:]) as psio:
    for event in psio.subscribe("cpu.getall", interval=1.0):
        busy = [cpu.usage or 0.0 for cpu in event.data]
        memory, top = psio.memory_getall().data.virtual, psio.process_getall(sort="-cpu_percent", limit=1).data[0]
        print(f"cpu {sum(busy) / len(busy):3.0f} %  memory {memory.percent or 0:3.0f} %  {top.name}", flush=True)
