# What the commands of tools/kafka share: Kafka's jars, the cluster's folder, its processes. Sourced, not run.
#
#   $CACHE/VERSION/libs/*.jar         Apache Kafka, fetched once
#   $CACHE/VERSION/tool-SUM/          KafkaTool, compiled; SUM is its source's checksum
#   $CACHE/VERSION/broker.jsa         class archive, which makes brokers start about 1 s quicker
#   $RUN/PORT/env                     what `up` printed; it is there only while the cluster is complete
#   $RUN/PORT/node-N/{pid,log,data,server.properties}
# shellcheck shell=bash

set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
KAFKA_HEAP=${KAFKA_HEAP:-384m}
DEFAULT_PORT=${KAFKA_PORT:-19092}
CACHE=${SLUICE_KAFKA_CACHE:-${XDG_CACHE_HOME:-${HOME:-}/.cache}/sluice/kafka}
RUN=${SLUICE_KAFKA_DIR:-${TMPDIR:-/tmp}/sluice-kafka-$(id -u)}
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java
SELF=${SELF:-tools/kafka $(basename "$0")}
SECONDS=0

say() { echo "$SELF: $*" >&2; }
die() { echo "$SELF: error: $*" >&2; exit 1; }
# The help text is the comment at the head of the script.
print_help() { sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"; }
help() { print_help; exit 0; }
wrong_usage() { print_help >&2; exit 2; }
need_arg() { [ -n "${2-}" ] || die "option $1 needs a value (see --help)"; }
need_number() { need_arg "$@"; [[ $2 =~ ^[0-9]+$ ]] || die "$1 takes a number, not '$2'"; }
valid_port() { [[ $1 =~ ^[0-9]{4,5}$ && $1 -ge 1024 && $1 -le 65400 ]] || die "--port must be 1024 to 65400, not '$1'"; }

install_hint="on Debian: tools/install-packages kafka   (apt-get install -y default-jdk-headless maven)"

check_java() {
  local v
  command -v "$JAVA" >/dev/null || die "no Java found. A JDK 17 or newer is needed (or set JAVA_HOME); $install_hint"
  v=$("$JAVA" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -1)
  [ "${v:-0}" -ge 17 ] || die "Java 17 or newer is needed, $JAVA is ${v:-of unknown version}; $install_hint"
}

# Sets LIBS, the folder of Kafka's jars, and TOOL, the compiled KafkaTool; fetches and compiles them the first time.
use_kafka() {
  local sum
  KAFKA_VERSION=${1:-$KAFKA_VERSION}
  LIBS=$CACHE/$KAFKA_VERSION/libs
  check_java
  sum=$(cksum <"$HERE/KafkaTool.java")
  TOOL=$CACHE/$KAFKA_VERSION/tool-${sum%% *}
  [ -e "$CACHE/$KAFKA_VERSION/complete" ] && [ -d "$TOOL" ] && return 0
  mkdir -p "$CACHE/$KAFKA_VERSION" 2>/dev/null ||
    die "cannot make the folder $CACHE for Kafka's jars; name another one: SLUICE_KAFKA_CACHE=DIR"
  (
    flock 9
    [ -e "$CACHE/$KAFKA_VERSION/complete" ] || fetch_jars
    [ -d "$TOOL" ] || compile_tool
  ) 9>"$CACHE/$KAFKA_VERSION/lock"
}

fetch_jars() {
  local log=$CACHE/$KAFKA_VERSION/maven.log repository=() heartbeat
  command -v mvn >/dev/null || die "Maven (mvn) is needed to fetch Kafka $KAFKA_VERSION the first time; $install_hint"
  # Maven keeps its downloads under the home folder; where there is none, beside the jars.
  if [ -n "${HOME:-}" ] && { [ -w "$HOME/.m2" ] || { [ ! -e "$HOME/.m2" ] && [ -w "$HOME" ]; }; }; then :; else
    repository=("-Dmaven.repo.local=$CACHE/maven")
  fi
  say "fetching Apache Kafka $KAFKA_VERSION with Maven, about 60 MB, once (into $CACHE)"
  (
    exec 9>&-
    while sleep 1; do
      [ $((SECONDS % 10)) -ne 0 ] || say "still fetching: $(grep -c 'Downloaded from' "$log" || true) files after $SECONDS s"
    done
  ) &
  heartbeat=$!
  # shellcheck disable=SC2064
  trap "kill $heartbeat 2>/dev/null || true" EXIT
  rm -rf "$LIBS"
  if ! mvn -B -f "$HERE/pom.xml" -Dkafka.version="$KAFKA_VERSION" ${repository[@]+"${repository[@]}"} \
       dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$LIBS" >"$log" 2>&1 9>&-; then
    grep -m3 ERROR "$log" >&2 || tail -3 "$log" >&2
    die "Maven could not fetch Kafka $KAFKA_VERSION (no network, or no such version?); its log is $log"
  fi
  kill $heartbeat 2>/dev/null || true
  rm -f "$LIBS"/slf4j-reload4j-*.jar   # slf4j-simple is the one logging backend
  touch "$CACHE/$KAFKA_VERSION/complete"
  say "Apache Kafka $KAFKA_VERSION is there after $SECONDS s: $(du -sm "$LIBS" | cut -f1) MB"
}

compile_tool() {
  local javac=${JAVA_HOME:+$JAVA_HOME/bin/}javac
  command -v "$javac" >/dev/null || die "no javac found: this Java is not a JDK; $install_hint"
  rm -rf "$TOOL.new"
  mkdir "$TOOL.new"
  "$javac" -nowarn -cp "$LIBS/*" -d "$TOOL.new" "$HERE/KafkaTool.java" || die "could not compile KafkaTool.java"
  mv "$TOOL.new" "$TOOL"
}

run_java() { "$JAVA" -Xshare:auto -XX:+UseSerialGC -XX:-UsePerfData "$@"; }

kafka_tool() { # KafkaTool.java: admin client, producer and consumer
  local tiers=()
  case $1 in wait|topic) tiers=(-XX:TieredStopAtLevel=1);; esac   # over before the second compiler pays
  run_java ${tiers[@]+"${tiers[@]}"} -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_TOOL_LOG:-error}" \
    -cp "$TOOL:$LIBS/*" KafkaTool "$@"
}

# The folder for clusters, made when it is not there; in a shared /tmp nobody else may have made it for us.
use_run_dir() {
  (umask 077 && mkdir -p "$RUN") 2>/dev/null || die "cannot make the folder $RUN for clusters; name another one: SLUICE_KAFKA_DIR=DIR"
  [ -O "$RUN" ] || die "the folder $RUN belongs to somebody else; name another one: SLUICE_KAFKA_DIR=DIR"
}

# Holds the lock of the cluster with port base $1 until this script ends; fails after $2 seconds of waiting.
lock_cluster() {
  while :; do
    use_run_dir
    exec 9>"$RUN/$1.lock"
    flock -w "$2" 9 || return 1
    [ "$RUN/$1.lock" -ef "/proc/$$/fd/9" ] && return 0   # else `down` has removed it meanwhile
  done
}

# Loads the settings of the running cluster with port base $1; DIR is its folder.
load_cluster() {
  valid_port "$1"
  DIR=$RUN/$1
  [[ -O $RUN && -f $DIR/env ]] || die "no cluster with port base $1; start one: tools/kafka up --port $1"
  # shellcheck disable=SC1091
  . "$DIR/env"
  use_kafka "$KAFKA_VERSION"
}

# Sets BOOTSTRAP: $1 when given (any cluster), else that of our cluster with port base $2.
choose_cluster() {
  if [ -n "$1" ]; then use_kafka; BOOTSTRAP=$1; else load_cluster "$2"; BOOTSTRAP=$KAFKA_BOOTSTRAP; fi
}

# A process is named by its pid and its start time, so that a recycled pid is never signalled; a zombie is gone.
start_time() {
  local stat fields
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }"
  [ "${fields[0]}" != Z ] && echo "${fields[19]}"
}
node_pid() { # prints the live pid of node folder $1, or fails
  local pid started
  [ -f "$1/pid" ] && read -r pid started <"$1/pid" || return 1
  [ "$(start_time "$pid" || true)" = "$started" ] && echo "$pid"
}
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Starts the broker and does not wait. The first one records a class archive, which `down` keeps.
start_node() { # start_node FOLDER
  local d=$1 pid archive=-XX:ArchiveClassesAtExit=$1/broker.jsa
  [ ! -e "$CACHE/$KAFKA_VERSION/broker.jsa" ] || archive=-XX:SharedArchiveFile=$CACHE/$KAFKA_VERSION/broker.jsa
  # shellcheck disable=SC2086
  ( cd "$d" && exec setsid "$JAVA" -Xms64m -Xmx"$KAFKA_HEAP" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 \
      -XX:-UsePerfData -Xshare:auto -Xlog:disable -Xlog:all=error:stderr "$archive" -Djava.awt.headless=true \
      -Dorg.slf4j.simpleLogger.showDateTime=true -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
      -Dorg.slf4j.simpleLogger.defaultLogLevel="${KAFKA_LOG_LEVEL:-info}" -Dkafka.logs.dir="$d" \
      ${KAFKA_JVM_OPTS:-} -cp "$LIBS/*" kafka.Kafka "$d/server.properties" </dev/null >>"$d/log" 2>&1 9>&- ) &
  pid=$!
  disown $pid   # no word from this shell when it is killed
  echo "$pid $(start_time "$pid")" >"$d/pid"
}

wait_node() { # wait_node FOLDER PORT LINES_BEFORE: until the broker says that it serves clients
  local d=$1 port=$2 from=${3:-0} patience=${KAFKA_START_TIMEOUT:-90} limit
  limit=$((SECONDS + patience))
  until tail -n +$((from + 1)) "$d/log" 2>/dev/null | grep -q 'Kafka Server started' && port_open "$port"; do
    if ! node_pid "$d" >/dev/null; then
      tail -n +$((from + 1)) "$d/log" | grep -m5 -E 'ERROR|FATAL|Exception' >&2 || tail -5 "$d/log" >&2
      die "broker $(basename "$d") ended while starting; its log is $d/log"
    fi
    [ $SECONDS -lt $limit ] || die "broker $(basename "$d") is not ready after $patience s (KAFKA_START_TIMEOUT); its log is $d/log"
    sleep 0.1
  done
}

end_node() { # end_node FOLDER SIGNAL: sends the signal and waits; SIGKILL after 20 s
  local d=$1 signal=$2 pid limit=$((SECONDS + 20))
  pid=$(node_pid "$d") || return 0
  kill -CONT "$pid" 2>/dev/null || true
  kill -"$signal" "$pid" 2>/dev/null || true
  while node_pid "$d" >/dev/null; do
    if [ $SECONDS -ge $limit ]; then kill -KILL "$pid" 2>/dev/null || true; fi
    sleep 0.05
  done
  rm -f "$d/pid"
}
