"""What the frozen process.getall tells of a process, by psutil's names."""

FIELDS = [
    "pid",
    "name",
    "username",
    "status",
    "nice",
    "num_threads",
    "cpu_percent",
    "cpu_times",
    "memory_info",
    "memory_percent",
]
