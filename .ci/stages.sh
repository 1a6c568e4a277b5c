# Sourced: `stage NAME COMMAND...` runs a stage and notes its time; `beside NAME COMMAND...` starts one that runs next to
# the following stages until `join` waits for it and shows what it printed; `report_stages` prints all times. Where a stage
# fails, the one beside it is stopped, and what it has printed so far is shown. After `resume`, a stage that has passed on
# this very commit is not run again.
stage_names=() stage_seconds=() beside_pid= passed=
resume() {
  git diff --quiet HEAD || return 0 # what was changed since the commit has not passed yet
  passed=build/ci/passed/$(git rev-parse HEAD)
  mkdir -p "$passed"
}
has_passed() { [ -n "$passed" ] && [ -e "$passed/${1// /-}" ] && printf '\n== %s: has passed before\n' "$1"; }
stage() {
  local name=$1 started=$SECONDS
  shift
  has_passed "$name" && return 0
  printf '\n== %s\n' "$name"
  "$@" || { printf '== %s failed after %d s\n' "$name" $((SECONDS - started)); stop_beside; report_stages; exit 1; }
  [ -z "$passed" ] || touch "$passed/${name// /-}"
  stage_names+=("$name") stage_seconds+=($((SECONDS - started)))
}
beside() {
  beside_name=$1
  shift
  has_passed "$beside_name" && return 0
  mkdir -p build/ci
  beside_log=$PWD/build/ci/beside.log
  printf '\n== %s: started, shown when it has ended\n' "$beside_name"
  setsid "$@" >"$beside_log" 2>&1 & # a group of its own, so that all of it can be stopped
  beside_pid=$!
  trap stop_beside EXIT
}
join() { [ -z "$beside_pid" ] || stage "$beside_name" shown_when_ended; }
shown_when_ended() {
  local code=0
  wait "$beside_pid" || code=$?
  beside_pid=
  cat "$beside_log"
  return "$code"
}
stop_beside() {
  [ -n "$beside_pid" ] || return 0
  kill -- "-$beside_pid" 2>/dev/null || true
  printf '\n== %s, so far\n' "$beside_name"
  cat "$beside_log"
  beside_pid=
}
report_stages() {
  printf '\n== time of each stage\n'
  local i
  for i in "${!stage_names[@]}"; do printf '%6d s  %s\n' "${stage_seconds[i]}" "${stage_names[i]}"; done
  printf '%6d s  in all\n' "$SECONDS"
}
