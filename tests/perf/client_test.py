#!/usr/bin/env python3
"""Tests sluice-perf against sluice-sink: what it says of its load is what the sink counted, and what it refuses.

usage: client_test.py FOLDER    where both programs are
"""
import json
import re
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True

from programs import ROOT, Sink, perf  # noqa: E402

KEYS = ["peer", "records", "size", "records_s", "mb_s", "wall_s", "cpu_s", "cpu_s_per_m", "rss_mb", "p50_us", "p95_us", "p99_us",
        "p999_us", "max_us", "errors"]


class Load(unittest.TestCase):
    def check(self, *flags, records=20000, warmup=3000, sink_flags=()):
        with Sink(*sink_flags) as sink:
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
            self.progress = ran.stderr
            return told, counted

    def test_every_record_of_warm_up_and_run_arrives_once(self):
        self.check()

    def test_every_shard_sends_on_a_connection_of_its_own(self):
        _, one = self.check("--shards", 1)
        self.assertIn("measuring: sent by 1 coroutine(s) on 1 shard(s)\n", self.progress)
        _, three = self.check("--shards", 3)
        self.assertIn("measuring: sent by 3 coroutine(s) on 3 shard(s)\n", self.progress)
        self.assertGreaterEqual(three["connections"], one["connections"] + 2)

    def test_every_coroutine_sends_while_others_wait(self):
        # Room for a few batches, answered late: whoever sends soon waits, and the next one gets its turn.
        self.check("--coroutines", 5, "--shards", 2, "--buffer-kb", 256, sink_flags=("--delay-ms", 5))
        self.assertIn("measuring: sent by 10 coroutine(s) on 2 shard(s)\n", self.progress)

    def test_from_a_thread_on_no_loop(self):
        self.check("--caller", "foreign", "--key", 16)
        self.assertIn("measuring: sent by a thread on no loop", self.progress)

    def test_on_epoll_by_try_send_with_partitions_named(self):
        _, counted = self.check("--reactor", "epoll", "--send", "try", "--partitions", 12, "--chunk", 50, sink_flags=["--per-partition"])
        # 23,000 records are 460 chunks: 38 rounds, and 4 chunks.
        self.assertEqual(counted["partitions"]["perf"], [1950] * 4 + [1900] * 8)

    def test_acks(self):
        for acks, idempotent in (("0", False), ("1", False), ("all", True)):
            _, counted = self.check("--acks", acks)
            self.assertEqual([each for each, count in counted["acks"].items() if count > 0], [acks])
            self.assertEqual(counted["idempotent"], counted["batches"] if idempotent else 0, acks)

    def test_without_idempotence(self):
        _, counted = self.check("--idempotence", "off", "--inflight", 8)
        self.assertEqual(counted["idempotent"], 0)

    def test_each_codec_is_what_batches_are_compressed_with(self):
        load = ("--payload", "json", "--size", 1024)
        _, plain = self.check(*load, records=5000, warmup=0)
        self.assertEqual(plain["codecs"]["none"], plain["batches"])
        for codec in ("lz4", "zstd", "snappy", "gzip"):
            _, small = self.check(*load, "--compression", codec, records=5000, warmup=0)
            self.assertEqual(small["codecs"][codec], small["batches"], codec)
            self.assertLess(small["bytes"], plain["bytes"] / 2, codec)

    def test_a_higher_level_makes_it_smaller(self):
        # lz4's 9 is the fast one, as in Kafka.
        for codec, fast, thorough in (("lz4", 9, 12), ("zstd", 1, 12), ("gzip", 1, 9)):
            load = ("--payload", "json", "--size", 1024, "--compression", codec, "--batch", 131072, "--level")
            _, large = self.check(*load, fast, records=5000, warmup=0)
            _, small = self.check(*load, thorough, records=5000, warmup=0)
            self.assertLess(small["bytes"], large["bytes"] * 0.97, codec)

    def test_a_level_is_that_of_a_codec_of_the_configuration_too(self):
        load = ("--payload", "json", "--size", 1024, "-X", "compression.type=gzip", "--level")
        _, large = self.check(*load, 1, records=5000, warmup=0)
        _, small = self.check(*load, 9, records=5000, warmup=0)
        self.assertEqual(small["codecs"]["gzip"], small["batches"])
        self.assertLess(small["bytes"], large["bytes"] * 0.97)

    def test_the_configuration_reaches_the_producer_and_wins(self):
        _, counted = self.check("-X", "batch.size=1000", "--batch", 100000, "-X", "compression.type=lz4", "--compression", "none",
                                "--payload", "json", records=5000, warmup=0)
        self.assertGreater(counted["batches"], 300, "a thousand bytes each, not one for each partition")
        self.assertGreater(counted["codecs"]["lz4"], 0.9 * counted["batches"], "a record alone does not get smaller")

    def test_a_file_is_what_is_sent(self):
        # A value that is always the same shrinks to almost nothing; this one does not.
        with tempfile.NamedTemporaryFile() as same:
            same.write(b"x" * 250)
            same.flush()
            _, counted = self.check("--payload", same.name, "--compression", "lz4", records=5000, warmup=0)
            _, random = self.check("--compression", "lz4", records=5000, warmup=0)
        self.assertLess(counted["bytes"], random["bytes"] / 5)

    def test_samples_none_where_none_is_asked_for(self):
        with Sink() as sink:
            told = json.loads(perf("--bootstrap", sink.address, "--records", 2000, "--warmup", 0, "--sample", 0).stdout)
        self.assertEqual((told["p50_us"], told["max_us"], told["records"]), (None, None, 2000))

    def test_tells_its_progress_each_second(self):
        began = time.monotonic()
        self.check("--rate", 2000, "--linger", 0, records=5000)
        took = time.monotonic() - began
        lines = re.findall(r"^measuring: (\d+) of 5000 records accepted, \d+ records/s$", self.progress, re.M)
        self.assertGreaterEqual(len(lines), 2, "2.5 seconds")
        self.assertLessEqual(len(lines), took)
        counts = [int(each) for each in lines]
        self.assertEqual(counts, sorted(counts))
        self.assertGreater(counts[-1], 0)

    def test_a_rate_is_kept(self):
        told, _ = self.check("--rate", 20000, "--linger", 0, records=10000)
        self.assertGreaterEqual(told["wall_s"], 0.49)  # it is paced; how late it may be is the machine's business

    def test_a_rate_below_the_count_of_shards_is_kept_too(self):
        told, _ = self.check("--rate", 2, "--shards", 3, "--linger", 0, records=3)
        self.assertGreaterEqual(told["wall_s"], 1.0)


class Failures(unittest.TestCase):
    """What was not acknowledged is in no figure."""

    def failing(self, *flags):
        ran = perf(*flags)
        self.assertEqual(ran.returncode, 1, ran.stderr)
        return json.loads(ran.stdout)

    def test_nothing_is_acknowledged_where_nobody_listens(self):
        told = self.failing("--bootstrap", "127.0.0.1:1", "--records", 2000, "--warmup", 200, "-X", "max.block.ms=300")

        self.assertEqual(list(told), KEYS)
        self.assertEqual((told["records"], told["errors"]), (0, 2200))
        self.assertEqual((told["records_s"], told["mb_s"], told["cpu_s_per_m"]), (0, 0, 0))
        self.assertIsNone(told["p50_us"])

    def test_records_are_those_that_the_broker_took_in_the_measured_phase(self):
        for flags in ((), ("--caller", "foreign"), ("--idempotence", "off", "--sample", 1)):
            with Sink("--refuse-after", 9000) as sink:
                told = self.failing("--bootstrap", sink.address, "--records", 20000, "--warmup", 4000, *flags)
                taken = sink.counts()["records"] - 4000
            self.assertGreater(taken, 0)
            self.assertLess(taken, 20000)
            self.assertEqual((told["records"], told["errors"]), (taken, 20000 - taken), flags)
            self.assertAlmostEqual(told["records_s"], taken / told["wall_s"], delta=taken / told["wall_s"] * 0.01)
            self.assertAlmostEqual(told["cpu_s_per_m"], told["cpu_s"] / taken * 1e6, delta=0.01 * told["cpu_s_per_m"] + 0.0001)

    def test_errors_of_the_warm_up_are_told_and_are_not_those_of_the_load(self):
        with Sink("--refuse-after", 0) as sink:
            told = self.failing("--bootstrap", sink.address, "--records", 1000, "--warmup", 3000)
        self.assertEqual((told["records"], told["errors"]), (0, 4000))


class Refusals(unittest.TestCase):
    def check(self, expected, *flags):
        ran = perf(*flags)
        self.assertEqual(ran.returncode, 2, (flags, ran.stderr))
        self.assertIn(expected, ran.stderr)
        self.assertEqual(ran.stdout, "")

    def test_each_names_the_option(self):
        self.check("--bootstrap is missing")
        for expected, *flags in (
                ("--acks: expected one of 0, 1, all, got 'two'", "--acks", "two"), ("--key: expected one of 0, 16", "--key", "17"),
                ("--records", "--records", "-1"), ("--level: compression.zstd.level", "--compression", "zstd", "--level", "99"),
                ("--compression: expected one of none, lz4, zstd, snappy, gzip, got 'brotli'", "--compression", "brotli"),
                ("--idempotence: expected on or off, got 'offf'", "--idempotence", "offf"), ("expected key=value", "-X", "linger.ms"),
                ("linger.ms", "-X", "linger.ms=soon"), ("--payload /no/such: cannot be read", "--payload", "/no/such"),
                ("--payload json", "--payload", "json", "--size", 50), ("'more' is no option", "more")):
            self.check(expected, "--bootstrap", "h:1", *flags)
        self.check("unknown option --frobnicate", "--frobnicate")

    def test_a_file_that_is_shorter_than_a_value(self):
        with tempfile.NamedTemporaryFile() as short:
            short.write(b"99 bytes".ljust(99))
            short.flush()
            self.check("shorter than one value of 100 bytes", "--bootstrap", "h:1", "--payload", short.name)

    def test_what_would_have_no_effect(self):
        self.check("--level: compression none has no levels", "--bootstrap", "h:1", "--level", 3)
        self.check("--level: compression snappy has no levels", "--bootstrap", "h:1", "--level", 3, "--compression", "snappy")
        self.check("--coroutines: no effect with --rate", "--bootstrap", "h:1", "--coroutines", 2, "--rate", 100)
        self.check("--coroutines: no effect with --caller foreign", "--bootstrap", "h:1", "--coroutines", 2, "--caller", "foreign")
        self.check("--send: try has no effect", "--bootstrap", "h:1", "--send", "try", "--caller", "foreign")

    def test_what_the_producer_would_refuse(self):
        self.check("max.in.flight.requests.per.connection", "--bootstrap", "h:1", "--idempotence", "on", "--inflight", 6)
        self.check("acks", "--bootstrap", "h:1", "--acks", 0, "--idempotence", "on")
        self.check("delivery.timeout.ms", "--bootstrap", "h:1", "-X", "delivery.timeout.ms=1")

    def test_help_tells_every_flag(self):
        told = perf("--help").stdout
        known = set(re.findall(r'"(--[a-z-]+|-X)"', (ROOT / "perf/client/settings.cpp").read_text()))
        self.assertGreater(len(known), 25)
        for flag in known:
            self.assertRegex(told, rf"(?m)^  .*{flag}( |$)", flag)


if __name__ == "__main__":
    unittest.main()
