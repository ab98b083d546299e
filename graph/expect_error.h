// For tests: the message of the Error that a call throws.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace thimble::graph {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// Every one of `parts` occurs in the message.
template <class F>
void expect_error(F&& f, std::initializer_list<std::string> parts) {
  const std::string message = message_of(std::forward<F>(f));
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is missing in: " << message;
  }
}

}  // namespace thimble::graph
