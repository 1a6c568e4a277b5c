#!/bin/sh
# A campaign as a task array of HyperQueue: ./submit.sh SHARDS [OPTION OF framebench run]...
# Run again, it measures only what is missing. The server and its workers: site/docs/clusters/hyperqueue.md.
set -eu
case "${1:-}" in
'' | 0* | *[!0-9]*)
  echo "$0: say first into how many shards: $0 4 --suite cpu --executor venv" >&2
  exit 2
  ;;
esac
shards=$1
shift
clone=$(cd "$(dirname "$0")/../.." && pwd)
# All CPUs of a worker for each task: nothing else may run on the node that is measured.
exec hq submit --name framebench --array "1-$shards" --cpus all -- \
  "$clone/.venv/bin/framebench" run --budget none --shard "auto/$shards" "$@"
