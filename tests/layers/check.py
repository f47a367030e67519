#!/usr/bin/env python3
"""Checks the arrows between the folders of src/: usage: check.py [ROOT] [--table FILE]

ROOT is a folder with src/ and include/ (by default the repository that this file is in). What is allowed stands in
layers.txt. Beyond the table, every file is held to this:
  - an include is written by its full path from src/ or include/, and the file exists;
  - files do not include each other in a circle;
  - a header has `#pragma once`;
  - a .cpp includes its own header first;
  - a public header includes public headers, the standard library and Boost only.
Prints one line per violation and ends with status 1 if there was any.
"""
import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<string>R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)" | "(?:\\.|[^"\\\n])*" | (?<!\w)'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
STANDARD_HEADER = re.compile(r"[a-z_]+$")


class TableError(Exception):
    pass


class Table:
    """layers.txt, understood."""

    def __init__(self, path):
        self.folders = {}    # folder -> the folders it may include
        self.libraries = []  # (prefix, places)
        self.words = []      # (name, compiled expression, places)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            kind, _, rest = line.partition(" ")
            what, colon, places = rest.rpartition(":")
            places = places.split()
            if not colon or not what:
                raise TableError(f"{path.name}:{number}: expected 'KIND WHAT: PLACES', got '{line}'")
            self.add(kind, what.strip(), places, f"{path.name}:{number}")

    def add(self, kind, what, places, where):
        if kind == "folder":
            unknown = [place for place in places if place != "*" and place not in self.folders]
            if unknown or what in self.folders:
                raise TableError(f"{where}: {what} is there already, or names folders that are not above: {unknown}")
            self.folders[what] = set(self.folders) if "*" in places else set(places)
            return
        for place in places:
            if place != "include" and place.split("/")[0] not in self.folders:
                raise TableError(f"{where}: no folder {place}")
        if kind == "library":
            self.libraries += [(prefix, places) for prefix in what.split()]
        elif kind == "word":
            end = r"\b" if what[-1].isalnum() else ""
            self.words.append((what, re.compile(r"\b" + re.escape(what) + end), places))
        elif kind == "pattern":
            self.words.append(("a container ordered by pointers", re.compile(what), places))
        else:
            raise TableError(f"{where}: unknown kind '{kind}'")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


class Source:
    """One file: where it lies, what it includes, and its code without comments and strings."""

    def __init__(self, root, path):
        text = path.read_text(encoding="utf-8", errors="replace")
        # Without comments and raw strings; an include's own quotes stay.
        uncommented = TOKEN.sub(lambda match: blank(match) if match["comment"] or match["mark"] is not None
                                else match.group(), text)
        self.path = path.relative_to(root)
        self.is_public = self.path.parts[0] == "include"
        self.name = "/".join(self.path.parts[1:])           # as an include names it
        self.folder = "include" if self.is_public else self.path.parts[1]
        self.is_loose = not self.is_public and len(self.path.parts) < 3
        self.code = TOKEN.sub(blank, text)
        self.includes = [(line_of(uncommented, match.start(2)), match[1] == '"', match[2])
                         for match in INCLUDE.finditer(uncommented)]
        self.has_pragma_once = re.search(r"^[ \t]*#[ \t]*pragma[ \t]+once\b", uncommented, re.MULTILINE) is not None

    def is_in(self, places):
        if self.is_public:
            return "include" in places
        return any(self.name.startswith(place + "/") for place in places)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Check:
    def __init__(self, root, table):
        self.table = table
        self.sources = {}     # as an include names it -> Source
        self.violations = []  # (path, line, text)
        for top in ("include", "src"):
            for path in sorted((root / top).rglob("*")):
                if path.suffix in (".hpp", ".cpp", ".h", ".cc", ".ipp") and path.is_file():
                    source = Source(root, path)
                    self.sources[source.name] = source

    def run(self):
        for source in self.sources.values():
            self.check_place(source)
            self.check_form(source)
            for line, quoted, name in source.includes:
                self.check_include(source, line, quoted, name)
            self.check_words(source)
        self.check_circles()
        self.violations.sort()
        return self.violations

    def report(self, source, line, text):
        self.violations.append((source.path.as_posix(), line, text))

    def check_place(self, source):
        if source.is_public:
            if not source.name.startswith("sluice/"):
                self.report(source, 1, "public headers live in include/sluice")
        elif source.is_loose or source.folder not in self.table.folders:
            self.report(source, 1, "not in a folder of the table")

    def check_form(self, source):
        if source.path.suffix == ".hpp" and not source.has_pragma_once:
            self.report(source, 1, "a header without #pragma once")
        if source.path.suffix == ".cpp":
            stem = source.name[:-len(".cpp")]
            own = [name for name in (stem + ".hpp", "sluice/" + stem + ".hpp", "sluice/" + stem.split("/")[-1] + ".hpp")
                   if name in self.sources]
            if own and (not source.includes or source.includes[0][2] not in own):
                line = source.includes[0][0] if source.includes else 1
                self.report(source, line, f'does not include its own header "{own[0]}" first')

    def check_include(self, source, line, quoted, name):
        target = self.sources.get(name)
        if target is None and quoted:
            self.report(source, line, f'"{name}" is no full path from src/ or include/')
        elif target is None:
            self.check_library(source, line, name)
        elif target.is_public or target.is_loose:
            pass
        elif source.is_public:
            self.report(source, line, f'a public header includes "{name}", which is not public')
        elif target.folder != source.folder and target.folder not in self.table.folders.get(source.folder, ()):
            self.report(source, line, f'{source.folder} may not include {target.folder} ("{name}")')

    def check_library(self, source, line, name):
        for prefix, places in self.table.libraries:
            if name.startswith(prefix) and not source.is_in(places):
                self.report(source, line, f"<{name}> is for {', '.join(places)} only")
        if source.is_public and not name.startswith("boost/") and not STANDARD_HEADER.match(name):
            self.report(source, line, f"a public header includes <{name}>, neither standard library nor Boost")

    def check_words(self, source):
        for name, expression, places in self.table.words:
            if not source.is_in(places):
                for match in expression.finditer(source.code):
                    self.report(source, line_of(source.code, match.start()), f"{name} is for {', '.join(places)} only")

    def check_circles(self):
        state = {}  # name -> "open" while on the path from its start, "done" after

        def visit(name):
            state[name] = "open"
            for line, _, included in self.sources[name].includes:
                if included not in self.sources:
                    continue
                if state.get(included) == "open":
                    self.report(self.sources[name], line, f'"{included}" closes a circle of includes')
                elif included not in state:
                    visit(included)
            state[name] = "done"

        sys.setrecursionlimit(100000)
        for name in self.sources:
            if name not in state:
                visit(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=HERE.parent.parent)
    parser.add_argument("--table", type=Path, default=HERE / "layers.txt")
    options = parser.parse_args()
    try:
        check = Check(options.root.resolve(), Table(options.table))
    except (OSError, TableError, re.error) as error:
        sys.exit(f"layers: the table cannot be used: {error}")
    violations = check.run()
    for path, line, text in violations:
        print(f"{path}:{line}: {text}")
    if not check.sources:
        sys.exit(f"layers: no sources under {options.root}")
    print(f"layers: {len(check.sources)} files, {len(violations)} violations"
          + (" (the table is tests/layers/layers.txt)" if violations else ""))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
