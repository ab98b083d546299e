# Debian packages that each side needs, one list a side; sourced by the launcher and by thimble-test.
# Called as: missing_packages LIST… prints what is not installed; install_packages LIST… installs it, saying so first.

DEVICE_PACKAGES="g++ cmake ninja-build libcli11-dev libfmt-dev nlohmann-json3-dev libhwy-dev libpng-dev libjpeg62-turbo-dev libwebp-dev zlib1g-dev"
WORKBENCH_PACKAGES="libtorch-dev libopenblas0-pthread librsvg2-dev libcairo2-dev libeigen3-dev libsqlite3-dev zlib1g-dev libkissfft-dev libvorbis-dev"
TEST_PACKAGES="libgtest-dev libbenchmark-dev"
FULL_PACKAGES="aapt android-framework-res openssl unzip zip"
EMULATOR_PACKAGES="g++-aarch64-linux-gnu qemu-user googletest"

missing_packages() {
  local package
  for package in "$@"; do
    case "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" in
      installed) ;;
      *) printf '%s ' "$package" ;;
    esac
  done
}

install_packages() {
  local missing sudo=""
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "thimble: these Debian packages (or their like) are missing: $missing" >&2
    return 2
  fi
  [ "$(id -u)" = 0 ] || sudo="sudo"
  echo "thimble: installing missing packages: $missing" >&2
  # shellcheck disable=SC2086
  if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing; } \
      >"${TMPDIR:-/tmp}/thimble-install.$$.log" 2>&1; then
    echo "thimble: installing failed; the last lines of ${TMPDIR:-/tmp}/thimble-install.$$.log:" >&2
    tail -n 5 "${TMPDIR:-/tmp}/thimble-install.$$.log" >&2
    return 2
  fi
  rm -f "${TMPDIR:-/tmp}/thimble-install.$$.log"
}
