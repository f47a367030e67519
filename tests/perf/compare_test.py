#!/usr/bin/env python3
"""Tests perf/compare: its table of cases, its statistics, what it writes, and that it believes no client.

usage: compare_test.py FOLDER    where the programs are that were built (sluice-sink)
"""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from html.parser import HTMLParser
from pathlib import Path

PERF = Path(__file__).resolve().parent.parent.parent / "perf"
sys.dont_write_bytecode = True
sys.path.insert(0, str(PERF / "compare.d"))

import cases  # noqa: E402
import figures  # noqa: E402
import page  # noqa: E402
import running  # noqa: E402
import tables  # noqa: E402

PROGRAMS = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else None

TABLE = """
flags = "--partitions 3"
[contestant.ours]
title = "Ours & <fast>"
program = "sluice"
flags = "--chunk 2000"
[contestant.quick]
title = "Quick"
program = "quick"
[contestant.thrifty]
title = "Thrifty"
program = "thrifty"
flags = "-X a=1 --records 7"

[[case]]
name = "full"
title = "As fast as possible"
kind = "throughput"
flags = "--records 100 --chunk 1 -X b=2"
goals = ["records_s >= 2 x best", "cpu_s_per_m <= 0.5 x best", "records_s >= 0.9 x steady"]
more = { ours = "--records 200" }
[[case]]
name = "steady"
title = "Steady"
kind = "latency"
goals = ["p99_us <= 250"]
"""


def table_of(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cases.toml")
        path.write_text(text)
        return cases.read_table(path)


def run(case, contestant, **client):
    return {"case": case, "contestant": contestant, "others": 0.01,
            "client": {"peer": contestant, "version": "1", "records_s": 1e6, "cpu_s_per_m": 0.1, "rss_mb": 10, "p50_us": 1,
                       "p95_us": 2, "p99_us": 3, "p999_us": 4, "max_us": 5} | client}


def result_of(runs):
    return {"machine": {"cpu": "a CPU", "cores": 2, "kernel": "6.1", "commit": "abc", "date": "today"}, "broker": "a broker",
            "client_core": 0, "sink_core": 1, "runs": runs}


class Cases(unittest.TestCase):
    def test_what_the_project_measures_is_a_good_table(self):
        table = cases.read_table(PERF / "compare.d" / "cases.toml")

        self.assertGreater(len(table.cases), 10)
        for case in table.cases.values():
            for contestant in table.contestants.values():
                values, _ = cases.flags_of(case, contestant)
                self.assertGreater(int(values["--records"]), 0)

    def test_measures_epoll_beside_io_uring_in_every_table(self):
        table = cases.read_table(PERF / "compare.d" / "cases.toml")

        for ours, on_epoll in (("sluice", "sluice-defaults-epoll"), ("sluice-best", "sluice-epoll")):
            for case in table.cases.values():
                values, pairs = cases.flags_of(case, table.contestants[ours])
                self.assertFalse(case.contestants, "all take part")
                self.assertEqual((values | {"--reactor": "epoll"}, pairs), cases.flags_of(case, table.contestants[on_epoll]))

    def test_gives_java_the_warm_up_that_is_documented_in_every_case(self):
        table = cases.read_table(PERF / "compare.d" / "cases.toml")

        self.assertRegex((PERF / "README.md").read_text(), r"3 million records of warm-up .* in every case")
        for case in table.cases.values():
            self.assertEqual("3000000", cases.flags_of(case, table.contestants["java"])[0]["--warmup"], case.name)

    @unittest.skipUnless(PROGRAMS and (PROGRAMS / "sluice-perf").exists(), "sluice-perf is not built here")
    def test_names_no_flags_that_sluice_perf_refuses(self):
        table = cases.read_table(PERF / "compare.d" / "cases.toml")

        for case in table.cases.values():
            for contestant in (each for each in table.contestants.values() if not each.is_peer):
                values, pairs = cases.flags_of(case, contestant)
                words = [word for pair in values.items() for word in pair] + pairs
                # What makes no sense is told before the payload that is not there.
                done = subprocess.run([PROGRAMS / "sluice-perf", "--bootstrap", "127.0.0.1:1", *words, "--payload", "/no/such"],
                                      capture_output=True, text=True, timeout=60)
                self.assertRegex(done.stderr, "^sluice-perf: error: --payload /no/such: cannot be read", (case.name, contestant.name))

    def test_a_later_flag_replaces_an_earlier_one_and_pairs_stay(self):
        table = table_of(TABLE)

        values, pairs = cases.flags_of(table.cases["full"], table.contestants["ours"])
        self.assertEqual({"--partitions": "3", "--records": "200", "--chunk": "2000"}, values)
        self.assertEqual(["-X", "b=2"], pairs)
        values, pairs = cases.flags_of(table.cases["full"], table.contestants["thrifty"])
        self.assertEqual("7", values["--records"])
        self.assertEqual(["--chunk", "2000", "--records", "200"],
                         cases.own_flags_of(table.cases["full"], table.contestants["ours"]))
        self.assertEqual(["-X", "b=2", "-X", "a=1"], pairs)

    def test_a_topic_has_the_partitions_of_its_case_also_where_a_contestant_names_none(self):
        table = table_of(TABLE.replace('flags = "--chunk 2000"', 'flags = "--partitions 0"'))

        values, _ = cases.flags_of(table.cases["full"], table.contestants["ours"])

        self.assertEqual("0", values["--partitions"])
        self.assertEqual(3, table.cases["full"].partitions)

    def test_names_what_is_unknown(self):
        table = table_of(TABLE)
        self.assertEqual(["full"], [each.name for each in cases.chosen(table.cases, "full", "case")])
        for asked in ("full,nothing", "nothing", ","):
            with self.assertRaises(cases.Mistake):
                cases.chosen(table.cases, asked, "case")

    def test_refuses_tables_that_make_no_sense(self):
        for good, bad in (('kind = "latency"', 'kind = "other"'), ('name = "steady"', 'name = "full"'),
                          ("p99_us <= 250", "p99_us < 250"), ("p99_us <= 250", "p98_us <= 250"),
                          ("x steady", "x nothing"), ("more = { ours", "more = { yours"), ("[contestant.ours]", "[contestant")):
            with self.assertRaises(cases.Mistake, msg=bad):
                table_of(TABLE.replace(good, bad))
        with self.assertRaises(cases.Mistake):
            table = table_of(TABLE.replace('"--chunk 2000"', '"--chunk"'))
            cases.flags_of(table.cases["full"], table.contestants["ours"])


class Figures(unittest.TestCase):
    def setUp(self):
        self.table = table_of(TABLE)
        self.runs = [run("full", "ours", records_s=value, cpu_s_per_m=0.04) for value in (9e6, 5e6, 6e6)]
        self.runs += [run("full", "quick", records_s=value, cpu_s_per_m=0.3) for value in (3e6, 2e6, 3.5e6, 2.5e6)]
        self.runs += [run("full", "thrifty", records_s=1e6, cpu_s_per_m=0.1)]
        self.made = figures.Figures(self.table, self.runs)

    def test_takes_medians_and_spreads(self):
        self.assertEqual(figures.Figure(6e6, 5e6, 9e6, 3), self.made.of("full", "ours", "records_s"))
        self.assertEqual(figures.Figure(2.75e6, 2e6, 3.5e6, 4), self.made.of("full", "quick", "records_s"))
        self.assertIsNone(self.made.of("steady", "ours", "records_s"))
        self.assertIsNone(self.made.of("full", "ours", "syscalls_per_m"))

    def test_compares_with_the_best_peer_of_each_metric_and_never_with_ourselves(self):
        self.assertEqual(2.75e6, self.made.best_peer("full", "records_s"))
        self.assertEqual(0.1, self.made.best_peer("full", "cpu_s_per_m"))
        self.assertAlmostEqual(6 / 2.75, self.made.ratio("full", "ours", "records_s"))
        self.assertAlmostEqual(0.4, self.made.ratio("full", "ours", "cpu_s_per_m"))
        self.assertAlmostEqual(3, self.made.ratio("full", "quick", "cpu_s_per_m"))

    def test_leaves_out_runs_that_failed(self):
        failed = {"case": "full", "contestant": "ours", "error": "lost records", "client": {"records_s": 1e9}}
        made = figures.Figures(self.table, [*self.runs, failed])

        self.assertEqual(6e6, made.of("full", "ours", "records_s").median)

    def test_judges_goals(self):
        faster, thriftier, as_steady = self.table.cases["full"].goals
        self.assertEqual((5.5e6, True), self.made.goal("full", "ours", faster))
        self.assertEqual((0.05, True), self.made.goal("full", "ours", thriftier))
        self.assertEqual((5.5e6, False), self.made.goal("full", "quick", faster))
        self.assertIsNone(self.made.goal("full", "ours", as_steady), "the other case was not measured")
        made = figures.Figures(self.table, [*self.runs, run("steady", "ours", records_s=7e6, p99_us=251)])
        self.assertEqual((6.3e6, False), made.goal("full", "ours", as_steady))
        self.assertEqual((250, False), made.goal("steady", "ours", self.table.cases["steady"].goals[0]))


class Texts(unittest.TestCase):
    def setUp(self):
        self.table = table_of(TABLE)
        self.runs = [run("full", "ours", records_s=5e6), run("full", "ours", records_s=6e6, p99_us=3000),
                     run("full", "quick", records_s=2e6), run("steady", "ours", p99_us=120.4), run("steady", "quick")]

    def made(self, runs):
        return figures.Figures(self.table, runs)

    def test_writes_markdown(self):
        text = tables.markdown(result_of(self.runs), self.made(self.runs))

        self.assertIn("| Ours & <fast> | 5.50 (5.00 – 6.00) | 2.75 | 0.1 | 1.00 | 1,502 (3 – 3,000) | 500.50 | 10.0 | 1.00 |\n", text)
        self.assertIn("| Quick | 2.00 | 1.00 |", text)
        self.assertIn("- met: Ours & <fast>: `records_s >= 2 x best`: 5.50, bound 4.00\n", text)
        self.assertIn("- MISSED: Ours & <fast>: `cpu_s_per_m <= 0.5 x best`: 0.1, bound 0.05\n", text)
        self.assertIn("- met: Ours & <fast>: `p99_us <= 250`: 120, bound 250\n", text)
        self.assertIn("`--partitions 3 --records 100 --chunk 1 -X b=2` and Ours & <fast> `--chunk 2000 --records 200`\n", text)
        self.assertNotIn("quiet", text)

    def test_says_what_is_wrong_with_the_runs(self):
        loaded = self.runs[0] | {"others": 0.4}
        failed = {"case": "full", "contestant": "quick", "error": "3 records failed"}
        slow = run("steady", "quick", records_s=700) | {"flags": ["--rate", "1000"]}
        in_time = run("steady", "ours", records_s=990) | {"flags": ["--rate", "1000"]}
        runs = [loaded, failed, slow, in_time]
        text = tables.markdown(result_of(runs), self.made(runs))

        self.assertIn("Not a quiet machine: in 1 of 3 runs other processes used more than 5% of it, 40% at most.", text)
        self.assertIn("Failed: full, quick: 3 records failed", text)
        self.assertIn("Not at the load asked for: steady, quick: 70% of it in the worst of 1 such runs.", text)
        self.assertNotIn("steady, ours", text)

    def test_writes_a_page_that_needs_nothing_else(self):
        text = page.page(result_of(self.runs), self.made(self.runs))

        open_tags = []

        class Tags(HTMLParser):
            def handle_starttag(self, tag, attributes):
                if tag not in ("meta", "rect", "line", "circle", "polyline"):
                    open_tags.append(tag)

            def handle_endtag(self, tag):
                self_closing = tag in ("rect", "line", "circle", "polyline")
                if not self_closing:
                    assert open_tags.pop() == tag, tag

        Tags().feed(text)
        self.assertEqual([], open_tags)
        self.assertFalse(re.search(r"https?:|src=|url\(|@import|<script|<link", text))
        self.assertNotIn("<fast>", text)
        plots = re.findall(r"<svg.*?</svg>", text, re.S)
        self.assertEqual(5, len(plots), "two of throughput, three of latency")
        for plot in plots:
            xml.etree.ElementTree.fromstring(plot)
        self.assertIn("5.00 – 6.00", text)

    def test_a_bar_is_as_long_as_its_figure(self):
        text = page.bars(self.made(self.runs), self.table.cases["full"], "records_s", page.colours_of(self.table))

        widths = [float(each) for each in re.findall(r'<rect [^>]*width="([0-9.]+)"', text)]
        self.assertEqual(2, len(widths))
        self.assertAlmostEqual(5.5 / 2, widths[0] / widths[1], places=2)

    def test_labels_keep_apart(self):
        self.assertEqual([10, 25, 100], page.apart([10, 11, 100], 15, 0, 200))
        self.assertEqual([185, 170, 200], page.apart([198, 190, 199], 15, 0, 200))


class Proof(unittest.TestCase):
    def test_a_run_counts_only_when_every_record_was_acknowledged_and_arrived_once(self):
        asked = {"--records": "100", "--warmup": "10"}
        good = {"errors": 0, "records": 100}
        running.check(asked, good, {"records": 110})
        for client, arrived in ((None, 110), (good | {"errors": 1}, 110), (good | {"records": 99}, 110), (good, 109), (good, 111)):
            with self.assertRaises(running.Failed):
                running.check(asked, client, {"records": arrived})

    def test_tells_how_many_were_acknowledged_and_how_the_client_ended(self):
        asked, ended = {"--records": "100", "--warmup": "10"}, "exit status 1: the last words"
        for client, expected in (({"errors": 60, "records": 40}, "40 of 100 records were acknowledged; exit status 1: the last words"),
                                 ({"errors": 10, "records": 100}, "10 records failed; exit status 1: the last words"),
                                 ({"errors": 0, "records": 100}, "^exit status 1: the last words"), (None, "^exit status 1: the last words")):
            with self.assertRaisesRegex(running.Failed, expected):
                running.check(asked, client, {"records": 110}, ended)

    def test_ends_a_client_that_does_not_end(self):
        with self.assertRaisesRegex(running.Failed, "no end after 0 s"):
            running.run_client(["sleep", "600"], {}, 0)
        with self.assertRaises(ChildProcessError, msg="nobody is left"):
            os.waitpid(-1, os.WNOHANG)

    def test_tells_why_a_client_failed(self):
        text, ended, *_ = running.run_client(["sh", "-c", "echo said; echo some words >&2; echo the last words >&2; exit 3"], {}, 60)

        self.assertEqual(("said\n", "exit status 3: the last words"), (text, ended))

    def test_gives_a_client_its_environment_and_takes_its_words_and_its_cpu_time(self):
        text, ended, cpu, _, took = running.run_client(["sh", "-c", "echo $WORD; i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"],
                                                   {"WORD": "said"}, 60)

        self.assertEqual(("said\n", None), (text, ended))
        self.assertGreater(cpu, 0)
        self.assertGreater(took, 0)

    def test_finds_the_line_of_json(self):
        self.assertEqual({"a": 2}, running.last_json('{"a":1}\nwords\n{"a":2}\nmore words\n'))
        self.assertIsNone(running.last_json("words\n{broken\n"))

    def test_reads_what_counted_the_system_calls(self):
        self.assertEqual(4711, running.calls_in("# started\n\n4711,,raw_syscalls:sys_enter,1,100.00,,\n"))
        self.assertEqual(29, running.calls_in("100.00    0.000000           0        29         1 total\n"))
        with self.assertRaises(running.Failed):
            running.calls_in("nothing\n")


class Program(unittest.TestCase):
    def call(self, *words):
        with tempfile.TemporaryDirectory() as elsewhere:
            return subprocess.run(words, cwd=elsewhere, capture_output=True, text=True, timeout=60)

    def test_everything_explains_itself(self):
        for program in (PERF / "compare", PERF / "payload", PERF / "peers" / "run"):
            done = self.call(program, "--help")
            self.assertEqual((0, ""), (done.returncode, done.stderr), program)
            self.assertIn("usage:", done.stdout)
            self.assertNotEqual(0, self.call(program, "--no-such-option").returncode, program)

    def test_refuses_unknown_cases_and_contestants_and_tells_the_known_ones(self):
        for option in ("--cases", "--contestants"):
            done = self.call(PERF / "compare", option, "nothing")
            self.assertEqual(2, done.returncode)
            self.assertIn("unknown", done.stderr)
            self.assertIn("100-bytes" if option == "--cases" else "franz-go", done.stderr)

    def test_reports_what_was_measured_earlier(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, name) for name in ("one.json", "two.json")]
            for path, contestant in zip(paths, ("sluice", "java")):
                path.write_text(json.dumps(result_of([run("100-bytes", contestant)])))
            done = self.call(PERF / "compare", "--report", *paths, "--output", folder)
            self.assertEqual(0, done.returncode, done.stderr)
            text = Path(folder, "result.md").read_text()
        self.assertIn("| Sluice, defaults | 1.00 | 1.00 |", text)
        self.assertIn("| Java | 1.00 | 1.00 |", text)

    @unittest.skipUnless(PROGRAMS, "where the programs are was not told")
    def test_believes_no_client(self):
        with tempfile.TemporaryDirectory() as folder:
            liar = Path(folder, "liar")
            liar.write_text("#!/bin/sh\n"
                            'echo \'{"peer":"liar","records":100,"errors":0,"records_s":1e9,"cpu_s_per_m":0,"rss_mb":1,"p50_us":1,'
                            '"p99_us":1}\'\n')
            liar.chmod(liar.stat().st_mode | stat.S_IXUSR)
            table = Path(folder, "cases.toml")
            table.write_text(f'[contestant.liar]\ntitle = "Liar"\nprogram = "{liar}"\n[[case]]\nname = "lies"\ntitle = "Lies"\n'
                             'kind = "throughput"\nflags = "--records 100 --warmup 10"\n')
            core = str(min(os.sched_getaffinity(0)))
            done = self.call(PERF / "compare", "--table", table, "--programs", PROGRAMS, "--output", folder, "--repeat", "2",
                             "--client-core", core, "--sink-core", core)
            kept = json.loads(Path(folder, "result.json").read_text())
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertEqual(["0 records arrived, 110 were sent"] * 2, [each["error"] for each in kept["runs"]])


    @unittest.skipUnless(PROGRAMS and (PROGRAMS / "sluice-perf").exists(), "sluice-perf is not built here")
    def test_believes_sluice_no_more_than_others(self):
        """A broker that refuses what comes after the first records."""
        case = cases.Case("fails", "Fails", "throughput", (), (), "one", 0, {}, ())
        contestant = cases.Contestant("sluice", "Sluice", "sluice", ())
        core = str(min(os.sched_getaffinity(0)))

        class FailingSink(running.Sink):
            def open(self, case):
                self.process = subprocess.Popen([self.program, "--refuse-after", "3000"], stdout=subprocess.PIPE, text=True)
                self.bootstrap, self.topic = self.process.stdout.readline().strip(), "perf"

        for records, expected in (("20000", r"^(?!0 )\d+ of 20000 records were acknowledged; exit status 1: "),
                                  ("500", "^0 of 500 records were acknowledged; exit status 1: ")):
            values = {"--records": records, "--warmup": "1000" if records == "20000" else "50000"}
            with self.assertRaisesRegex(running.Failed, expected):
                running.run(FailingSink(0, PROGRAMS), case, contestant, running.command_of(contestant, PROGRAMS), values, [], core)


class Peers(unittest.TestCase):
    """perf/peers/run, with a peer that only tells its words."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "perf").mkdir()
        shutil.copytree(PERF / "peers", self.root / "perf/peers")
        shutil.copy(PERF / "payload", self.root / "perf/payload")

    def call(self, *words):
        return subprocess.run([self.root / "perf/peers/run", *words], capture_output=True, text=True, timeout=60)

    def build(self, peer):
        """As if it was built: with the stamp that belongs to it."""
        folder = self.root / "build/peers" / peer
        folder.mkdir(parents=True)
        client = folder / "client"
        client.write_text('#!/bin/sh\nfor word; do echo "$word"; done\n')
        client.chmod(client.stat().st_mode | stat.S_IXUSR)
        script = (self.root / "perf/peers/run").read_text()
        probe = self.root / "perf/peers/probe"
        probe.write_text(script.split("\nbuild_java() {")[0] + '\nstamp_of librdkafka "$CONFLUENT_VERSION" "$HERE/librdkafka/main.cpp"\n')
        (folder / "stamp").write_text(subprocess.run(["bash", probe], capture_output=True, text=True, check=True).stdout)

    def test_says_whether_a_peer_is_built_and_builds_nothing(self):
        done = self.call("--is-built", "librdkafka")
        self.assertEqual((1, ""), (done.returncode, done.stdout))
        self.assertIn("librdkafka is not built from what is here: perf/peers/run --build librdkafka", done.stderr)
        self.assertFalse((self.root / "build").exists())

        self.build("librdkafka")
        self.assertEqual((0, "", ""), (lambda done: (done.returncode, done.stdout, done.stderr))(self.call("--is-built", "librdkafka")))
        with open(self.root / "perf/peers/librdkafka/main.cpp", "a") as source:
            source.write("// changed\n")
        self.assertEqual(1, self.call("--is-built", "librdkafka").returncode)

    def test_makes_the_payload_of_json_however_it_is_asked_for(self):
        self.build("librdkafka")
        for words in (("--payload", "json", "--size", "128"), ("--payload=json", "--size=128"), ("--size=128", "--payload", "json")):
            done = self.call("librdkafka", "--acks=1", *words)
            self.assertEqual(0, done.returncode, done.stderr)
            told = done.stdout.splitlines()
            self.assertIn("--acks=1", told)
            self.assertNotIn("json", told)
            self.assertNotIn("--payload=json", told)
            made = Path(told[told.index("--payload") + 1]).read_bytes()
            self.assertEqual(8 * 1024 * 1024 // 128 * 128, len(made))

    def test_refuses_a_payload_of_json_that_cannot_be_made(self):
        self.build("librdkafka")
        done = self.call("librdkafka", "--payload=json", "--size=5")
        self.assertEqual((2, ""), (done.returncode, done.stdout))


class Payload(unittest.TestCase):
    def test_is_the_same_everywhere(self):
        documented = re.findall(r"B = (\d+):?\s+`([0-9a-f]{64})`", (PERF / "README.md").read_text())
        self.assertEqual(["100", "1024"], [size for size, _ in documented])
        with tempfile.TemporaryDirectory() as folder:
            for size, digest in documented:
                path = Path(folder, size)
                subprocess.run([PERF / "payload", "--size", size, "--output", path], check=True, stdout=subprocess.DEVNULL)
                made = path.read_bytes()
                self.assertEqual(digest, hashlib.sha256(made).hexdigest())
                for begin in range(0, 100 * int(size), int(size)):
                    self.assertIn("order", json.loads(made[begin:begin + int(size)]))


if __name__ == "__main__":
    unittest.main()
