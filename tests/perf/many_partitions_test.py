#!/usr/bin/env python3
"""Tests perf/end_to_end/many_partitions: what it prints for a few partitions, and what it refuses.

usage: many_partitions_test.py FOLDER    where the program is
"""
import json
import sys
import unittest

sys.dont_write_bytecode = True

from programs import PROGRAMS, call  # noqa: E402

KEYS = ["partitions", "active", "records", "repeat", "few_cpu_ns", "many_cpu_ns", "ratio", "ratio_min", "ratio_max", "resident",
        "heap", "heap_of_metadata", "heap_of_queue"]


def many_partitions(*flags):
    return call(PROGRAMS / "many_partitions", *flags)


class ManyPartitions(unittest.TestCase):
    def test_prints_a_line_for_each_count_of_partitions(self):
        ran = many_partitions("--partitions", "1,30", "--active", 4, "--records", 2000, "--repeat", 3)

        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        told = [json.loads(line) for line in ran.stdout.splitlines()]
        self.assertEqual([(each["partitions"], each["active"]) for each in told], [(1, 1), (30, 4)])
        for each in told:
            self.assertEqual(list(each), KEYS)
            self.assertEqual((each["records"], each["repeat"]), (2000, 3))
            # It ends only when the broker took all records: flush and close throw otherwise.
            self.assertGreater(min(each["few_cpu_ns"], each["many_cpu_ns"]), 1)
            self.assertLessEqual(each["ratio_min"], each["ratio"])
            self.assertLessEqual(each["ratio"], each["ratio_max"])
        self.assertGreater(told[1]["heap"], 0, "a partition takes something")

    def test_explains_itself(self):
        ran = many_partitions("--help")
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        for flag in ("--partitions", "--active", "--records", "--repeat"):
            self.assertIn(flag, ran.stdout)

    def test_refuses_what_makes_no_sense(self):
        for flags in (("--partitions", "0"), ("--records", "5"), ("--frobnicate",), ("more",)):
            ran = many_partitions(*flags)
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), flags)
            self.assertIn("many_partitions: ", ran.stderr)


if __name__ == "__main__":
    unittest.main()
