# Installs the device side as a CMake package: find_package(Thimble), target Thimble::thimble.
# The libraries are static; ThimbleConfig.cmake looks for what they need (api/ThimbleConfig.cmake.in).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Thimble)
set(include_dir ${CMAKE_INSTALL_INCLUDEDIR}/thimble)  # includes are written from the root, as in the sources

set_target_properties(thimble_api PROPERTIES EXPORT_NAME thimble)
install(
  TARGETS thimble_base thimble_kernels thimble_graph thimble_formats_safetensors thimble_formats_gguf thimble_formats_ncnn thimble_formats_onnx thimble_formats_diffusers
          thimble_formats_thimble thimble_media
          thimble_webp thimble_text thimble_models thimble_passes thimble_runtime thimble_diffusion thimble_api
  EXPORT ThimbleTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${include_dir})
install(EXPORT ThimbleTargets NAMESPACE Thimble:: DESTINATION ${package_dir})

foreach(folder base kernels graph formats media text models passes runtime diffusion api)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder}/ DESTINATION ${include_dir}/${folder}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp" PATTERN "*.inc" PATTERN "testdata" EXCLUDE)
endforeach()

configure_package_config_file(ThimbleConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ThimbleConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ThimbleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ThimbleConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/ThimbleConfigVersion.cmake
  DESTINATION ${package_dir})

install(FILES ${CMAKE_SOURCE_DIR}/weights/thimble-emoji.safetensors DESTINATION ${CMAKE_INSTALL_DATADIR}/thimble OPTIONAL)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/thimble)
