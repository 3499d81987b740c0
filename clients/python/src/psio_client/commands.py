"""The commands of psiod, as methods. Generated from api/schema.json by scripts/models.py; do not edit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, overload

from .answers import Answer
from .models import (
    CpuRow,
    DaemonStats,
    Description,
    HostStats,
    MemoryStats,
    ProcessDetail,
    ProcessRow,
    ProcessWatchEvent,
)
from .record import Reply, list_of
from .subscription import AsyncSubscription, Subscription

Mode = Literal["delta"] | None

REPLIES: dict[str, Reply] = {
    "cpu.getall": Reply(list_of(CpuRow.from_json), CpuRow.from_json),
    "daemon.describe": Reply(Description.from_json, None),
    "daemon.getstats": Reply(DaemonStats.from_json, None),
    "host.getstats": Reply(HostStats.from_json, None),
    "memory.getall": Reply(MemoryStats.from_json, None),
    "process.get": Reply(ProcessDetail.from_json, None),
    "process.getall": Reply(list_of(ProcessRow.from_json), ProcessRow.from_json),
}
"""How the answer of each command is read."""


class AsyncCommands(ABC):
    """Each command as a method, of the asyncio face."""

    @abstractmethod
    async def _ask(self, name: str, params: dict[str, Any]) -> Answer[Any]: ...

    @abstractmethod
    def _subscribe(self, name: str, interval: float, mode: Mode, params: dict[str, Any]) -> AsyncSubscription[Any]: ...

    async def cpu_getall(
        self,
        *,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Answer[list[CpuRow]]:
        """Usage of every online CPU over the window that `meta.window_ms` tells. Source: `/proc/stat`, lines `cpuN`;
        see proc_stat(5).

        `fields`: The fields wanted, in this order; all when absent.

        `sort`: The field to order by, `-` before it for the largest first. Unknown values come last either way.

        `filter`: Which rows: words to search for and comparisons, such as `cpu_percent>5 username=root`.

        `limit`: At most this many rows; `meta.total` still counts all that passed the filter.

        `offset`: Rows to skip first.
        """
        params = {"fields": fields, "sort": sort, "filter": filter, "limit": limit, "offset": offset}
        return await self._ask("cpu.getall", params)

    async def daemon_describe(self) -> Answer[Description]:
        """Every command with its schema, access, documentation and examples; the version of the protocol and its
        features. Source: psiod itself."""
        return await self._ask("daemon.describe", {})

    async def daemon_getstats(self) -> Answer[DaemonStats]:
        """psiod's own version, cost and clients. Source: psiod itself, `/proc/self/statm`, getrusage(2)."""
        return await self._ask("daemon.getstats", {})

    async def host_getstats(self) -> Answer[HostStats]:
        """Name, system, hardware and load of the machine. Source: `/proc/sys/kernel`, `/proc/stat`, `/proc/cpuinfo`,
        `/proc/loadavg`, `/etc/os-release`, uname(2)."""
        return await self._ask("host.getstats", {})

    async def memory_getall(self) -> Answer[MemoryStats]:
        """Physical memory and swap, in bytes, with the meanings psutil gives the names. Source: `/proc/meminfo` and
        `/proc/vmstat`; see proc_meminfo(5)."""
        return await self._ask("memory.getall", {})

    async def process_get(self, pid: int, *, started: int | None = None) -> Answer[ProcessDetail]:
        """One process: every field of `process.getall`, and some that cost a read of their own. Source: as
        `process.getall`; also `/proc/PID/status`, `cgroup` and `oom_score`.

        `pid`: Process id.

        `started`: Its `started`: with it the answer is `conflict` when the pid belongs to another process by now.
        """
        params = {"pid": pid, "started": started}
        return await self._ask("process.get", params)

    async def process_getall(
        self,
        *,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Answer[list[ProcessRow]]:
        """All processes of the machine, ordered by pid unless `sort` says otherwise. `cpu_percent` is measured over the
        window that `meta.window_ms` tells. Source: `/proc/PID/stat`, `statm`, `status` and `cmdline`; see
        proc_pid_stat(5).

        `fields`: The fields wanted, in this order; all when absent.

        `sort`: The field to order by, `-` before it for the largest first. Unknown values come last either way.

        `filter`: Which rows: words to search for and comparisons, such as `cpu_percent>5 username=root`.

        `limit`: At most this many rows; `meta.total` still counts all that passed the filter.

        `offset`: Rows to skip first.
        """
        params = {"fields": fields, "sort": sort, "filter": filter, "limit": limit, "offset": offset}
        return await self._ask("process.getall", params)

    @overload
    def subscribe(
        self,
        name: Literal["cpu.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> AsyncSubscription[list[CpuRow]]: ...
    @overload
    def subscribe(
        self,
        name: Literal["daemon.describe"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> AsyncSubscription[Description]: ...
    @overload
    def subscribe(
        self,
        name: Literal["daemon.getstats"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> AsyncSubscription[DaemonStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["host.getstats"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> AsyncSubscription[HostStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["memory.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> AsyncSubscription[MemoryStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.get"],
        *,
        pid: int,
        interval: float = 1.0,
        mode: Mode = None,
        started: int | None = None,
    ) -> AsyncSubscription[ProcessDetail]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> AsyncSubscription[list[ProcessRow]]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.watch"],
        *,
        interval: float = 1.0,
    ) -> AsyncSubscription[ProcessWatchEvent]: ...
    @overload
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> AsyncSubscription[Any]: ...
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> AsyncSubscription[Any]:
        """Events of a read command, or of `process.watch`, with the parameters of that command.

        `interval`: seconds between events, 0.1 to 3600. `mode="delta"`: psiod sends lists as what changed, which is
        applied here, so that an event carries the whole list all the same. Commands that this version does not know
        arrive as JSON, and so does `format="columns"`. A subscription survives reconnections.
        """
        return self._subscribe(name, interval, mode, params)


class Commands(ABC):
    """Each command as a method, of the sync face."""

    @abstractmethod
    def _ask(self, name: str, params: dict[str, Any]) -> Answer[Any]: ...

    @abstractmethod
    def _subscribe(self, name: str, interval: float, mode: Mode, params: dict[str, Any]) -> Subscription[Any]: ...

    def cpu_getall(
        self,
        *,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Answer[list[CpuRow]]:
        """Usage of every online CPU over the window that `meta.window_ms` tells. Source: `/proc/stat`, lines `cpuN`;
        see proc_stat(5).

        `fields`: The fields wanted, in this order; all when absent.

        `sort`: The field to order by, `-` before it for the largest first. Unknown values come last either way.

        `filter`: Which rows: words to search for and comparisons, such as `cpu_percent>5 username=root`.

        `limit`: At most this many rows; `meta.total` still counts all that passed the filter.

        `offset`: Rows to skip first.
        """
        params = {"fields": fields, "sort": sort, "filter": filter, "limit": limit, "offset": offset}
        return self._ask("cpu.getall", params)

    def daemon_describe(self) -> Answer[Description]:
        """Every command with its schema, access, documentation and examples; the version of the protocol and its
        features. Source: psiod itself."""
        return self._ask("daemon.describe", {})

    def daemon_getstats(self) -> Answer[DaemonStats]:
        """psiod's own version, cost and clients. Source: psiod itself, `/proc/self/statm`, getrusage(2)."""
        return self._ask("daemon.getstats", {})

    def host_getstats(self) -> Answer[HostStats]:
        """Name, system, hardware and load of the machine. Source: `/proc/sys/kernel`, `/proc/stat`, `/proc/cpuinfo`,
        `/proc/loadavg`, `/etc/os-release`, uname(2)."""
        return self._ask("host.getstats", {})

    def memory_getall(self) -> Answer[MemoryStats]:
        """Physical memory and swap, in bytes, with the meanings psutil gives the names. Source: `/proc/meminfo` and
        `/proc/vmstat`; see proc_meminfo(5)."""
        return self._ask("memory.getall", {})

    def process_get(self, pid: int, *, started: int | None = None) -> Answer[ProcessDetail]:
        """One process: every field of `process.getall`, and some that cost a read of their own. Source: as
        `process.getall`; also `/proc/PID/status`, `cgroup` and `oom_score`.

        `pid`: Process id.

        `started`: Its `started`: with it the answer is `conflict` when the pid belongs to another process by now.
        """
        params = {"pid": pid, "started": started}
        return self._ask("process.get", params)

    def process_getall(
        self,
        *,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Answer[list[ProcessRow]]:
        """All processes of the machine, ordered by pid unless `sort` says otherwise. `cpu_percent` is measured over the
        window that `meta.window_ms` tells. Source: `/proc/PID/stat`, `statm`, `status` and `cmdline`; see
        proc_pid_stat(5).

        `fields`: The fields wanted, in this order; all when absent.

        `sort`: The field to order by, `-` before it for the largest first. Unknown values come last either way.

        `filter`: Which rows: words to search for and comparisons, such as `cpu_percent>5 username=root`.

        `limit`: At most this many rows; `meta.total` still counts all that passed the filter.

        `offset`: Rows to skip first.
        """
        params = {"fields": fields, "sort": sort, "filter": filter, "limit": limit, "offset": offset}
        return self._ask("process.getall", params)

    @overload
    def subscribe(
        self,
        name: Literal["cpu.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Subscription[list[CpuRow]]: ...
    @overload
    def subscribe(
        self,
        name: Literal["daemon.describe"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> Subscription[Description]: ...
    @overload
    def subscribe(
        self,
        name: Literal["daemon.getstats"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> Subscription[DaemonStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["host.getstats"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> Subscription[HostStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["memory.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
    ) -> Subscription[MemoryStats]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.get"],
        *,
        pid: int,
        interval: float = 1.0,
        mode: Mode = None,
        started: int | None = None,
    ) -> Subscription[ProcessDetail]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.getall"],
        *,
        interval: float = 1.0,
        mode: Mode = None,
        fields: Sequence[str] | None = None,
        sort: str | None = None,
        filter: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Subscription[list[ProcessRow]]: ...
    @overload
    def subscribe(
        self,
        name: Literal["process.watch"],
        *,
        interval: float = 1.0,
    ) -> Subscription[ProcessWatchEvent]: ...
    @overload
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> Subscription[Any]: ...
    def subscribe(
        self, name: str, *, interval: float = 1.0, mode: Mode = None, **params: Any
    ) -> Subscription[Any]:
        """Events of a read command, or of `process.watch`, with the parameters of that command.

        `interval`: seconds between events, 0.1 to 3600. `mode="delta"`: psiod sends lists as what changed, which is
        applied here, so that an event carries the whole list all the same. Commands that this version does not know
        arrive as JSON, and so does `format="columns"`. A subscription survives reconnections.
        """
        return self._subscribe(name, interval, mode, params)
