#!/usr/bin/env python3
"""Tests of perf/instruction_counts: would it notice? usage: instruction_counts_test.py

Callgrind and the program are stand-ins here, so that a run takes no time; the real ones are the test `instruction_counts`.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "perf/instruction_counts"
PROGRAM = """#!/bin/sh
case $1 in
  --build) echo "$BUILD";;
  --list) printf 'send\\nencode\\n';;
esac
"""
VALGRIND = """#!/bin/sh
for argument; do case $argument in --callgrind-out-file=*) file=${argument#*=};; esac; done
echo "totals: $TOTAL" > "$file"
"""


class InstructionCounts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)
        self.programs = self.path / "programs"
        self.tools = self.path / "tools"
        self.baseline = self.path / "baseline.json"
        self.make(self.programs / "instruction_counts", PROGRAM)
        self.make(self.tools / "valgrind", VALGRIND)
        self.write_baseline({"send": 100.0, "encode": 100.0})

    def make(self, file, text):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def write_baseline(self, instructions, build="compiler 12"):
        self.baseline.write_text(json.dumps({"build": build, "instructions": instructions}))

    def run_script(self, *arguments, total=1000, build="compiler 12", tools=None):
        """Ten records each: `total` 1000 is what the baseline says."""
        path = f"{self.tools}:/usr/bin:/bin" if tools is None else str(tools)
        return subprocess.run([sys.executable, SCRIPT, "--programs", self.programs, "--baseline", self.baseline, "--count", "10",
                               *arguments], capture_output=True, text=True,
                              env=dict(os.environ, PATH=path, TOTAL=str(total), BUILD=build))

    def test_what_is_within_the_tolerance_passes(self):
        for total in (1000, 1050, 950):
            self.assertEqual(self.run_script(total=total).returncode, 0, total)

    def test_more_than_the_tolerance_is_a_failure(self):
        done = self.run_script(total=1051)
        self.assertEqual(done.returncode, 1)
        self.assertIn("TOO MANY", done.stdout)

    def test_fewer_instructions_ask_for_a_new_baseline(self):
        done = self.run_script(total=900)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--update", done.stdout)

    def test_a_case_without_a_baseline_is_a_failure(self):
        self.write_baseline({"send": 100.0})
        done = self.run_script()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "encode .*not in the baseline")

    def test_nothing_counted_is_a_failure(self):
        self.assertEqual(self.run_script(total=0).returncode, 1)

    def test_a_run_that_fails_is_a_failure(self):
        self.make(self.tools / "valgrind", "#!/bin/sh\nexit 3\n")
        self.assertEqual(self.run_script().returncode, 1)

    def test_without_a_baseline_it_fails(self):
        self.baseline.unlink()
        self.assertEqual(self.run_script().returncode, 1)

    def test_another_compiler_is_not_compared(self):
        done = self.run_script(total=5000, build="compiler 13")
        self.assertEqual(done.returncode, 77)
        self.assertRegex(done.stdout, "^skipped: .*compiler 12.*compiler 13")

    def test_without_valgrind_it_is_skipped(self):
        nothing = self.path / "nothing"
        nothing.mkdir()
        done = self.run_script(tools=nothing)
        self.assertEqual(done.returncode, 77)
        self.assertRegex(done.stdout, "^skipped: valgrind is not installed")

    def test_without_valgrinds_headers_it_is_skipped(self):
        self.assertEqual(self.run_script(build="compiler 12, without callgrind").returncode, 77)

    def test_update_writes_what_was_counted(self):
        self.assertEqual(self.run_script("--update", total=2000).returncode, 0)
        self.assertEqual(json.loads(self.baseline.read_text()),
                         {"build": "compiler 12", "instructions": {"send": 200.0, "encode": 200.0}})
        self.assertEqual(self.run_script(total=2000).returncode, 0)

    def test_update_of_one_case_keeps_the_others(self):
        self.assertEqual(self.run_script("--update", "--cases", "send", total=2000).returncode, 0)
        self.assertEqual(json.loads(self.baseline.read_text())["instructions"], {"send": 200.0, "encode": 100.0})

    def test_update_drops_what_another_compiler_counted(self):
        self.assertEqual(self.run_script("--update", "--cases", "send", total=2000, build="compiler 13").returncode, 0)
        self.assertEqual(json.loads(self.baseline.read_text()), {"build": "compiler 13", "instructions": {"send": 200.0}})

    def test_an_unknown_case_is_named(self):
        done = self.run_script("--cases", "nonsense")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)


if __name__ == "__main__":
    unittest.main()
