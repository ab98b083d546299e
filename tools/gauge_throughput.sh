#!/usr/bin/env bash
# How fast `thimble gauge scan` is beside `unzip -t` of the same bytes, on two processors.
#   tools/gauge_throughput.sh PROGRAM BUILT [FOLDER] [ROUNDS]
# PROGRAM: the workbench program. BUILT: packages of gauge/testing/build_apks.sh. FOLDER: fetched npm packages, default
# data-cache/gauge. The apks and aars inside the latter are laid out first, since unzip does not read tarballs.
# Rounds are interleaved; of each the wall time and the processor time are printed, and the least of all rounds.
set -euo pipefail
program=$(realpath "$1") built=$(realpath "$2")
material=$(realpath "${3:-${GAUGE_MATERIAL:-data-cache/gauge}}")
rounds=${4:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/corpus"
for tarball in "$material"/*.tgz; do
  name=$(basename "$tarball" .tgz)
  mkdir "$work/one"
  tar xzf "$tarball" -C "$work/one" --wildcards '*.apk' '*.aar' 2> /dev/null || true
  find "$work/one" -type f \( -name '*.apk' -o -name '*.aar' \) | while read -r file; do
    mv "$file" "$work/corpus/$name-$(basename "$file")"
  done
  rm -rf "$work/one"
  # The rest of the package as a zip: the same files, so that unzip reads them too.
  mkdir "$work/one"
  tar xzf "$tarball" -C "$work/one" --exclude '*.apk' --exclude '*.aar'
  (cd "$work/one" && zip -q -X -r -6 "$work/corpus/$name.zip" .)
  rm -rf "$work/one"
done
find "$built" -maxdepth 1 -type f ! -name '*.tsv' -exec ln -s {} "$work/corpus/" \;
mapfile -t files < <(find "$work/corpus" \( -type f -o -type l \) | sort)
bytes=$(stat -L -c %s "${files[@]}" | awk '{s += $1} END {print s}')
unpacked=$(for f in "${files[@]}"; do unzip -l "$f" | tail -1; done | awk '{s += $1} END {print s}')
echo "${#files[@]} packages, $((bytes / 1000000)) MB, $((unpacked / 1000000)) MB unpacked once"

measure() {  # what, command…: wall and processor seconds, MB/s
  local what=$1 wall user system
  shift
  read -r wall user system < <({ TIMEFORMAT='%R %U %S'; time taskset -c 0,1 "$@" > /dev/null 2> "$work/said"; } 2>&1 | tail -1)
  awk -v what="$what" -v w="$wall" -v c="$user" -v s="$system" -v b="$bytes" \
    'BEGIN { printf "%-22s %7.2f s wall %7.2f s processor %8.1f MB/s\n", what, w, c + s, b / w / 1e6 }' | tee -a "$work/lines"
}
cat "${files[@]}" > /dev/null  # into the page cache
for ((round = 0; round < rounds; ++round)); do
  rm -f "$work"/scan.db*
  measure 'gauge scan, 2 jobs' "$program" gauge scan "${files[@]}" --db "$work/scan.db" --jobs 2 --json
  printf '%s\0' "${files[@]}" > "$work/list"
  measure 'unzip -t, 2 processes' sh -c "xargs -0 -P 2 -n 8 sh -c 'for f; do unzip -tqq \"\$f\"; done' sh < '$work/list'"
done
echo 'the least wall time of each:'
for what in 'gauge scan' 'unzip -t'; do grep "^$what" "$work/lines" | sed 's/ \([0-9.]*\) s wall/\t\1\t s wall/' | sort -t"$(printf '\t')" -k2,2n | head -1 | tr -d '\t'; done
