// TensorFlow Lite's operators that move values and make shapes; part of the table of tflite_ops.cpp.
#pragma once

#include "gauge/import/context.h"

namespace thimble::gauge {

HandlerTable tflite_movement_handlers();

}  // namespace thimble::gauge
