"""What psiod tells, as records. Generated from api/schema.json by scripts/models.py; do not edit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .answers import seconds
from .record import Record, list_of, sent_as

Access = Literal[
    # What `ps` shows any local user.
    "read",
    # What the kernel guards with a ptrace check: io counters, descriptors, executable, working directory.
    "inspect",
    # Changing something: signals, priorities.
    "control",
]
"""What a command or a field asks of whoever wants it. Ordered: each level includes the ones before it."""


CpuSeconds = tuple[float, float]
"""`[user, system]` CPU time in seconds. Sorts and filters by the sum."""


ErrorCode = Literal[
    # The message is not JSON.
    "bad_json",
    # It is JSON, but not a request.
    "bad_request",
    # There is no command of that name; `details.nearest` lists similar ones.
    "unknown_command",
    # A parameter is missing, unknown or of the wrong kind; `details` says which and what was expected.
    "bad_params",
    # What was asked about does not exist (any more).
    "not_found",
    # The pid now belongs to another process.
    "conflict",
    # This connection lacks the access level.
    "unauthorized",
    # The kernel refused.
    "denied",
    # Not built, or not possible on this machine.
    "unsupported",
    # The request is larger than HTTP allows it to be.
    "too_large",
    # More than a limit allows.
    "too_many",
    # It should work, but does not at the moment.
    "unavailable",
    # A mistake of psiod's.
    "internal",
]
"""What went wrong, as a word a program can act on. The list is closed within protocol version 1 as far as clients may
rely on it: codes are only ever added."""


Format = Literal[
    # An array with an object for each row.
    "rows",
    # `{"columns": {field: [value of each row]}, "rows": how many}`: smaller, and faster to parse.
    "columns",
]
"""How rows are written."""


Kind = Literal[
    # Tells something: a pure function of a view.
    "read",
    # Changes something on the machine.
    "action",
    # Changes something about the connection it arrives on.
    "session",
    # Tells something of the past that no single view holds.
    "history",
    # Tells what happens, as it happens: to be subscribed to, not asked for.
    "watch",
]
"""What a command does, which decides what it is given."""


LifecycleKind = Literal[
    # Another process created it (fork, vfork, clone).
    "started",
    # It runs another program from now on. From `sweeps`: it has another name or command line than before, which
    # programs that give themselves a title also cause.
    "exec",
    # The last of its threads has ended.
    "exited",
]
"""What happened to a process."""


Lost = int | None
"""How many events were lost; `null` where that is not known."""


MemoryBytes = tuple[int, int]
"""`[rss, vms]` in bytes: resident set size and virtual memory size. Sorts and filters by rss."""


ProcessStatus = Literal[
    # `R`: running or ready to run.
    "running",
    # `S`: waiting for an event, can be interrupted.
    "sleeping",
    # `D`: waiting, cannot be interrupted.
    "disk-sleep",
    # `T`: stopped by a signal.
    "stopped",
    # `t`: stopped by a debugger.
    "tracing-stop",
    # `Z`: ended, not yet waited for by its parent.
    "zombie",
    # `X` or `x`: being removed.
    "dead",
    # `K`.
    "wake-kill",
    # `W`.
    "waking",
    # `I`: an idle kernel thread.
    "idle",
    # `P`.
    "parked",
    # FreeBSD: holding a lock.
    "locked",
    # FreeBSD: waiting.
    "waiting",
    # A state this version does not know.
    "unknown",
]
"""What a process is doing, in psutil's words (`/proc/PID/stat` field 3)."""


WatchSource = Literal[
    # The kernel tells of each when it happens.
    "proc_connector",
    # Each reading of the process table is compared with the one before.
    "sweeps",
]
"""Where life-cycle events come from."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ApiError(Record):
    """A refusal: the `data` of a message of type `error`."""

    code: ErrorCode
    """What went wrong, for programs."""

    message: str
    """What went wrong and what was expected, for people."""

    details: Any
    """The values the message speaks of, for programs."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Example(Record):
    """A request that shows what a command is for."""

    title: str
    """What it shows."""

    params: dict[str, Any]
    """The parameters, without `name`."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CommandDescription(Record):
    """One command."""

    name: str
    """Its name."""

    kind: Kind
    """What it does."""

    access: Access
    """Who may ask."""

    doc: str
    """Its documentation."""

    key: list[str] | None
    """For commands that list: the fields that tell one row from another."""

    params: Any
    """JSON Schema of its parameters."""

    reply: Any
    """JSON Schema of the `data` of its answer; of an event, where the kind is `watch`."""

    examples: list[Example] = field(metadata=sent_as(None, list_of(Example.from_json)))
    """Requests that work on any machine."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class CpuRow(Record):
    """How one CPU spent the window."""

    num: int
    """The kernel's number of this CPU. Offline CPUs are not listed."""

    usage: float | None
    """Percent of the window in which it was neither idle nor waiting for a disk, 0–100."""

    user: float | None
    """Percent spent on processes in user mode, niced ones included."""

    system: float | None
    """Percent spent in the kernel, interrupts included."""

    iowait: float | None
    """Percent idle while a disk request was outstanding."""

    steal: float | None
    """Percent taken by the hypervisor for others."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SweepStats(Record):
    """How the process table is read."""

    strategy: str
    """`kept` (descriptors held open), `opened` (open, read, close), `mixed` (kept as far as descriptors reach), or the
    source's name where it reads in a way of its own."""

    count: int
    """Sweeps since start."""

    processes: int
    """Processes found by the last sweep."""

    kept: int
    """How many of those were read through kept descriptors."""

    last_us: float
    """Wall time of the last sweep, microseconds."""

    total_us: float
    """Wall time of all sweeps, microseconds."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class DaemonStats(Record):
    """psiod's own figures."""

    version: str
    """Version of psiod."""

    pid: int
    """Its process id."""

    uptime: float
    """Seconds since it started."""

    cpu_seconds: float | None
    """CPU seconds it has used since it started."""

    cpu_percent: float | None
    """Percent of one core it used over the window."""

    rss: int | None
    """Its resident set size in bytes."""

    descriptors: int | None
    """Descriptors it has open."""

    descriptor_limit: int | None
    """Descriptors it may have open."""

    clients: int
    """WebSocket connections open now."""

    requests: int
    """Commands answered since it started, refusals included."""

    subscriptions: int
    """Subscriptions that are being told now."""

    dropped_ticks: int
    """Ticks of subscriptions that came too late or could not be read; each is a gap in somebody's `seq`."""

    source: str
    """Where its figures come from: `linux`, `portable` or `replay`."""

    sweep: SweepStats = field(metadata=sent_as(None, SweepStats.from_json))
    """How processes are read, and what that costs."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Description(Record):
    """What this psiod can be asked."""

    protocol: int
    """Version of the wire protocol."""

    version: str
    """Version of psiod."""

    features: list[str]
    """What of the protocol is built: names of its parts."""

    commands: list[CommandDescription] = field(metadata=sent_as(None, list_of(CommandDescription.from_json)))
    """The commands, ordered by name."""

    defs: Any = field(metadata=sent_as("$defs", None))
    """Schemas that the commands' schemas refer to as `#/$defs/NAME`."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class HostStats(Record):
    """Facts about the machine."""

    hostname: str | None
    """Network name."""

    os: str | None
    """Name and version of the operating system."""

    kernel: str | None
    """Kernel release."""

    architecture: str | None
    """Instruction set, as `uname -m` names it."""

    boot_id: str | None
    """Tells boots of this machine apart."""

    boot_time: int | None
    """Seconds from the epoch to boot."""

    uptime: float
    """Seconds since boot, suspension included."""

    cpu_model: str | None
    """Model of the first CPU."""

    cpu_count: int | None
    """CPUs online, hardware threads counted singly."""

    cpu_cores: int | None
    """Physical cores online."""

    load_average: tuple[float, float, float] | None = field(metadata=sent_as(None, tuple))
    """Runnable and uninterruptible tasks averaged over 1, 5 and 15 minutes."""

    threads_running: int | None
    """Threads runnable now."""

    threads_total: int | None
    """Threads in all."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class LifecycleEvent(Record):
    """Something that happened to a process."""

    event: LifecycleKind
    """What happened."""

    pid: int
    """Process id."""

    started: int | None
    """Clock ticks from boot to its start (`/proc/PID/stat` field 22); `null` where it ended before that was read."""

    ppid: int | None
    """Pid of its parent; 0 for those the kernel started (the event itself; from `sweeps` `/proc/PID/stat` field 4)."""

    name: str | None
    """Name, as `process.getall` tells it: after `exec` the new one, at the end the last one. `null` where it ended
    before that was read."""

    username: str | None
    """Name of the real user; its number where the machine has no name for it; `null` where it ended before that was
    read."""

    cmdline: list[str] | None
    """The program and its arguments, as `process.getall` tells them; `null` where it ended before they were read."""

    exit_code: int | None
    """The exit code, 0–255, of a process that ended by itself; `null` where a signal ended it, where it has not ended,
    and from `sweeps`."""

    signal: int | None
    """Number of the signal that ended it, as in signal(7); `null` where none did, and from `sweeps`."""

    time: float = field(metadata=sent_as(None, seconds))
    """Seconds from the epoch to when it happened; from `sweeps`, to the sweep that noticed it."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class VirtualMemory(Record):
    """Physical memory, in bytes but for `percent`."""

    active: int | None
    """Used recently (`Active`)."""

    available: int | None
    """What could be given to new processes without swapping (`MemAvailable`)."""

    buffers: int | None
    """Cache of raw blocks (`Buffers`)."""

    cached: int | None
    """Cache of files, and what the kernel can reclaim of its own (`Cached` + `SReclaimable`)."""

    free: int | None
    """Used for nothing (`MemFree`)."""

    inactive: int | None
    """Not used recently (`Inactive`)."""

    percent: float | None
    """`(total - available) / total * 100`, to one decimal."""

    shared: int | None
    """Shared memory and tmpfs (`Shmem`)."""

    slab: int | None
    """What the kernel uses for its own structures (`Slab`)."""

    total: int
    """All of it that the kernel can hand out (`MemTotal`)."""

    used: int | None
    """`total - available`."""

    wired: int | None
    """What the kernel can neither reclaim nor swap (`Unevictable` + `SUnreclaim` + `KernelStack` + `PageTables` +
    `Percpu`)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SwapMemory(Record):
    """Swap, in bytes but for `percent`."""

    free: int | None
    """Not used (`SwapFree`)."""

    percent: float | None
    """`used / total * 100`, to one decimal; 0 where there is no swap."""

    sin: int | None
    """Swapped in since boot (`/proc/vmstat` `pswpin`)."""

    sout: int | None
    """Swapped out since boot (`/proc/vmstat` `pswpout`)."""

    total: int | None
    """All of it (`SwapTotal`)."""

    used: int | None
    """`total - free`."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class MemoryStats(Record):
    """Memory of the machine."""

    virtual: VirtualMemory = field(metadata=sent_as(None, VirtualMemory.from_json))
    """Physical memory."""

    swap: SwapMemory = field(metadata=sent_as(None, SwapMemory.from_json))
    """Swap."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ProcessDetail(Record):
    """One process in detail."""

    pid: int
    """Process id. Together with `started` it names a process for ever; alone it may be given out again."""

    name: str
    """Name; where the kernel cut it after 15 bytes, expanded from the command line."""

    username: str | None
    """Name of the real user; its number where the machine has no name for it."""

    status: ProcessStatus
    """What it is doing, in psutil's words."""

    nice: int | None
    """Nice value, −20 (favoured) to 19 (`/proc/PID/stat` field 19)."""

    num_threads: int | None
    """Threads it has (`/proc/PID/stat` field 20)."""

    cpu_percent: float | None
    """CPU used over the window, all its threads together; 100 = one core fully used, so it may exceed 100."""

    cpu_times: CpuSeconds | None = field(metadata=sent_as(None, tuple))
    """`[user, system]` CPU seconds since it started (`/proc/PID/stat` fields 14 and 15)."""

    memory_info: MemoryBytes | None = field(metadata=sent_as(None, tuple))
    """`[rss, vms]` in bytes: memory it holds, address space it has mapped (`/proc/PID/statm` fields 2 and 1)."""

    memory_percent: float | None
    """rss as percent of the machine's memory."""

    started: int
    """Clock ticks from boot to its start (`/proc/PID/stat` field 22)."""

    create_time: float | None
    """Seconds from the epoch to its start."""

    ppid: int
    """Pid of its parent; 0 for those the kernel started (`/proc/PID/stat` field 4)."""

    uid: int | None
    """Real user id (`/proc/PID/status` `Uid`)."""

    cpu_num: int | None
    """The CPU it last ran on (`/proc/PID/stat` field 39)."""

    terminal: str | None
    """Controlling terminal, `null` for most (`/proc/PID/stat` field 7)."""

    cmdline: list[str] | None
    """The program and its arguments; empty for kernel threads and zombies (`/proc/PID/cmdline`)."""

    num_ctx_switches: tuple[int, int] | None = field(metadata=sent_as(None, tuple))
    """`[voluntary, involuntary]`: times its main thread gave up the CPU, and times it was taken from it
    (`/proc/PID/status` `voluntary_ctxt_switches`, `nonvoluntary_ctxt_switches`)."""

    cgroup: str | None
    """Its control group in the unified hierarchy (`/proc/PID/cgroup`, the line that begins `0::`)."""

    oom_score: int | None
    """How likely the kernel is to end it when memory runs out, 0 to about 1000 (`/proc/PID/oom_score`)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ProcessRow(Record):
    """One process."""

    pid: int
    """Process id. Together with `started` it names a process for ever; alone it may be given out again."""

    name: str
    """Name; where the kernel cut it after 15 bytes, expanded from the command line."""

    username: str | None
    """Name of the real user; its number where the machine has no name for it."""

    status: ProcessStatus
    """What it is doing, in psutil's words."""

    nice: int | None
    """Nice value, −20 (favoured) to 19 (`/proc/PID/stat` field 19)."""

    num_threads: int | None
    """Threads it has (`/proc/PID/stat` field 20)."""

    cpu_percent: float | None
    """CPU used over the window, all its threads together; 100 = one core fully used, so it may exceed 100."""

    cpu_times: CpuSeconds | None = field(metadata=sent_as(None, tuple))
    """`[user, system]` CPU seconds since it started (`/proc/PID/stat` fields 14 and 15)."""

    memory_info: MemoryBytes | None = field(metadata=sent_as(None, tuple))
    """`[rss, vms]` in bytes: memory it holds, address space it has mapped (`/proc/PID/statm` fields 2 and 1)."""

    memory_percent: float | None
    """rss as percent of the machine's memory."""

    started: int
    """Clock ticks from boot to its start (`/proc/PID/stat` field 22)."""

    create_time: float | None
    """Seconds from the epoch to its start."""

    ppid: int
    """Pid of its parent; 0 for those the kernel started (`/proc/PID/stat` field 4)."""

    uid: int | None
    """Real user id (`/proc/PID/status` `Uid`)."""

    cpu_num: int | None
    """The CPU it last ran on (`/proc/PID/stat` field 39)."""

    terminal: str | None
    """Controlling terminal, `null` for most (`/proc/PID/stat` field 7)."""

    cmdline: list[str] | None
    """The program and its arguments; empty for kernel threads and zombies (`/proc/PID/cmdline`)."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class WatchedProcess(Record):
    """One living process."""

    pid: int
    """Process id. Together with `started` it names a process for ever; alone it may be given out again."""

    started: int
    """Clock ticks from boot to its start (`/proc/PID/stat` field 22)."""

    ppid: int
    """Pid of its parent; 0 for those the kernel started (`/proc/PID/stat` field 4)."""

    name: str
    """Name; where the kernel cut it after 15 bytes, expanded from the command line."""

    username: str | None
    """Name of the real user; its number where the machine has no name for it."""

    cmdline: list[str] | None
    """The program and its arguments; empty for kernel threads (`/proc/PID/cmdline`)."""

    create_time: float | None
    """Seconds from the epoch to its start."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ProcessWatchEvent(Record):
    """What happened in an interval. A member other than `events` is there only when it has something to say."""

    source: WatchSource | None
    """Where the events come from: in the first event, and again when that changes."""

    lost: Lost | None
    """How many events were lost before this one, `null` where that is not known. `list` then begins anew."""

    list_: list[WatchedProcess] | None = field(metadata=sent_as("list", list_of(WatchedProcess.from_json)))
    """Who lives, ordered by pid, in place of everything told before: it was read after the `events` beside it
    happened."""

    events: list[LifecycleEvent] = field(metadata=sent_as(None, list_of(LifecycleEvent.from_json)))
    """What happened, in order."""
