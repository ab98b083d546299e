# Header-only stand-ins for a cross build: fmt, nlohmann-json and Highway from the host's own headers (they are the
# same for every processor), GoogleTest from its Debian source package. Each is linked into a folder of its own, so
# that no other header of the host is seen.
set(shared_headers ${CMAKE_BINARY_DIR}/headers)
file(MAKE_DIRECTORY ${shared_headers})
foreach(name fmt nlohmann hwy)
  if(NOT EXISTS /usr/include/${name})
    message(FATAL_ERROR "headers of ${name} are missing: install libfmt-dev, nlohmann-json3-dev and libhwy-dev")
  endif()
  file(CREATE_LINK /usr/include/${name} ${shared_headers}/${name} SYMBOLIC)
endforeach()

add_library(thimble_cross_fmt INTERFACE)
target_include_directories(thimble_cross_fmt SYSTEM INTERFACE ${shared_headers})
target_compile_definitions(thimble_cross_fmt INTERFACE FMT_HEADER_ONLY)
add_library(fmt::fmt ALIAS thimble_cross_fmt)
add_library(thimble_cross_json INTERFACE)
target_include_directories(thimble_cross_json SYSTEM INTERFACE ${shared_headers})
add_library(nlohmann_json::nlohmann_json ALIAS thimble_cross_json)

if(THIMBLE_TESTS)
  add_subdirectory(/usr/src/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  if(NOT TARGET GTest::gtest)
    add_library(GTest::gtest ALIAS gtest)
    add_library(GTest::gtest_main ALIAS gtest_main)
  endif()
endif()
