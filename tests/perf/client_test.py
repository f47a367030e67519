#!/usr/bin/env python3
"""Tests sluice-perf against sluice-sink: what it says of its load is what the sink counted, and what it refuses.

usage: client_test.py FOLDER    where both programs are
"""
import json
import signal
import subprocess
import sys
import unittest
from pathlib import Path

PROGRAMS = Path(sys.argv.pop(1)).resolve()
KEYS = ["peer", "records", "size", "records_s", "mb_s", "wall_s", "cpu_s", "cpu_s_per_m", "rss_mb", "p50_us", "p95_us", "p99_us",
        "p999_us", "max_us", "errors"]


class Sink:
    """A sink for one test; what it counted when it was stopped."""

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAMS / "sluice-sink", "--topics", "perf:12"], stdout=subprocess.PIPE, text=True)
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


def perf(*arguments):
    return subprocess.run([PROGRAMS / "sluice-perf", *map(str, arguments)], capture_output=True, text=True, timeout=120)


class Load(unittest.TestCase):
    def check(self, *flags, records=20000, warmup=3000):
        with Sink() as sink:
            ran = perf("--bootstrap", sink.address, "--records", records, "--warmup", warmup, "--sample", 10, *flags)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(ran.stdout.count("\n"), 1)
            told = json.loads(ran.stdout)
            self.assertEqual(list(told), KEYS)
            self.assertEqual((told["peer"], told["records"], told["errors"]), ("sluice", records, 0))
            self.assertGreater(told["records_s"], 0)
            self.assertLessEqual(told["p50_us"], told["p95_us"])
            self.assertLessEqual(told["p999_us"], told["max_us"] * 1.02)
            counted = sink.counts()
            self.assertEqual(counted["records"], records + warmup)
            return told, counted

    def test_every_record_of_warm_up_and_run_arrives_once(self):
        self.check()

    def test_from_several_coroutines_and_shards(self):
        self.check("--shards", 3, "--coroutines", 5)

    def test_from_a_thread_on_no_loop(self):
        self.check("--caller", "foreign", "--key", 16)

    def test_on_epoll_by_try_send_with_partitions_named(self):
        self.check("--reactor", "epoll", "--send", "try", "--partitions", 12, "--chunk", 50)

    def test_without_acknowledgements(self):
        self.check("--acks", 0, "--idempotence", "off")

    def test_json_shrinks_by_compression(self):
        _, plain = self.check("--payload", "json", "--size", 1024)
        _, small = self.check("--payload", "json", "--size", 1024, "--compression", "zstd", "--level", 3)
        self.assertLess(small["bytes"], plain["bytes"] / 2)

    def test_a_rate_is_kept(self):
        told, _ = self.check("--rate", 20000, "--linger", 0, records=10000)
        self.assertGreaterEqual(told["wall_s"], 0.49)  # it is paced; how late it may be is the machine's business

    def test_a_rate_below_the_count_of_shards_is_kept_too(self):
        told, _ = self.check("--rate", 2, "--shards", 3, "--linger", 0, records=3)
        self.assertGreaterEqual(told["wall_s"], 1.0)


class Refusals(unittest.TestCase):
    def check(self, expected, *flags):
        ran = perf(*flags)
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn(expected, ran.stderr)
        self.assertEqual(ran.stdout, "")

    def test_each_names_the_option(self):
        self.check("--bootstrap is missing")
        self.check("--acks", "--bootstrap", "h:1", "--acks", "two")
        self.check("--key", "--bootstrap", "h:1", "--key", "17")
        self.check("--records", "--bootstrap", "h:1", "--records", "-1")
        self.check("--level", "--bootstrap", "h:1", "--compression", "zstd", "--level", "99")
        self.check("compression.type", "--bootstrap", "h:1", "--compression", "brotli")
        self.check("unknown option --frobnicate", "--frobnicate")
        self.check("is no option", "--bootstrap", "h:1", "more")

    def test_help_tells_every_flag(self):
        told = perf("--help").stdout
        for flag in ("--bootstrap", "--payload", "--chunk", "--rate", "--sample", "--inflight", "--buffer-kb", "--coroutines", "--pin"):
            self.assertIn(flag, told)


if __name__ == "__main__":
    unittest.main()
