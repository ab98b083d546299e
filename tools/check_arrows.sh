#!/usr/bin/env bash
# Fails when a folder includes one that its row does not name: the arrows of docs/layout.md, kept one-way.
# Tests may look further (they also include tests/support); nothing may include cli, tests or bench.
set -u
cd "$(dirname "$0")/.." || exit 2

# folder: what it may include besides itself
table='
base:
kernels: base
graph: base
formats: base graph
media: base
plot: base media
net: base
text: base
dsp: base kernels media
voice: base media dsp data net plot
models: base graph
passes: base graph kernels
runtime: base graph kernels
diffusion: base graph formats media text models passes
api: base kernels graph formats media text models passes runtime diffusion
data: base media text dsp
metrics: base graph formats media models
gauge: base graph formats passes runtime
train: base graph formats media text models passes diffusion data metrics plot
cli/device: base kernels graph formats media text models passes runtime diffusion api
cli/workbench: base kernels graph formats media text models passes runtime diffusion api data metrics train plot net dsp gauge voice
'
workbench_only='plot data metrics train net dsp gauge voice'

status=0
complain() {
  echo "$1"
  status=1
}

while IFS=: read -r folder allowed; do
  [ -n "$folder" ] && [ -d "$folder" ] || continue
  while IFS=: read -r file line include; do
    case "$file" in *_test.cpp|*_bench.cpp) continue ;; esac
    target=${include#*\"}
    target=${target%%\"*}
    top=${target%%/*}
    [ -d "$top" ] || continue
    if [ "${folder#*/}" != "$folder" ] && [ "$top" = "${folder%%/*}" ]; then
      continue  # cli/device may include cli/…
    fi
    case " $folder $allowed " in
      *" $top "*) ;;
      *) complain "$file:$line: $folder must not include $target (allowed:$allowed)" ;;
    esac
  done < <(grep -rnE '^ *#include "' "$folder" --include='*.h' --include='*.cpp' --include='*.inc')
done <<< "$table"

# LibTorch is named in train/ only; GoogleTest in tests only.
while IFS= read -r hit; do
  complain "$hit: only train/ may include LibTorch"
done < <(grep -rnE '#include <(torch|ATen|c10)/' --include='*.h' --include='*.cpp' . 2>/dev/null | grep -vE '^\./(train|build|\.cache)/' | cut -d: -f1,2)

# The device side never reaches the workbench side.
for folder in base kernels graph formats media text models passes runtime diffusion api cli/device; do
  [ -d "$folder" ] || continue
  for other in $workbench_only; do
    while IFS= read -r hit; do
      complain "$hit: the device side must not include $other/"
    done < <(grep -rnE "^ *#include \"$other/" "$folder" --include='*.h' --include='*.cpp' 2>/dev/null | cut -d: -f1,2)
  done
done

[ "$status" = 0 ] && echo "arrows: every include follows the table"
exit "$status"
