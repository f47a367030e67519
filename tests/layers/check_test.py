#!/usr/bin/env python3
"""Tests check.py: it finds exactly what is planted in fixture/planted, and nothing in fixture/clean.

A planted violation is marked on its line: `// planted: TEXT; TEXT`, each TEXT a part of what must be reported there.
"""
import collections
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLANTED = HERE / "fixture" / "planted"


def check(root, *options):
    return subprocess.run([sys.executable, HERE / "check.py", root, *options], capture_output=True, text=True)


class LayerCheck(unittest.TestCase):
    def test_reports_each_planted_violation_and_nothing_else(self):
        reported = collections.defaultdict(list)
        for line in check(PLANTED).stdout.splitlines():
            if found := re.match(r"(\S+:\d+): (.*)", line):
                reported[found[1]].append(found[2])

        planted_count = 0
        for path in sorted(PLANTED.rglob("*.?pp")):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if found := re.search(r"// planted: (.*)", line):
                    where = f"{path.relative_to(PLANTED).as_posix()}:{number}"
                    for text in found[1].split("; "):
                        planted_count += 1
                        matching = [said for said in reported[where] if text in said]
                        self.assertTrue(matching, f"{where}: '{text}' was not reported, but {reported[where]}")
                        reported[where].remove(matching[0])

        self.assertGreater(planted_count, 30)
        self.assertEqual([], [(where, said) for where, said in reported.items() if said], "reported, but not planted")

    def test_ends_with_status_1_on_violations(self):
        self.assertEqual(1, check(PLANTED).returncode)

    def test_is_content_with_a_clean_tree(self):
        done = check(HERE / "fixture" / "clean")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("0 violations", done.stdout)

    def test_refuses_a_tree_without_sources(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertNotEqual(0, check(empty).returncode)

    def test_refuses_a_table_that_points_up(self):
        with tempfile.TemporaryDirectory() as folder:
            for table in ("folder wire: base\nfolder base:\n", "folder base: base\n", "folder base\n",
                          "folder base:\nword rand(: nowhere\n", "library zlib.h: base\n", "colour base: red\n"):
                path = Path(folder, "layers.txt")
                path.write_text(table)
                done = check(HERE / "fixture" / "clean", "--table", path)
                self.assertEqual(1, done.returncode, table)
                self.assertIn("the table cannot be used", done.stderr, table)


if __name__ == "__main__":
    unittest.main()
