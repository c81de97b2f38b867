#!/usr/bin/env bash
# Builds librdkafka's own rdkafka_performance (from Debian's source package, or the path in RDKAFKA_PERFORMANCE) outside the
# checkout and prints where it is. A second run only looks.
set -euo pipefail
if [ -n "${RDKAFKA_PERFORMANCE:-}" ]; then
  echo "$RDKAFKA_PERFORMANCE"
  exit
fi
cache=${FLOTILLA_CACHE:-$HOME/.cache/flotilla}/rdkafka-performance
binary=$cache/rdkafka_performance
if [ ! -x "$binary" ]; then
  command -v apt-get > /dev/null || {
    echo 'bench: needs apt-get for the source of librdkafka, or RDKAFKA_PERFORMANCE=<path of rdkafka_performance>' >&2
    exit 1
  }
  mkdir -p "$cache/lists/partial"
  cd "$cache"
  sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1 | sed "s|.*|deb-src & $(. /etc/os-release && echo "$VERSION_CODENAME") main|" > source.list
  apt="-q=2 -o Dir::Etc::sourcelist=$cache/source.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$cache/lists"
  {
    # shellcheck disable=SC2086
    apt-get $apt update && apt-get $apt source --download-only librdkafka
    tar xf librdkafka_*.orig.tar.gz
    cd librdkafka-*/
    ./configure --disable-sasl --disable-ssl --disable-zstd --disable-curl
    make -j2 -C src librdkafka.a
    make -C examples rdkafka_performance
    mv examples/rdkafka_performance "$binary"
    cd "$cache" && rm -rf librdkafka* lists source.list
  } >&2
fi
echo "$binary"
