#!/usr/bin/env python3
"""Tests what scripts rely on: each tool's --help and its refusals, and how test results are counted."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="Linux-c++">
    <testcase name="passes" status="run"><system-out>[NON-XML-CHAR-0x1]</system-out></testcase>
    <testcase name="whole" status="run"><system-out>
x.cpp:3: Skipped
no Java here

[  SKIPPED ] Kafka.Reads (0 ms)
    </system-out></testcase>
    <testcase name="skips" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
        <system-out>one line\nskipped: no network\n</system-out></testcase>
    <testcase name="disabled" status="disabled"><system-out>Disabled</system-out></testcase>
    %s
</testsuite>
"""


def run(*command):
    with tempfile.TemporaryDirectory() as elsewhere:
        return subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, timeout=60)


class Help(unittest.TestCase):
    def test_every_tool_explains_itself_from_any_directory(self):
        commands = [[path] for path in sorted([*TOOLS.iterdir(), TOOLS / "cmake" / "package_test" / "run",
                                               TOOLS.parent / ".ci" / "run"])
                    if path.is_file() and os.access(path, os.X_OK)]
        commands += [[TOOLS / "kafka", part.name] for part in sorted((TOOLS / "kafka.d").iterdir())
                     if os.access(part, os.X_OK)]
        self.assertGreater(len(commands), 8)
        for command in commands:
            done = run(*command, "--help")
            self.assertEqual((0, ""), (done.returncode, done.stderr), command)
            self.assertIn("usage:", done.stdout, command)

    def test_an_unknown_option_is_refused_with_a_way_on(self):
        for command in (["kafka", "up"], ["kafka", "down"], ["kafka", "topic"], ["kafka", "dump"], ["kafka", "produce"],
                        ["kafka", "node"], ["kafka"], ["test"], ["dev"], ["install-packages"]):
            done = run(TOOLS / command[0], *command[1:], "--no-such-option")
            self.assertNotEqual(0, done.returncode, command)
            self.assertIn("--help", done.stderr, command)


class Summary(unittest.TestCase):
    def summary(self, status, report):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "report.xml")
            if report is not None:
                path.write_text(report)
            done = run("python3", TOOLS / "test.d" / "summary.py", f"{status}:{path}")
        return done.returncode, done.stdout.splitlines()

    def test_counts_what_passed_and_lists_what_was_skipped(self):
        status, lines = self.summary(0, REPORT % "")

        self.assertEqual(0, status)
        self.assertEqual("2 passed, 0 failed", lines[-1])
        self.assertIn("  whole: Kafka.Reads: no Java here", lines)
        self.assertIn("  skips: skipped: no network", lines)
        self.assertIn("  disabled: disabled", lines)

    def test_counts_what_failed_and_what_could_not_start(self):
        status, lines = self.summary(8, REPORT % '<testcase name="bad" status="fail"><failure message=""/></testcase>'
                                     '<testcase name="gone" status="notrun"><skipped message="Unable to find executable"/>'
                                     '</testcase>')

        self.assertEqual(1, status)
        self.assertEqual("2 passed, 2 failed", lines[-1])

    def test_a_report_that_is_missing_or_broken_is_a_failure(self):
        for report in (None, "", "<testsuite><testcase"):
            status, lines = self.summary(0, report)
            self.assertEqual((1, "0 passed, 1 failed"), (status, lines[-1]))

    def test_a_ctest_that_failed_and_names_no_test_is_a_failure(self):
        self.assertEqual("2 passed, 1 failed", self.summary(8, REPORT % "")[1][-1])

    def test_nothing_at_all_is_no_success(self):
        status, lines = self.summary(0, "<testsuite></testsuite>")
        self.assertEqual((1, "0 passed, 0 failed"), (status, lines[-1]))


class SpecCoverage(unittest.TestCase):
    def coverage(self, *options, statements="A-1\nA-2\nA-12\nB-1 later\n", test="", deviations=None):
        with tempfile.TemporaryDirectory() as root:
            Path(root, "tests/spec").mkdir(parents=True)
            Path(root, "tests/spec/statements.txt").write_text(statements)
            Path(root, "tests/some_test.cpp").write_text(test)
            if deviations is not None:
                Path(root, "src").mkdir()
                Path(root, "src/DEVIATIONS.md").write_text(deviations)
            done = run(TOOLS / "spec_coverage", "--root", root, *options)
        return done.returncode, done.stdout.splitlines(), done.stderr

    def test_counts_what_names_and_comments_cover_and_what_deviates(self):
        status, lines, _ = self.coverage("--open", test="TEST(X, Works_A_1) {}  // not XA-2, not 3A-2\n", deviations="| A-12b | Java only |\n")

        self.assertEqual(0, status)
        self.assertEqual(["A", "3", "1", "1", "0", "1"], lines[1].split())
        self.assertEqual(["B", "1", "0", "0", "1", "0"], lines[2].split())
        self.assertEqual(["all", "4", "1", "1", "1", "1"], lines[3].split())
        self.assertEqual("open: A-2", lines[4])

    def test_an_id_that_does_not_exist_is_an_error_wherever_it_stands(self):
        status, _, errors = self.coverage(test="// A-1\n// A-3\n")
        self.assertEqual(1, status)
        self.assertIn("tests/some_test.cpp:2: there is no A-3", errors)

        status, _, errors = self.coverage(deviations="A-3\n")
        self.assertEqual(1, status)
        self.assertIn("src/DEVIATIONS.md:1: there is no A-3", errors)

    def test_check_wants_nothing_open(self):
        self.assertEqual(1, self.coverage("--check", test="// A-1\n")[0])
        self.assertEqual(0, self.coverage("--check", test="// A-1 A-2 A-12\n")[0])

    def test_a_list_that_is_broken_is_told_by_line(self):
        for broken in ("A-1\nA-1\n", "A-1\nA2\n", "A-1\nA-2 soon\n"):
            status, _, errors = self.coverage(statements=broken)
            self.assertEqual(1, status)
            self.assertIn("statements.txt:2: ", errors)


if __name__ == "__main__":
    unittest.main()
