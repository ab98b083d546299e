# Finds LibTorch and makes the target `thimble_torch`. THIMBLE_TORCH_DIR names another one than the system's: a folder
# with include/ and lib/, such as the `torch` folder inside Python's package. Its own CMake files are not used: they
# insist on the build machine's CUDA and protobuf even for a CPU program.

if(TARGET thimble_torch)
  return()
endif()

if(THIMBLE_TORCH_DIR)
  set(torch_include_hints ${THIMBLE_TORCH_DIR}/include)
  set(torch_lib_hints ${THIMBLE_TORCH_DIR}/lib)
  set(torch_search NO_DEFAULT_PATH)
endif()
find_path(ThimbleTorch_INCLUDE ATen/ATen.h HINTS ${torch_include_hints} ${torch_search})
foreach(lib torch_cpu torch c10 torch_cuda c10_cuda)
  find_library(ThimbleTorch_${lib} ${lib} HINTS ${torch_lib_hints} ${torch_search})
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(ThimbleTorch
  REQUIRED_VARS ThimbleTorch_INCLUDE ThimbleTorch_torch_cpu ThimbleTorch_c10
  REASON_FAILURE_MESSAGE "Install libtorch-dev, or set THIMBLE_TORCH_DIR to a folder with include/ and lib/")

if(ThimbleTorch_FOUND)
  add_library(thimble_torch INTERFACE)
  target_include_directories(thimble_torch SYSTEM INTERFACE
    ${ThimbleTorch_INCLUDE} ${ThimbleTorch_INCLUDE}/torch/csrc/api/include)
  target_link_libraries(thimble_torch INTERFACE ${ThimbleTorch_torch_cpu} ${ThimbleTorch_c10})
  if(THIMBLE_TORCH_DIR AND EXISTS ${THIMBLE_TORCH_DIR}/include/fmt)
    # Its own copy of fmt's headers comes before the system's; no library of that version is linked.
    target_compile_definitions(thimble_torch INTERFACE FMT_HEADER_ONLY)
  endif()
  if(ThimbleTorch_torch_cuda)
    # Nothing names a symbol of the CUDA library: it registers itself when it is loaded.
    target_link_libraries(thimble_torch INTERFACE
      "-Wl,--no-as-needed" ${ThimbleTorch_torch_cuda} ${ThimbleTorch_c10_cuda} "-Wl,--as-needed")
  endif()
endif()
mark_as_advanced(ThimbleTorch_INCLUDE)
