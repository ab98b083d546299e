// thimble_tiny_model FILE: writes the tiny random model of tests/support/tiny_model.h.
#include <cstdio>
#include <exception>

#include "tests/support/tiny_model.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: thimble_tiny_model FILE\n", stderr), 2;
  try {
    thimble::testing::write_tiny_model(argv[1], {.stored = thimble::DType::bf16});
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 2;
  }
  return 0;
}
