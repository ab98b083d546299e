# Helpers that every folder's CMakeLists.txt uses. Not here: options (root file), toolchains (presets).

include(GNUInstallDirs)
if(THIMBLE_STATIC)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endif()
find_package(Threads REQUIRED)
if(CMAKE_CROSSCOMPILING)
  include(cross_headers)
else()
  find_package(fmt REQUIRED)
  find_package(nlohmann_json REQUIRED)
endif()
set(THIMBLE_FMT fmt::fmt)
if(THIMBLE_STATIC)
  add_library(thimble_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/fmt_static.cpp)
  get_target_property(fmt_include fmt::fmt-header-only INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(thimble_fmt SYSTEM PUBLIC $<BUILD_INTERFACE:${fmt_include}>)
  set(THIMBLE_FMT $<BUILD_INTERFACE:thimble_fmt>)
endif()
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)  # the sloppiness is what it asks for beside precompiled headers
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime ${CCACHE_PROGRAM})
endif()

function(thimble_folder name)
  if(EXISTS ${CMAKE_SOURCE_DIR}/${name}/CMakeLists.txt)
    add_subdirectory(${name})
  endif()
endfunction()

function(thimble_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<BOOL:${THIMBLE_WERROR}>:-Werror>)
  if(THIMBLE_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=address,undefined)
  endif()
endfunction()

# Half of a small file's compile time is reading fmt, nlohmann-json and the standard library: read once for the device
# side, whose libraries share one set of flags. Kernels have flags of their own and include none of these.
if(NOT CMAKE_CROSSCOMPILING)
  add_library(thimble_headers STATIC ${CMAKE_SOURCE_DIR}/cmake/headers.cpp)
  target_link_libraries(thimble_headers PRIVATE ${THIMBLE_FMT} nlohmann_json::nlohmann_json Threads::Threads)
  thimble_compile_options(thimble_headers)
  target_precompile_headers(thimble_headers PRIVATE
    <algorithm> <array> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <numeric> <optional> <set> <span>
    <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp>)
endif()

# thimble_library(<folder> SOURCES a.cpp ... DEPENDS thimble_base ... [PRIVATE_DEPENDS lib ...])
# Makes the static target thimble_<folder>; includes are written from the root.
function(thimble_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  set(target thimble_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}>)
  target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  thimble_compile_options(${target})
  if(TARGET thimble_headers AND name MATCHES "^(base|graph|models|text|media|passes|runtime|diffusion|api|formats_.*)$")
    target_precompile_headers(${target} REUSE_FROM thimble_headers)
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
    # Files of one folder are compiled some at a time, which halves the work again; names in unnamed namespaces are
    # therefore unique within a folder.
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# thimble_test(<name> SOURCES a_test.cpp ... DEPENDS thimble_x ... [LABELS fast|torch|full ...])
# One GoogleTest program; every TEST is a ctest case. Label `fast` unless said otherwise.
function(thimble_test name)
  if(NOT THIMBLE_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if(NOT TARGET GTest::gtest)
    find_package(GTest REQUIRED)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gtest_main)
  thimble_compile_options(${name})
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set(seconds 600)
  if(CMAKE_CROSSCOMPILING)  # run by an emulator
    set(seconds 3600)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${seconds})
endfunction()

# thimble_bench(<name> SOURCES ... DEPENDS ...): a Google Benchmark program, or a plain one.
function(thimble_bench name)
  if(NOT THIMBLE_BENCH)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  thimble_compile_options(${name})
endfunction()
