#!/usr/bin/env bash
# Fails when a source differs from what clang-format 14 makes of it (`--fix` rewrites).
set -u
cd "$(dirname "$0")/.." || exit 2
formatter=$(command -v clang-format-14 || command -v clang-format) || { echo "format: clang-format 14 is not installed, check skipped"; exit 0; }
mapfile -t files < <(git ls-files '*.h' '*.cpp' '*.c' '*.hpp')
if [ "${1:-}" = --fix ]; then
  "$formatter" -i "${files[@]}"
else
  "$formatter" --dry-run --Werror "${files[@]}" && echo "format: ${#files[@]} files are as clang-format 14 writes them"
fi
