# Configure and build a preset; sourced by tools/dev, tools/test and whoever else needs a built tree.
# shellcheck shell=bash

REPOSITORY=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)

say() { echo "$SELF: $*" >&2; }
die() { say "error: $*"; exit 1; }
# The help text is the comment at the head of the script.
print_help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
need_arg() { [ -n "${2-}" ] || die "option $1 needs a value (see --help)"; }

check_preset() {
  (cd "$REPOSITORY" && cmake --list-presets 2>/dev/null) | grep -q "^ *\"$1\"" ||
    die "no preset '$1'; known: $(cd "$REPOSITORY" && cmake --list-presets 2>/dev/null | sed -n 's/^ *"\([^"]*\)".*/\1/p' | tr '\n' ' ')"
}

# Sets FIXED to the command that runs a program with unrandomised addresses, where the preset needs it: g++ 12's
# thread sanitizer cannot map its shadow memory under the address randomisation of newer kernels.
choose_launcher() { # choose_launcher PRESET
  FIXED=()
  if [ "$1" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then FIXED=(setarch "$(uname -m)" -R); fi
}

# build_preset PRESET [TARGET...]: configures where that was not done yet, then builds. Chatter goes to stderr. With
# KEEP_GOING set it does not stop at the first error.
build_preset() {
  local preset=$1 log status=0
  shift
  check_preset "$preset"
  choose_launcher "$preset"
  if [ ! -e "$REPOSITORY/build/$preset/build.ninja" ]; then
    say "configuring build/$preset"
    log=$(cd "$REPOSITORY" && cmake --preset "$preset" 2>&1) || status=$?
    if [ $status -ne 0 ]; then
      echo "$log" >&2
      say "error: cmake could not configure; 'tools/install-packages build test' installs what is needed"
      return 1
    fi
    say "building build/$preset (minutes, the first time)"
  fi
  (cd "$REPOSITORY" && ${FIXED[@]+"${FIXED[@]}"} cmake --build --preset "$preset" ${1:+--target "$@"} \
    ${KEEP_GOING:+-- -k 0}) >&2
}
