# Runs every example on the tiny random model; with the label `full`, builds them once more against an installed Thimble.
set(tiny ${CMAKE_CURRENT_BINARY_DIR}/tiny.safetensors)
add_test(NAME example_model COMMAND thimble_tiny_model ${tiny})
add_test(NAME example_01 COMMAND 01_generate "a red heart" ${CMAKE_CURRENT_BINARY_DIR}/01.png ${tiny})
add_test(NAME example_02 COMMAND 02_generate "a red heart" ${CMAKE_CURRENT_BINARY_DIR}/02 ${tiny})
add_test(NAME example_03 COMMAND 03_build_a_graph)
set_tests_properties(example_model PROPERTIES FIXTURES_SETUP tiny_model LABELS fast)
set_tests_properties(example_01 example_02 PROPERTIES FIXTURES_REQUIRED tiny_model LABELS fast)
set_tests_properties(example_01 PROPERTIES PASS_REGULAR_EXPRESSION "32 x 32 pixels by the model tiny")
set_tests_properties(example_02 PROPERTIES PASS_REGULAR_EXPRESSION "02-4\\.png")
set_tests_properties(example_03 PROPERTIES LABELS fast)

add_test(NAME examples_installed
  COMMAND ${CMAKE_COMMAND} -DBUILD=${CMAKE_BINARY_DIR} -DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}
          -DWORK=${CMAKE_CURRENT_BINARY_DIR}/installed -DMODEL=${tiny} -P ${CMAKE_CURRENT_SOURCE_DIR}/installed_test.cmake)
set_tests_properties(examples_installed PROPERTIES FIXTURES_REQUIRED tiny_model LABELS full TIMEOUT 1200)
