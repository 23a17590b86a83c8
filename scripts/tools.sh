# Shell functions that the scripts share; sourced, never run.

# require TOOL...: ends the script when a tool is not on PATH.
require() {
  local tool missing=()
  for tool in "$@"; do
    command -v "$tool" > /dev/null 2>&1 || missing+=("$tool")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    echo "$(basename "$0"): not found on PATH: ${missing[*]}; run scripts/setup first." >&2
    exit 1
  fi
}

# tool_versions TOOL...: the date and one line for each tool, for reports that quote figures.
tool_versions() {
  local tool flag
  date -u +%Y-%m-%d
  for tool in "$@"; do
    [ "$tool" = iverilog ] && flag=-V || flag=--version
    "$tool" "$flag" 2> /dev/null | sed -n 1p
  done
}

# rust_version: the oldest Rust that the workspace accepts, from Cargo.toml.
rust_version() {
  sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml
}

# write_vectors: asks the foreign implementations for every vector under tests/vectors/ again.
write_vectors() {
  local script
  for script in scripts/vectors/*.py; do
    PYTHONDONTWRITEBYTECODE=1 target/venv/bin/python "$script"
  done
}
