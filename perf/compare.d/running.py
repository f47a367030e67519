"""One run: a broker on one core, a client on another, and the proof that every record arrived."""
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

from cases import Mistake

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 120  # seconds, above what the rate asks for
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A run that counts for nothing."""


def our_program(programs, name):
    program = programs / name
    if not program.exists():
        raise Mistake(f"{program} is not there: tools/dev build release {name}")
    return str(program)


def command_of(contestant, programs):
    """What is run, without wrappers. Builds a peer the first time."""
    if contestant.program == "sluice":
        return [our_program(programs, "sluice-perf")]
    if "/" in contestant.program:
        return [contestant.program]
    done = subprocess.run([ROOT / "perf" / "peers" / "run", "--command", contestant.program],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Mistake(f"{contestant.name} cannot be built; --contestants leaves it out")
    return done.stdout.splitlines()


def payload_file(size):
    return subprocess.run([ROOT / "perf" / "payload", "--size", size], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def last_json(text):
    """The last line that is a JSON object; None without one."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                return None
    return None


def machine_busy_seconds():
    with open("/proc/stat") as stat:
        fields = [int(word) for word in stat.readline().split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICKS


class Sink:
    """A fresh sluice-sink, on its core."""
    title = "sluice-sink"
    can_be_late = True

    def __init__(self, core, programs):
        self.core = core
        self.program = our_program(programs, "sluice-sink")

    def open(self, case):
        self.process = subprocess.Popen(
            [self.program, "--cpu", str(self.core), "--partitions", str(case.partitions), "--delay-ms", str(case.sink_delay_ms)],
            stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()
        if not self.bootstrap:
            raise Failed("the sink did not start")
        self.topic = "perf"

    def close(self):
        """What it got."""
        self.process.send_signal(signal.SIGTERM)
        told = last_json(self.process.communicate(timeout=30)[0])
        if told is None:
            raise Failed("the sink told nothing")
        return told

    def end(self):
        pass


class Kafka:
    """A real broker, on the sink's core; a new topic for each run, whose end offsets are what arrived."""
    can_be_late = False

    def __init__(self, core, _programs):
        self.count = 0
        self.tool = ROOT / "tools" / "kafka"
        told = subprocess.run([self.tool, "up", "--port", "free", "--pin", str(core)], stdout=subprocess.PIPE, text=True)
        if told.returncode != 0:
            raise Mistake("tools/kafka up failed")
        settings = dict(line.removeprefix("export ").split("=", 1) for line in told.stdout.splitlines() if "=" in line)
        self.port = settings["KAFKA_PORT"].strip("'\";")
        self.bootstrap = settings["KAFKA_BOOTSTRAP"].strip("'\";")
        self.title = f"Apache Kafka {settings['KAFKA_VERSION'].strip(chr(39) + chr(34) + ';')}"

    def call(self, *words):
        subprocess.run([self.tool, *words, "--port", self.port], stdout=subprocess.DEVNULL, check=True)

    def open(self, case):
        self.count += 1
        self.topic = f"perf-{self.count}"
        self.partitions = case.partitions
        self.call("topic", "create", self.topic, "-p", str(case.partitions))

    def close(self):
        records = sum(end_offsets(self.bootstrap, self.topic, self.partitions))
        self.call("topic", "delete", self.topic)
        return {"records": records}

    def end(self):
        self.call("down")


def end_offsets(bootstrap, topic, partitions):
    """ListOffsets, version 1, from the one broker that leads all partitions."""
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    name = topic.encode()
    body = struct.pack(">iih", -1, 1, len(name)) + name + struct.pack(">i", partitions)
    body += b"".join(struct.pack(">iq", partition, -1) for partition in range(partitions))
    request = struct.pack(">hhih", 2, 1, 1, -1) + body
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answers = connection.makefile("rb")
        answer = answers.read(struct.unpack(">i", answers.read(4))[0])
    at = 4 + 4 + 2 + len(name) + 4
    found = []
    for _ in range(partitions):
        _, error, _, offset = struct.unpack_from(">ihqq", answer, at)
        at += 22
        if error:
            raise Failed(f"ListOffsets: error {error}")
        found.append(offset)
    return found


def check(values, client, broker, ended=None):
    """Every record asked for was acknowledged, and arrived once; `ended` says how the client did if not well."""
    records, warmup = int(values.get("--records", 1_000_000)), int(values.get("--warmup", 100_000))
    if client is None:
        raise Failed(ended or "the client printed no line of JSON")
    if client["records"] != records:
        raise Failed(f"{client['records']} of {records} records were acknowledged" + (f"; {ended}" if ended else ""))
    if client["errors"] != 0:
        raise Failed(f"{client['errors']} records failed" + (f"; {ended}" if ended else ""))
    if ended:
        raise Failed(ended)
    if broker["records"] != records + warmup:
        raise Failed(f"{broker['records']} records arrived, {records + warmup} were sent")


def run_client(words, environment, patience):
    """Its standard output, how it ended if not well, its CPU seconds, the machine's meanwhile, and how long it took."""
    busy, begin = machine_busy_seconds(), time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as progress:
        process = subprocess.Popen(words, stdout=out, stderr=progress, env={**os.environ, **environment})
        status, ended = None, os.pidfd_open(process.pid)
        try:
            # Not a loop that looks every few milliseconds: it would run on the client's core, or the sink's.
            if not select.select([ended], [], [], patience)[0]:
                raise Failed(f"no end after {patience:.0f} s")
            _, status, used = os.wait4(process.pid, 0)
        finally:
            os.close(ended)
            if status is None:
                process.kill()
                process.wait()
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begin
        busy = machine_busy_seconds() - busy
        out.seek(0)
        text = out.read()
        ended = None
        if process.returncode != 0:
            progress.seek(0)
            lines = [line for line in progress.read().splitlines() if line.strip()]
            ended = f"exit status {process.returncode}: {lines[-1] if lines else 'nothing on stderr'}"
    return text, ended, used.ru_utime + used.ru_stime, busy, took


def run(broker, case, contestant, command, values, pairs, cores, wrapper=()):
    """The client's line, the broker's, and how much of the machine others used."""
    values = dict(values)
    if values.get("--payload") == "json":
        values["--payload"] = payload_file(values["--size"])
    broker.open(case)
    try:
        values |= {"--bootstrap": broker.bootstrap, "--topic": broker.topic}
        words = ["taskset", "-c", cores, *wrapper, *command, *(word for pair in values.items() for word in pair), *pairs]
        rate = int(values.get("--rate", 0))
        patience = PATIENCE + (int(values.get("--records", 1_000_000)) / rate if rate else 0)
        text, ended, client_cpu, busy, took = run_client(words, contestant.environment, patience)
    finally:
        told = broker.close()
    client = last_json(text)
    check(values, client, told, ended)
    others = None
    if "cpu_s" in told:
        others = max(0.0, busy - client_cpu - told["cpu_s"]) / (took * (os.cpu_count() or 1))
    return client, told, others


def count_syscalls(broker, case, contestant, command, values, pairs, cores):
    """System calls per million records: what twice the records take more than once, so that start-up is left out."""
    records = int(values["--records"])
    counted = []
    with tempfile.TemporaryDirectory() as folder:
        for factor in (1, 2):
            path = Path(folder, str(factor))
            more = dict(values) | {"--records": str(records * factor)}
            if counts_by_tracepoint():
                wrapper = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o", str(path)]
            elif shutil.which("strace"):
                wrapper = ["strace", "-f", "-c", "-o", str(path)]
            else:
                raise Mistake("counting system calls needs perf or strace: tools/install-packages perf")
            client, told, _ = run(broker, case, contestant, command, more, pairs, cores, wrapper)
            counted.append(calls_in(path.read_text()))
    return {**client, "syscalls_per_m": max(0.0, counted[1] - counted[0]) / records * 1e6}, told, None


def calls_in(report):
    """The total, from `perf stat -x,` or `strace -c`."""
    for line in report.splitlines():
        if "raw_syscalls:sys_enter" in line:
            return int(float(line.split(",")[0]))
        words = line.split()
        if words and words[-1] == "total":
            return int(words[3])
    raise Failed("the system calls were not counted")


def counts_by_tracepoint():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "true"], capture_output=True, text=True)
    return done.returncode == 0 and done.stderr.split(",")[0].isdigit()
