"""The programs under test, and a sink for one test."""
import json
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(sys.argv.pop(1)).resolve()


class Sink:
    """A sink for one test; what it counted when it was stopped."""

    def __init__(self, *flags):
        self.flags = ["--topics", "perf:12", *map(str, flags)]

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAMS / "sluice-sink", *self.flags], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        return self

    def counts(self):
        self.process.send_signal(signal.SIGTERM)
        told, _ = self.process.communicate(timeout=60)
        return json.loads(told)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def call(program, *arguments, timeout=120):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def perf(*arguments):
    return call(PROGRAMS / "sluice-perf", *arguments)
