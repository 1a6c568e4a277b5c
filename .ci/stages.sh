# Sourced: `stage NAME COMMAND...` runs a stage and notes its time; `beside NAME COMMAND...` starts one that runs next to
# the following stages until `join` waits for it and shows what it printed; `report_stages` prints all times.
stage_names=() stage_seconds=()
stage() {
  local name=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || { printf '== %s failed after %d s\n' "$name" $((SECONDS - started)); report_stages; exit 1; }
  stage_names+=("$name") stage_seconds+=($((SECONDS - started)))
}
beside() {
  beside_name=$1
  shift
  mkdir -p build/ci
  beside_log=$PWD/build/ci/beside.log
  printf '\n== %s: started, shown when it has ended\n' "$beside_name"
  (
    code=0
    "$@" >"$beside_log" 2>&1 || code=$?
    echo "$beside_name: ended with $code after $SECONDS s since the start of all" >>"$beside_log"
    exit "$code"
  ) &
  beside_pid=$!
  trap 'kill "$beside_pid" 2>/dev/null || true' EXIT
}
join() { stage "$beside_name" shown_when_ended; }
shown_when_ended() {
  local code=0
  wait "$beside_pid" || code=$?
  cat "$beside_log"
  return "$code"
}
report_stages() {
  printf '\n== time of each stage\n'
  local i
  for i in "${!stage_names[@]}"; do printf '%6d s  %s\n' "${stage_seconds[i]}" "${stage_names[i]}"; done
  printf '%6d s  in all\n' "$SECONDS"
}
