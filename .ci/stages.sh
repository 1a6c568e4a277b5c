# Sourced: `stage NAME COMMAND...` runs a stage and notes its time; `report_stages` prints them all.
stage_names=() stage_seconds=()
stage() {
  local name=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@" || { printf '== %s failed after %d s\n' "$name" $((SECONDS - started)); report_stages; exit 1; }
  stage_names+=("$name") stage_seconds+=($((SECONDS - started)))
}
report_stages() {
  printf '\n== time of each stage\n'
  local i
  for i in "${!stage_names[@]}"; do printf '%6d s  %s\n' "${stage_seconds[i]}" "${stage_names[i]}"; done
  printf '%6d s  in all\n' "$SECONDS"
}
