// The config.json of the published UNets and autoencoders that Thimble runs, for networks of the true size without any
// file at hand: to show, count and measure. Keys that change neither the graph nor the latents' scale are left out.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"

namespace thimble::models {

struct PublishedNetwork {
  std::string_view name;        // "sd1.5", "sdxl-vae", "taesd"
  std::string_view class_name;  // a row of models/classes.h
  Json config;
};
std::span<const PublishedNetwork> published_conv();

// `unsupported`, naming those there are, when none fits.
const PublishedNetwork& published_conv(std::string_view name);

}  // namespace thimble::models
