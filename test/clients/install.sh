#!/usr/bin/env bash
# Installs the clients of test/clients, and Apache Kafka itself, outside the checkout, and prints where each part is as
# `name=path` lines (all other output goes to stderr). The folder is named by the versions (poms, requirements.txt, go.mod,
# package-lock.json), so a second run only looks. Usage: install.sh [kafka|kcat|python|java|go|node]...   (default: all)
# FLOTILLA_CACHE names another folder than ~/.cache/flotilla.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${FLOTILLA_CACHE:-$HOME/.cache/flotilla}
layout=1 # raise it when a step below installs something else for the same versions
digest() { cat "$@" | sha256sum | cut -c1-12; }

versions=$( (echo $layout && cd "$here" && cat java/pom.xml java/tools-pom.xml python/requirements.txt go/go.mod go/go.sum \
  node/package.json node/package-lock.json) | sha256sum | cut -c1-12)
cache=$root/clients-$versions
log=$cache/install.log
mkdir -p "$cache"

# Two runs at once (the suite and the benchmark) take turns.
if command -v flock > /dev/null; then
  exec 9> "$root/.install-lock"
  flock 9
fi

say() { echo "clients: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

# step <name> <what it does, for people> <function>: runs the function once per cache folder.
step() {
  [ -e "$cache/.done-$1" ] && return
  say "$2"
  if ! ("$3") >> "$log" 2>&1 9>&-; then
    tail -n 25 "$log" >&2
    fail "could not $2 (the whole output is in $log)"
  fi
  touch "$cache/.done-$1"
}

# need <command> <Debian packages> [<test>]: installs the packages when the command (or the test) is not there.
need() {
  if [ -n "${3:-}" ]; then eval "$3" > /dev/null 2>&1 && return; else command -v "$1" > /dev/null && return; fi
  local sudo=''
  [ "$(id -u)" = 0 ] || sudo='sudo -n'
  command -v apt-get > /dev/null || fail "$1 is missing, and there is no apt-get to install it with: install $2"
  say "install $2 with apt-get"
  if ! { $sudo apt-get update -q=2 && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q=2 $2; } >> "$log" 2>&1 9>&-; then
    tail -n 5 "$log" >&2
    fail "$1 is missing and apt-get could not install it: install $2"
  fi
}

jdk17='[ "$(javac -version 2>&1 | sed -E "s/javac ([0-9]+).*/\1/")" -ge 17 ]'

copy_jars() { # <pom> <folder>
  rm -rf "$2"
  # A folder of its own for the pom: Maven may write next to it, and the checkout stays clean.
  mkdir -p "$2" && cp "$1" "$2/pom.xml"
  mvn -q -B -f "$2/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$2" -DincludeScope=runtime
}
kafka_jars() { copy_jars "$here/java/pom.xml" "$cache/kafka"; }
tools_jars() { copy_jars "$here/java/tools-pom.xml" "$cache/tools"; }

install_kafka() {
  need javac openjdk-17-jdk-headless "$jdk17"
  need mvn maven
  step kafka 'fetch Apache Kafka from Maven Central' kafka_jars
  step tools "fetch Kafka's command line tools from Maven Central" tools_jars
  echo "kafka=$cache/kafka"
  echo "tools=$cache/tools"
}

install_kcat() {
  need kcat kcat
  echo "kcat=$(command -v kcat)"
}

python_venv() {
  rm -rf "$cache/python"
  python3 -m venv "$cache/python"
  "$cache/python/bin/pip" install -q --no-input --only-binary :all: -r "$here/python/requirements.txt"
}
install_python() {
  need python3 'python3 python3-venv' 'python3 -c "import ensurepip, venv"'
  step python 'fetch confluent-kafka from PyPI' python_venv
  echo "python=$cache/python/bin/python"
}

java_compile() { rm -rf "$cache/java-$java_program" && javac -nowarn -d "$cache/java-$java_program" -cp "$cache/kafka/*" "$here"/java/*.java; }
install_java() {
  install_kafka
  java_program=$(digest "$here"/java/*.java)
  step "java-$java_program" 'compile the Java program' java_compile
  echo "java=$cache/java-$java_program"
}

go_build() { cd "$here/go" && GOFLAGS=-mod=readonly go build -o "$cache/go-$go_program/" ./franz ./sarama; }
install_go() {
  command -v go > /dev/null || fail 'go is missing: install Go 1.21 or newer (it fetches the version that go.mod asks for)'
  go_program=$(digest "$here"/go/*/*.go)
  step "go-$go_program" 'fetch franz-go and sarama from the Go module proxy and build the Go programs' go_build
  echo "franz=$cache/go-$go_program/franz"
  echo "sarama=$cache/go-$go_program/sarama"
}

node_modules() {
  rm -rf "$cache/node" && mkdir -p "$cache/node"
  cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/"
  cd "$cache/node" && npm ci --silent --no-audit --no-fund --ignore-scripts
}
install_node() {
  command -v npm > /dev/null || fail 'npm is missing: install Node.js with npm'
  step node 'fetch kafkajs and @platformatic/kafka from the npm registry' node_modules
  echo "node=$cache/node"
}

echo "cache=$cache"
for part in "${@:-all}"; do
  case $part in
    kafka | kcat | python | java | go | node) "install_$part" ;;
    all) for each in kcat python java go node; do "install_$each"; done ;;
    *) fail "unknown part '$part': kafka, kcat, python, java, go, node" ;;
  esac
done
