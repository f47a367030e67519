#!/usr/bin/env python3
"""Tests that sluice-perf and the peers take one set of flags: that of perf/README.md. A peer that is not built is skipped.

usage: peers_test.py FOLDER    where sluice-perf and sluice-sink are
"""
import json
import re
import sys
import unittest

sys.dont_write_bytecode = True

from programs import PROGRAMS, ROOT, Sink, call  # noqa: E402

RUN = ROOT / "perf/peers/run"
FIELDS = {"peer", "records", "size", "records_s", "mb_s", "wall_s", "cpu_s", "cpu_s_per_m", "rss_mb", "p50_us", "p95_us", "p99_us",
          "p999_us", "max_us", "errors"}


def documented():
    """The flags of perf/README.md with their values ("--acks 0|1|all"), and their defaults."""
    text = (ROOT / "perf/README.md").read_text().split("## One set of flags")[1].split("\n## ")[0].replace("\\|", "\0")
    rows = re.findall(r"^\| `(-[^`]+)` \|([^|]*)\|", text, re.M)
    return {flag.replace("\0", "|"): default.strip().replace(",", "") for flag, default in rows}


class OneSetOfFlags:
    """For each program; `program` is its command."""

    def run_program(self, *flags):
        return call(*self.program, *flags)

    def load(self, *flags, status=0, sink_flags=()):
        with Sink("--per-partition", *sink_flags) as sink:
            ran = self.run_program("--bootstrap", sink.address, *flags)
            self.assertEqual(ran.returncode, status, ran.stderr)
            return json.loads(ran.stdout), sink.counts()

    def refused(self, expected, *flags):
        ran = self.run_program("--bootstrap", "127.0.0.1:1", *flags)
        self.assertEqual((ran.returncode, ran.stdout), (2, ""), (flags, ran.stderr))
        self.assertIn(expected, ran.stderr)
        self.assertEqual(ran.stderr.count("\n"), 1, ran.stderr)

    def test_help_tells_each_flag_with_the_default_that_is_documented(self):
        ran = self.run_program("--help")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        told = dict(re.findall(r"^  (-\S+ ?\S*)(.*(?:\n   .*)*)", ran.stdout, re.M))
        flags = documented()
        self.assertEqual(len(flags), 20)
        for flag, default in flags.items():
            self.assertIn(flag, told)
            if re.fullmatch(r"\w+", default):
                self.assertIn(f"({default})", told[flag], flag)

    def test_defaults_are_those_that_are_documented(self):
        told, counted = self.load("--records", 2400, "--warmup", 0)
        self.assertEqual((told["records"], told["size"], told["errors"]), (2400, 100, 0))
        self.assertLessEqual(FIELDS, set(told))
        self.assertEqual(counted["partitions"]["perf"], [200] * 12, "topic perf, twelve partitions in turn")
        self.assertIsNotNone(told["p50_us"])
        self.assertEqual(counted["idempotent"], counted["batches"])
        self.assertEqual(counted["codecs"]["none"], counted["batches"])

    def test_partitions_go_on_from_the_warm_up(self):
        _, counted = self.load("--warmup", 6, "--records", 6)
        self.assertEqual(counted["partitions"]["perf"], [1] * 12)

    def test_acks_alone_say_whether_it_is_idempotent(self):
        for acks in ("0", "1"):
            told, counted = self.load("--acks", acks, "--records", 1000, "--warmup", 10)
            self.assertEqual((told["records"], counted["records"]), (1000, 1010))
            self.assertEqual([each for each, count in counted["acks"].items() if count > 0], [acks])
            self.assertEqual(counted["idempotent"], 0)

    def test_no_partitions_and_no_samples_are_allowed(self):
        told, counted = self.load("--partitions", 0, "--sample", 0, "--records", 1000, "--warmup", 10)
        self.assertEqual((told["p50_us"], told["max_us"]), (None, None))
        self.assertEqual(counted["records"], 1010)

    def test_each_codec_and_level(self):
        for codec in ("lz4", "zstd", "snappy", "gzip"):
            _, counted = self.load("--payload", "json", "--size=1024", "--compression", codec, "--records", 2000, "--warmup", 0,
                                   "--chunk", 200, "--linger", 50)
            self.assertEqual(counted["codecs"][codec], counted["batches"], codec)
            self.assertLess(counted["bytes"], 1_000_000, codec)
        sizes = [self.load("--payload=json", "--size", 1024, "--compression", "gzip", "--level", level, "--records", 2000, "--warmup", 0,
                           "--chunk", 200, "--linger", 50, "--batch", 100000)[1]["bytes"] for level in (1, 9)]
        self.assertLess(sizes[1], sizes[0])

    def test_records_are_those_that_were_acknowledged(self):
        told, counted = self.load("--idempotence", "off", "--records", 20000, "--warmup", 1000, "--sample", 1, status=1,
                                  sink_flags=("--refuse-after", 5000))
        self.assertEqual(told["records"], counted["records"] - 1000)
        self.assertEqual(told["errors"], 21000 - counted["records"])
        self.assertGreater(told["records"], 0)

    def test_nothing_acknowledged_is_no_rate(self):
        told, _ = self.load("--idempotence", "off", "--records", 100, "--warmup", 50, status=1, sink_flags=("--refuse-after", 0))
        self.assertEqual((told["records"], told["records_s"], told["cpu_s_per_m"], told["errors"]), (0, 0, 0, 150))

    def test_bad_values_are_refused_with_those_that_are_allowed(self):
        self.refused("0, 1, all", "--acks", "2")
        self.refused("on", "--idempotence", "offf")
        self.refused("none, lz4, zstd, snappy, gzip", "--compression", "brotli")
        self.refused("0, 16", "--key=17")
        for flag, least in (("records", 1), ("warmup", 0), ("size", 1), ("partitions", 0), ("chunk", 1), ("rate", 0), ("sample", 0)):
            self.refused(f"option --{flag}: '-1' is not a whole number from {least} to ", f"--{flag}", -1)
        self.refused("99", "--compression", "zstd", "--level", 99)
        self.refused("--level: compression none has no levels", "--level", 3)
        self.refused("--payload /no/such: cannot be read", "--payload", "/no/such")
        self.refused("key=value", "-X", "nothing")
        self.refused("unknown option --frobnicate", "--frobnicate", "1")

    def test_combinations_that_contradict_themselves_are_refused(self):
        self.refused("acks", "--acks", "0", "--idempotence", "on")
        self.refused("5", "--idempotence", "on", "--inflight", "6")

    def test_the_cluster_is_needed(self):
        ran = self.run_program("--records", "5")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("--bootstrap is missing", ran.stderr)


class Sluice(OneSetOfFlags, unittest.TestCase):
    program = [PROGRAMS / "sluice-perf"]


class Peer(OneSetOfFlags):
    @classmethod
    def setUpClass(cls):
        asked = call(RUN, "--is-built", cls.name)
        if asked.returncode != 0:
            raise unittest.SkipTest(asked.stderr.strip())
        cls.program = [RUN, cls.name]


class Librdkafka(Peer, unittest.TestCase):
    name = "librdkafka"


class LibrdkafkaDebian(Peer, unittest.TestCase):
    name = "librdkafka-debian"


class FranzGo(Peer, unittest.TestCase):
    name = "franz-go"

    def test_levels_of_zstd_are_zstds(self):
        # Its own levels are 1 to 4, where 3 is what zstd calls 7.
        sizes = [self.load("--payload", "json", "--size", 1024, "--compression", "zstd", "--level", level, "--records", 2000, "--warmup", 0,
                           "--chunk", 200, "--linger", 50)[1]["bytes"] for level in (3, 4, 7)]
        self.assertAlmostEqual(sizes[0], sizes[1], delta=0.002 * sizes[1])
        self.assertLess(sizes[2], 0.99 * sizes[1])


class Java(Peer, unittest.TestCase):
    name = "java"


if __name__ == "__main__":
    unittest.main()
