#!/usr/bin/env python3
"""Tests what sluice-sink refuses, and in which words.

usage: sink_test.py FOLDER    where the program is
"""
import os
import sys
import unittest

sys.dont_write_bytecode = True

from programs import PROGRAMS, Sink, call, perf  # noqa: E402


class Refusals(unittest.TestCase):
    def check(self, status, expected, *flags):
        ran = call(PROGRAMS / "sluice-sink", *flags, timeout=20)
        self.assertEqual((ran.returncode, ran.stdout), (status, ""), (flags, ran.stderr))
        self.assertIn(expected, ran.stderr)

    def test_ports_beyond_the_last(self):
        self.check(2, "3 brokers from 65534 on would need port 65536", "--brokers", 3, "--port", 65534)

    def test_a_core_that_is_not_there(self):
        usable = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
        self.check(2, f"there is no core 1023 for this process; it may use {usable}", "--cpu", 1023)

    def test_a_host_without_an_address(self):
        self.check(1, "--host no.such.host.invalid: ", "--host", "no.such.host.invalid")
        self.check(1, "an IPv4 address of this machine is needed", "--host", "::1")


class Hosts(unittest.TestCase):
    def test_a_name_is_resolved_and_told_to_clients(self):
        with Sink("--host", "localhost") as sink:
            self.assertRegex(sink.address, r"^localhost:\d+$")
            ran = perf("--bootstrap", sink.address, "--records", 100, "--warmup", 0)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertEqual(sink.counts()["records"], 100)


if __name__ == "__main__":
    unittest.main()
