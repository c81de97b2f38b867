#!/usr/bin/env bash
# Installs the clients of test/clients, and Apache Kafka itself, outside the checkout, and prints where each part is as
# `name=path` lines (all other output goes to stderr). Every folder is named by what it was made from (a pom, requirements.txt,
# go.mod, package-lock.json, the sources of a program), so a second run only looks.
# Usage: install.sh [kafka|kcat|python|readers|java|streams|go|node]...   (default: all). FLOTILLA_CACHE: a folder other than ~/.cache/flotilla.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${FLOTILLA_CACHE:-$HOME/.cache/flotilla}/clients
log=$cache/install.log
mkdir -p "$cache"

# Two runs at once (the suite and the benchmark) take turns.
if command -v flock > /dev/null; then
  exec 9> "$cache/.lock"
  flock 9
fi

say() { echo "clients: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# make <folder> <what it does, for people> <function>: runs the function, which fills the folder, unless it is there already.
make() {
  [ -e "$1/.complete" ] && return
  say "$2"
  rm -rf "$1" && mkdir -p "$1"
  # Not as a condition of `if`: bash would go on after a failing line inside it.
  set +e
  (set -e && "$3" "$1") > "$log" 2>&1 9>&-
  local code=$?
  set -e
  if [ $code != 0 ]; then
    tail -n 25 "$log" >&2
    fail "could not $2 (the whole output is in $log)"
  fi
  touch "$1/.complete"
}

digest() { cat "$@" | sha256sum | cut -c1-12; }

# need <command> <Debian packages> [<test>]: installs the packages when the command is missing or the test fails.
need() {
  if [ -n "${3:-}" ]; then eval "$3" > /dev/null 2>&1 && return; else command -v "$1" > /dev/null && return; fi
  local sudo=''
  [ "$(id -u)" = 0 ] || sudo='sudo -n'
  command -v apt-get > /dev/null || fail "$1 is missing, and there is no apt-get to install it with: install $2"
  say "install $2 with apt-get"
  # shellcheck disable=SC2086 # several packages
  if ! { $sudo apt-get update -q=2 && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q=2 $2; } > "$log" 2>&1 9>&-; then
    tail -n 5 "$log" >&2
    fail "$1 is missing and apt-get could not install it: install $2"
  fi
}

jars() { # <folder> <pom>
  # A copy of the pom, because Maven may write next to it and the checkout stays clean.
  cp "$2" "$1/pom.xml"
  mvn -q -B -f "$1/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$1" -DincludeScope=runtime
}
kafka_jars() { jars "$1" "$here/java/pom.xml"; }
tools_jars() { jars "$1" "$here/java/tools-pom.xml"; }

install_kafka() {
  need javac openjdk-17-jdk-headless '[ "$(javac -version 2>&1 | sed -E "s/javac ([0-9]+).*/\1/")" -ge 17 ]'
  need mvn maven
  kafka=$cache/kafka-$(digest "$here/java/pom.xml")
  make "$kafka" 'fetch Apache Kafka from Maven Central' kafka_jars
  local tools
  tools=$cache/tools-$(digest "$here/java/tools-pom.xml")
  make "$tools" "fetch Kafka's command line tools from Maven Central" tools_jars
  echo "kafka=$kafka"
  echo "tools=$tools"
}

install_kcat() {
  need kcat kcat
  echo "kcat=$(command -v kcat)"
}

python_venv() {
  python3 -m venv "$1"
  "$1/bin/pip" install -q --no-input --only-binary :all: -r "$here/python/requirements.txt"
}
install_python() {
  need python3 'python3 python3-venv' 'python3 -c "import ensurepip, venv"'
  local python
  python=$cache/python-$(digest "$here/python/requirements.txt")
  make "$python" 'fetch confluent-kafka from PyPI' python_venv
  echo "python=$python/bin/python"
}

readers_venv() {
  python3 -m venv "$1"
  "$1/bin/pip" install -q --no-input --only-binary :all: -r "$here/python/readers.txt"
}
install_readers() {
  need python3 'python3 python3-venv' 'python3 -c "import ensurepip, venv"'
  local readers
  readers=$cache/readers-$(digest "$here/python/readers.txt")
  make "$readers" 'fetch programs that watch consumer groups from PyPI' readers_venv
  echo "readers=$readers/bin"
}

java_classes() { javac -nowarn -d "$1" -cp "$kafka/*" "$here"/java/*.java; }
install_java() {
  install_kafka
  local java
  java=$cache/java-$(digest "$here"/java/pom.xml "$here"/java/*.java)
  make "$java" 'compile the Java program' java_classes
  echo "java=$java"
}

streams_jars() { jars "$1" "$here/exactly-once/pom.xml"; }
streams_classes() { javac -nowarn -d "$1" -cp "$streams/*" "$here"/exactly-once/*.java; }
install_streams() {
  need javac openjdk-17-jdk-headless '[ "$(javac -version 2>&1 | sed -E "s/javac ([0-9]+).*/\1/")" -ge 17 ]'
  need mvn maven
  local programs
  streams=$cache/streams-$(digest "$here/exactly-once/pom.xml")
  make "$streams" 'fetch Kafka Streams from Maven Central' streams_jars
  programs=$cache/exactly-once-$(digest "$here"/exactly-once/pom.xml "$here"/exactly-once/*.java)
  make "$programs" 'compile the programs with transactions' streams_classes
  echo "streams=$streams"
  echo "exactlyOnce=$programs"
}

go_binaries() { cd "$here/go" && GOFLAGS=-mod=readonly go build -o "$1/" ./franz ./sarama ./offsets; }
install_go() {
  command -v go > /dev/null || fail 'go is missing: install Go 1.21 or newer (it fetches the version that go.mod asks for)'
  local go
  go=$cache/go-$(digest "$here"/go/go.mod "$here"/go/go.sum "$here"/go/*/*.go)
  make "$go" 'fetch franz-go and sarama from the Go module proxy and build the Go programs' go_binaries
  echo "franz=$go/franz"
  echo "sarama=$go/sarama"
  echo "offsets=$go/offsets"
}

node_modules() {
  cp "$here/node/package.json" "$here/node/package-lock.json" "$1/"
  cd "$1" && npm ci --silent --no-audit --no-fund --ignore-scripts
}
install_node() {
  command -v npm > /dev/null || fail 'npm is missing: install Node.js with npm'
  local node
  node=$cache/node-$(digest "$here"/node/package.json "$here"/node/package-lock.json)
  make "$node" 'fetch kafkajs and @platformatic/kafka from the npm registry' node_modules
  echo "node=$node"
}

for part in "${@:-all}"; do
  case $part in
    kafka | kcat | python | readers | java | streams | go | node) "install_$part" ;;
    all) for each in kcat python readers java streams go node; do "install_$each"; done ;;
    *) fail "unknown part '$part': kafka, kcat, python, readers, java, streams, go, node" ;;
  esac
done
