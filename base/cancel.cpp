#include "base/cancel.h"

#include <csignal>

namespace thimble {
namespace {

void on_signal(int signal) {
  interrupt_token().cancel();
  std::signal(signal, SIG_DFL);
}

}  // namespace

CancelToken& interrupt_token() {
  static CancelToken token;
  return token;
}

void install_interrupt_handler() {
  interrupt_token();  // constructed before a signal can come
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

}  // namespace thimble
