#!/usr/bin/env bash
# Makes corpora for the fuzz targets fuzz_gauge_<name> out of real files of at most 1 MiB (what the driver takes):
#   gauge/testing/fuzz_corpus.sh OUT BUILT [FOLDER]    BUILT: of build_apks.sh; FOLDER: fetched packages
#   build/tests/fuzz/fuzz_gauge_dex --corpus OUT/dex --seconds 600
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd) built=$(realpath "$2") material=$(realpath "${3:-data-cache/gauge}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for tarball in "$material"/*.tgz; do
  mkdir -p "all/$(basename "$tarball" .tgz)"
  tar xzf "$tarball" -C "all/$(basename "$tarball" .tgz)" --exclude='*wasm*' --exclude='*.js' --exclude='*.map'
done
find all \( -name '*.apk' -o -name '*.aar' \) | while read -r file; do
  mkdir -p "$file.parts" && unzip -q -o "$file" -d "$file.parts" -x 'res/*' 2> /dev/null || true
done
for way in stored obb bundle splits; do
  for file in "$built"/face-"$way".*; do mkdir -p "all/$way" && unzip -q -o "$file" -d "all/$way"; done
done
sort_out() {  # target, find's conditions
  mkdir -p "$out/$1"
  find all -type f -size -1025k "${@:2}" | head -200 | while read -r file; do
    cp "$file" "$out/$1/$(sha256sum "$file" | cut -c1-12)"
  done
  echo "$1: $(find "$out/$1" -type f | wc -l) files"
}
sort_out zip \( -name '*.apk' -o -name '*.jar' -o -name '*.obb' \)
sort_out scan \( -name '*.apk' -o -name '*.data' -o -name '*.dm' -o -name '*.obb' \)
sort_out axml -name AndroidManifest.xml
sort_out dex -name '*.dex'
sort_out tflite -name '*.tflite'
sort_out onnx -name '*.onnx'
sort_out import_tflite -name '*.tflite'
sort_out import_onnx -name '*.onnx'
sort_out ncnn -name '*.param'
sort_out caffe \( -name '*.caffemodel' -o -name '*.prototxt' \)
sort_out prototxt -name '*.prototxt'
mkdir -p "$out/elf"  # libraries are larger: their beginnings, with all that the loader reads first
find all -name '*.so' | while read -r file; do head -c 1048576 "$file" > "$out/elf/$(sha256sum "$file" | cut -c1-12)"; done
echo "elf: $(find "$out/elf" -type f | wc -l) files"
