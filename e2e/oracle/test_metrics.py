"""`/metrics`, as promtool judges it and as a real Prometheus scrapes it; and the Grafana dashboard over it."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import psutil
import pytest
import recorded
from children import Burner, Child
from daemon import PATIENCE, PSIOD, Psiod, until
from test_http import ask

DASHBOARD = Path(__file__).parents[2] / "docs/grafana.json"
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
NASTY = b'a"b\\c\nd {x="1"}'
TOP = 5


class Prometheus:
    """A Prometheus that scrapes one psiod every second."""

    def __init__(self, folder, psiod):
        self.instance = f"127.0.0.1:{psiod.port}"
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
            f"scrape_configs: [{{job_name: psio, static_configs: [{{targets: ['{self.instance}']}}]}}]\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder / "log"
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        command.append(f"--web.listen-address=127.0.0.1:{self.port}")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def get(self, path, **params):
        """The `data` of an answer of its API; `None` while it is not there yet."""
        assert self.process.poll() is None, self.log.read_text()
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(params)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            # 503 until it has started; anything else it says of the query.
            assert refused.code == 503, refused.read()
        except urllib.error.URLError:
            pass
        return None

    def query(self, expression):
        """What an expression gives now: each series's labels and value."""
        answer = self.get("query", query=expression)
        return [(series["metric"], float(series["value"][1])) for series in answer["result"]] if answer else []

    def value(self, expression):
        """The value of an expression that gives one, once it does."""
        ((_, value),) = until(lambda: self.query(expression), f"Prometheus knows {expression}")
        return value

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def scraped():
    """psiod that tells its top processes, two of them ours: one busy, one oddly named and large."""
    psiod, busy = Psiod("--metrics-processes", str(TOP)), Burner(0.5)
    nasty = Child("rename(sys.argv[1].encode())\nheld = b'x' * (1 << 29)", NASTY.decode())
    try:
        yield psiod, busy, nasty
    finally:
        busy.end()
        nasty.end()
        psiod.stop_well()


@pytest.fixture(scope="module")
def prometheus(scraped, tmp_path_factory):
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), scraped[0])
    try:
        # Four scrapes: enough for a rate over the last five seconds.
        what = "Prometheus has scraped psiod four times"
        until(lambda: server.query("count_over_time(psio_load1[1m]) >= 4"), what, patience=2 * PATIENCE, pause=0.1)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """psiod with a recorded machine that knows neither its wired memory nor its swap."""
    machine = recorded.write(tmp_path_factory.mktemp("machine") / "still.jsonl")
    psiod = Psiod("--replay", str(machine), "--metrics-processes", "2")
    yield psiod
    psiod.stop_well()


def series(psiod):
    """Every series of the older format with its value."""
    lines = ask(psiod, "/metrics").body.decode().split("\n")
    samples = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def names(psiod):
    return {name.partition("{")[0] for name in series(psiod)}


def test_promtool_has_nothing_to_say(scraped):
    done = subprocess.run(["promtool", "check", "metrics"], input=ask(scraped[0], "/metrics").body, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_promtool_reads_any_name_of_a_process(still):
    done = subprocess.run(["promtool", "check", "metrics"], input=ask(still, "/metrics").body, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("accept", [OPENMETRICS, "application/openmetrics-text"])
def test_who_asks_for_openmetrics_gets_it(psiod, accept):
    answer = ask(psiod, "/metrics", Accept=accept)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.body.endswith(b"\n# EOF\n")
    assert b"# TYPE psio_cpu_seconds counter\n# UNIT psio_cpu_seconds seconds\npsio_cpu_seconds_total{" in answer.body


@pytest.mark.parametrize("accept", ["*/*", "text/plain;version=0.0.4", "application/openmetrics-text;q=0"])
def test_everybody_else_gets_the_older_format(psiod, accept):
    answer = ask(psiod, "/metrics", Accept=accept)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE psio_cpu_seconds_total counter\n" in answer.body
    assert b"# EOF" not in answer.body and b"# UNIT" not in answer.body


def test_both_formats_tell_the_same_series(still):
    def told(accept):
        lines = ask(still, "/metrics", Accept=accept).body.decode().split("\n")
        return {line.rpartition(" ")[0] for line in lines if line and not line.startswith("#")}

    assert told(OPENMETRICS) == told("*/*")


def test_prometheus_scrapes_it_without_complaint(prometheus):
    assert prometheus.value("up") == 1
    (target,) = prometheus.get("targets")["activeTargets"]
    assert target["lastError"] == ""
    metadata = prometheus.get("metadata")
    # It knows the units only from OpenMetrics.
    assert metadata["psio_memory_total_bytes"][0]["unit"] == "bytes"
    assert metadata["psio_cpu_seconds"][0]["type"] == "counter"


def test_prometheus_keeps_every_series(scraped, prometheus):
    kept = {labels["__name__"] for labels, _ in prometheus.query('{__name__=~"psio_.+"}')}
    assert kept == names(scraped[0])


def test_memory_in_prometheus_is_what_psutil_says(prometheus):
    assert prometheus.value("psio_memory_total_bytes") == psutil.virtual_memory().total
    assert prometheus.value("psio_swap_total_bytes") == psutil.swap_memory().total

    def near():
        telling = psutil.virtual_memory()
        parts = ["available", "free", "cached", "active", "inactive", "slab"]
        off = {part: prometheus.value(f"psio_memory_{part}_bytes") - getattr(telling, part) for part in parts}
        return all(abs(difference) < 64 << 20 for difference in off.values())

    # Others may move memory between a scrape and our look.
    until(near, "Prometheus and psutil agree about memory", pause=0.2)


CPU_MODES = ["user", "nice", "system", "idle", "irq", "softirq", "steal"]
"""All but `iowait`, which may decrease."""


def test_cpu_time_is_what_psutil_says(scraped):
    before = psutil.cpu_times(percpu=True)

    def told_since():
        found = cpu_times(scraped[0])
        return found if all(found[key] >= least for key, least in by_cpu_and_mode(before).items()) else None

    told = until(told_since, "psiod has read the CPUs anew")
    after = by_cpu_and_mode(psutil.cpu_times(percpu=True))
    assert [key for key, most in after.items() if told[key] > most] == []


def by_cpu_and_mode(times):
    return {(cpu, mode): getattr(of_cpu, mode) for cpu, of_cpu in enumerate(times) for mode in CPU_MODES}


def cpu_times(psiod):
    pattern = re.compile(r'psio_cpu_seconds_total\{cpu="(\d+)",mode="(\w+)"\}')
    matches = ((pattern.fullmatch(name), value) for name, value in series(psiod).items())
    return {(int(match[1]), match[2]): value for match, value in matches if match}


def test_the_host_in_prometheus_is_what_psutil_says(prometheus):
    assert prometheus.value("psio_boot_time_seconds") == psutil.boot_time()
    assert prometheus.value("psio_cpus") == psutil.cpu_count()
    ((labels, _),) = prometheus.query("psio_host_info")
    assert labels["hostname"] == socket.gethostname()


def test_psiods_own_figures_are_its_own(scraped, prometheus):
    process = psutil.Process(scraped[0].pid)
    cpu_before = prometheus.value("psio_daemon_cpu_seconds_total")
    used = process.cpu_times()
    # A clock tick of difference between two ways of reading the same clock.
    assert cpu_before <= used.user + used.system + 0.02
    resident = prometheus.value("psio_daemon_resident_memory_bytes")
    assert resident == pytest.approx(process.memory_info().rss, rel=0.2)
    assert prometheus.value("psio_daemon_sweeps_total") > 3


def test_processes_add_up(prometheus):
    assert prometheus.value("sum(psio_processes)") == pytest.approx(len(psutil.pids()), abs=20)
    assert prometheus.value("psio_threads") >= prometheus.value("sum(psio_processes)")


def test_a_busy_process_is_among_the_top(scraped, prometheus):
    pid = scraped[1].pid
    assert 0.2 < prometheus.value(f'psio_process_cpu_usage_ratio{{pid="{pid}"}}') < 0.9
    used = psutil.Process(pid).cpu_times()
    assert prometheus.value(f'psio_process_cpu_seconds_total{{pid="{pid}"}}') <= used.user + used.system + 0.02


def test_a_large_process_is_among_the_top_under_its_name_whatever_that_is(scraped, prometheus):
    ((labels, resident),) = prometheus.query(f'psio_process_resident_memory_bytes{{pid="{scraped[2].pid}"}}')
    assert labels["name"] == NASTY[:15].decode()
    assert labels["username"] == psutil.Process(scraped[2].pid).username()
    assert resident >= 1 << 29


def test_no_more_processes_are_told_than_were_asked_for(scraped, still):
    for psiod, top in [(scraped[0], TOP), (still, 2)]:
        told = [name for name in series(psiod) if name.startswith("psio_process_resident_memory_bytes")]
        assert top <= len(told) <= 2 * top


def test_no_process_is_told_unless_asked_for(psiod):
    assert [name for name in names(psiod) if name.startswith("psio_process_")] == []


@pytest.mark.parametrize("count", ["-1", "1001", "many", "1.5", ""])
def test_a_senseless_number_of_processes_is_refused_at_start(count):
    done = subprocess.run([PSIOD, "--port", "0", f"--metrics-processes={count}"], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert b"expected a number from 0 to 1000" in done.stderr


def test_what_the_machine_does_not_know_is_left_out(still):
    found = series(still)
    assert found["psio_memory_slab_bytes"] == recorded.MEMORY["slab"]
    assert found["psio_load1"] == recorded.LOAD[0]
    assert [name for name in found if "wired" in name or "swap" in name] == []


def test_a_source_without_cpu_seconds_tells_usage_alone(start):
    told = names(start("--source", "portable"))
    assert "psio_cpu_usage_ratio" in told and "psio_cpu_seconds_total" not in told


def test_a_machine_of_which_only_a_part_is_known_is_told_in_part(start, tmp_path):
    snapshots = [recorded.snapshot(second) for second in (0, 1)]
    for snapshot in snapshots:
        del snapshot["processes"], snapshot["host"]
    path = tmp_path / "part.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [{"psio_recording": 1}, *snapshots]))
    told = names(start("--replay", str(path)))
    assert "psio_memory_total_bytes" in told and "psio_daemon_uptime_seconds" in told
    assert "psio_processes" not in told and "psio_load1" not in told


def expressions():
    """Every expression of the dashboard, by the title of its panel."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel.get("targets", [])]


def test_the_dashboard_has_what_grafana_wants_of_one():
    board = json.loads(DASHBOARD.read_text())
    assert board["title"] == "psio" and board["schemaVersion"] >= 36
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "instance"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] and place["x"] + place["w"] <= 24
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"


def test_no_panels_of_the_dashboard_overlap():
    covered = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        across, down = (range(place[start], place[start] + place[size]) for start, size in ["xw", "yh"])
        cells = {(x, y) for x in across for y in down}
        assert not covered & cells, panel["title"]
        covered |= cells


def test_the_dashboard_names_only_metrics_that_there_are(scraped):
    board = DASHBOARD.read_text()
    # `psio_build_info` stands in the definition of a variable.
    named = {name for _, expression in expressions() for name in re.findall(r"psio_\w+", expression)}
    named.add("psio_build_info")
    assert set(re.findall(r"psio_\w+", board)) == named
    assert named - names(scraped[0]) == set()
    assert len(named) > 30


@pytest.mark.parametrize("panel, expression", expressions(), ids=lambda text: text[:40])
def test_every_expression_of_the_dashboard_gives_something(prometheus, panel, expression):
    filled = expression.replace("$instance", prometheus.instance).replace("$__rate_interval", "5s")
    assert "$" not in filled
    until(lambda: prometheus.query(filled), f"{panel}: {filled}")
