// The program with published models: notes in pictures, many prompts, adapters, other forms of files, upscaling, and
// what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors/safetensors.h"
#include "media/codec.h"
#include "media/png_text.h"
#include "tests/cli/run_program.h"

namespace thimble::testing {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

const std::string kPipelines = std::string(THIMBLE_SOURCE_DIR) + "/diffusion/testdata/pipelines/";

Json note_of(const std::string& file) {
  const auto mapped = MappedFile::open(file);
  const auto text = media::find_png_text(mapped->bytes(), "thimble", file);
  return text ? parse_json(*text, file) : Json();
}

Ran succeeds(const Strings& arguments) {
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.status, 0) << ran.err;
  return ran;
}

void refused(const Strings& arguments, std::string_view part) {
  const Ran ran = run_program(arguments);
  EXPECT_EQ(ran.status, 2) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err << "wanted: " << part;
}

TEST(Notes, OurOwnModelRepeatsAPicture) {
  const Workplace here;
  succeeds({"generate", "a red \"heart\"", "-o", "a.png", "--seed", "3", "--steps", "4", "--guidance", "2",
            "--background", "#fff"});
  const Json note = note_of("a.png");
  EXPECT_EQ(note["prompt"], "a red \"heart\"");
  EXPECT_EQ(note["seed"], 3);
  EXPECT_EQ(note["steps"], 4);
  EXPECT_EQ(note["guidance"], 2);
  EXPECT_EQ(note["size"], "32x32");
  EXPECT_EQ(note["model_hash"].get<std::string>().size(), 16u);
  EXPECT_TRUE(note.contains("sampler"));
  succeeds({"generate", "--from", "a.png", "-o", "b.png"});
  EXPECT_EQ(read_file("a.png"), read_file("b.png"));  // the note too
  succeeds({"generate", "--from", "a.png", "-o", "c.png", "--seed", "4"});
  EXPECT_EQ(note_of("c.png")["seed"], 4);
  EXPECT_EQ(note_of("c.png")["steps"], 4);
  EXPECT_NE(media::read_image("a.png"), media::read_image("c.png"));

  succeeds({"generate", "a cat", "-o", "g.png", "--count", "3", "--grid", "--steps", "2"});
  succeeds({"generate", "--from", "g.png", "-o", "h.png"});
  EXPECT_EQ(read_file("g.png"), read_file("h.png"));
  succeeds({"generate", "a cat", "-o", "n.png", "--count", "2", "--steps", "2", "--seed", "8"});
  succeeds({"generate", "--from", "n-2.png", "-o", "m.png"});
  EXPECT_EQ(read_file("n-2.png"), read_file("m.png"));
}

TEST(Notes, APublishedModelRepeatsAPicture) {
  const Workplace here;
  fs::copy(kPipelines + "sd15", "model", fs::copy_options::recursive);
  succeeds({"generate",   "a (red:1.2) cat",
            "-o",         "a.png",
            "--model",    "model",
            "--steps",    "2",
            "--width",    "40",
            "--height",   "32",
            "--negative", "a dog",
            "--seed",     "9",
            "--rng",      "torch",
            "--sampler",  "euler",
            "--lora",     kPipelines + "adapters/peft.safetensors:0.4"});
  const Json note = note_of("a.png");
  EXPECT_EQ(note["negative"], "a dog");
  EXPECT_EQ(note["size"], "40x32");
  EXPECT_EQ(note["sampler"], "euler");
  succeeds({"generate", "--from", "a.png", "-o", "b.png"});
  EXPECT_EQ(read_file("a.png"), read_file("b.png"));

  succeeds({"edit", "a.png", "make it snow", "--model", kPipelines + "instruct", "-o", "e.png", "--steps", "2"});
  succeeds({"edit", "--from", "e.png", "-o", "f.png"});
  EXPECT_EQ(read_file("e.png"), read_file("f.png"));
  fs::copy_file("b.png", "kept.png");
  succeeds({"generate", "--from", "a.png", "-o", "a.png", "--seed", "1"});
  refused({"edit", "--from", "e.png", "-o", "g.png"}, "a.png has changed");

  std::string weights = read_file("model/vae/diffusion_pytorch_model.safetensors");
  weights[weights.size() - 100] ^= 1;
  write_file("model/vae/diffusion_pytorch_model.safetensors", weights);
  refused({"generate", "--from", "kept.png", "-o", "c.png"}, "made by another model");
  succeeds({"generate", "--from", "kept.png", "-o", "c.png", "--model", "model"});
}

TEST(Notes, WhatRemembersNothingIsRefused) {
  const Workplace here;
  media::write_image("plain.png", media::Image(4, 4, 3));
  media::write_image("plain.jpg", media::Image(4, 4, 3));
  refused({"generate", "--from", "plain.png", "-o", "a.png"}, "does not say how it was made");
  refused({"generate", "--from", "plain.jpg", "-o", "a.png"}, "is no PNG");
  refused({"generate", "--from", "none.png", "-o", "a.png"}, "none.png");
  const auto with = [](const char* text) {
    write_file("other.png", media::add_png_text(read_file("plain.png"), "thimble", text));
  };
  with("{\"steps\": \"many\", \"prompt\": \"x\"}");
  refused({"generate", "--from", "other.png", "-o", "a.png"}, "--steps");
  with("[1]");
  refused({"generate", "--from", "other.png", "-o", "a.png"}, "no object");
  with("{");
  refused({"generate", "--from", "other.png", "-o", "a.png"}, "other.png");
  with("{\"output\": \"/tmp/evil\", \"json\": true, \"prompt\": \"\"}");  // neither is an option of the picture
  refused({"generate", "--from", "other.png", "-o", "a.png"}, "the prompt is empty");
}

TEST(Prompts, OnePictureForEachLine) {
  const Workplace here;
  write_file("prompts.txt", "a red heart\r\n\n  a cat  \n");
  EXPECT_EQ(succeeds({"generate", "--prompts", "prompts.txt", "-o", "p.png", "--steps", "2"}).out,
            "p-1.png\np-2.png\n");
  EXPECT_EQ(note_of("p-1.png")["prompt"], "a red heart");
  EXPECT_EQ(note_of("p-2.png")["prompt"], "  a cat");
  EXPECT_EQ(note_of("p-2.png")["seed"], 2);
  EXPECT_EQ(succeeds({"generate", "--prompts", "prompts.txt", "--count", "2", "-o", "q.png", "--steps", "2", "--model",
                      kPipelines + "sd15"})
                .out,
            "q-1.png\nq-2.png\nq-3.png\nq-4.png\n");
  refused({"generate", "a dog", "--prompts", "prompts.txt", "-o", "p.png"}, "not from both");
  write_file("empty.txt", "\n\n");
  refused({"generate", "--prompts", "empty.txt", "-o", "p.png"}, "holds no prompts");
  write_file("bad.txt", "a cat\ncaf\xe9\n");
  refused({"generate", "--prompts", "bad.txt", "-o", "p.png"}, "line 2 of bad.txt");
}

TEST(Adapters, AreNamedOnTheCommandLine) {
  const Workplace here;
  const std::string adapters = kPipelines + "adapters/";
  const auto picture = [&](const Strings& more) {
    Strings arguments{"generate", "a <rock> cat", "-o", "a.png", "--model", kPipelines + "sd15", "--steps", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    succeeds(arguments);
    return media::read_image("a.png");
  };
  const media::Image plain = picture({});
  EXPECT_EQ(picture({"--lora", adapters + "peft.safetensors:0"}), plain);
  EXPECT_NE(picture({"--lora", adapters + "peft.safetensors"}), plain);
  EXPECT_NE(picture({"--lora", adapters + "peft.safetensors:0.5", "--lora", adapters + "kohya.safetensors:0.5"}),
            plain);
  EXPECT_NE(picture({"--embedding", adapters + "word.safetensors"}), plain);
  EXPECT_EQ(picture({"--embedding", adapters + "word.safetensors=other"}), plain);
  const auto fails = [&](const Strings& more, std::string_view part) {
    Strings arguments{"generate", "a cat", "-o", "b.png", "--model", kPipelines + "sd15"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    refused(arguments, part);
  };
  fails({"--lora", adapters + "peft.safetensors:much"}, "FILE:SCALE");
  fails({"--lora", "none.safetensors"}, "none.safetensors");
  fails({"--lora", adapters + "word.safetensors"}, "is no LoRA");
  fails({"--max-memory", "much"}, "no amount of memory");
  fails({"--width", "30"}, "multiples of 4 pixels");
  fails({"--width", "1000000"}, "1000000x32 came");
  fails({"--preview-autoencoder", kPipelines + "taesd"}, "--preview FILE");
  refused({"generate", "a cat", "-o", "b.png", "--lora", "x"}, "--lora is for published models");
}

TEST(Adapters, PreviewsAndTiles) {
  const Workplace here;
  const Ran ran =
      run_program({"generate", "a cat", "-o", "a.png", "--model", kPipelines + "sd15", "--steps", "2", "--preview",
                   "p.png", "--preview-autoencoder", kPipelines + "taesd", "--max-memory", "1M", "--json"});
  EXPECT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(media::read_image("p.png").width, 32);
  const Json report = parse_json(ran.out, "report");
  EXPECT_GE(report["decode_tiles"].get<int>(), 1);
  for (const Json& c : report["components"]) {
    EXPECT_GT(c["load_bytes"].get<double>(), 0) << c["part"];
    EXPECT_GT(c["load_gb_per_second"].get<double>(), 0) << c["part"];
  }
}

// The same weights in every form draw the same picture.
TEST(Convert, FormsAgree) {
  const Workplace here;
  const Strings call{"--steps", "2", "--seed", "4", "--precision", "f32"};
  const auto picture = [&](const std::string& model, const Strings& more = {}) {
    Strings arguments{"generate", "a cat", "-o", "x.png", "--model", model};
    arguments.insert(arguments.end(), call.begin(), call.end());
    arguments.insert(arguments.end(), more.begin(), more.end());
    succeeds(arguments);
    return media::read_image("x.png");
  };
  const media::Image want = picture(kPipelines + "sd15");
  succeeds({"convert", kPipelines + "sd15", "f32", "--precision", "f32"});
  EXPECT_EQ(picture("f32"), want);
  succeeds({"convert", "f32", "f16", "--precision", "f16"});
  EXPECT_EQ(picture("f16"), want);  // they were f16 before
  EXPECT_LT(fs::file_size("f16/unet/diffusion_pytorch_model.safetensors"),
            fs::file_size("f32/unet/diffusion_pytorch_model.safetensors"));
  succeeds({"convert", "f16", "bf16", "--precision", "bf16"});
  EXPECT_NE(picture("bf16"), want);

  // A single file has the published configs, so that of a tiny model is read as a file, not drawn.
  const Json single = parse_json(succeeds({"convert", "f16", "single.safetensors", "--json"}).out, "report");
  EXPECT_EQ(single["form"], "single file");
  const auto file = formats::SafetensorsFile::open("single.safetensors");
  EXPECT_TRUE(file.find("model.diffusion_model.input_blocks.0.0.weight") != nullptr);
  EXPECT_TRUE(file.find("first_stage_model.decoder.mid.attn_1.q.weight") != nullptr);
  EXPECT_TRUE(file.find("cond_stage_model.transformer.text_model.final_layer_norm.bias") != nullptr);
  succeeds({"convert", "single.safetensors", "half.gguf"});
  succeeds({"convert", "half.gguf", "back.safetensors"});
  EXPECT_EQ(read_file("back.safetensors"), read_file("single.safetensors"));
  succeeds({"convert", "single.safetensors", "eight.gguf", "--precision", "q8_0"});

  succeeds({"convert", "tiny.safetensors", "own.safetensors", "--precision", "bf16"});
  succeeds({"generate", "a cat", "-o", "own.png", "--model", "own.safetensors", "--steps", "2"});
}

// OpenCLIP keeps query, key and value in one matrix and the projection the other way round.
TEST(Convert, ASingleFileOfXl) {
  const Workplace here;
  succeeds({"convert", kPipelines + "sdxl", "xl.safetensors", "--precision", "f32"});
  const auto file = formats::SafetensorsFile::open("xl.safetensors");
  succeeds({"convert", kPipelines + "sdxl", "dir", "--precision", "f32"});
  const auto part = formats::SafetensorsFile::open("dir/text_encoder_2/model.safetensors");
  const auto values = [](const formats::TensorInfo& t) {
    std::vector<float> v(static_cast<std::size_t>(t.elements()));
    std::memcpy(v.data(), t.data().data(), t.data().size());
    return v;
  };
  const std::string inner = "conditioner.embedders.1.model.";
  std::vector<float> stacked;
  for (const char* of : {"q", "k", "v"}) {
    const auto one = values(part.at(std::string("text_model.encoder.layers.0.self_attn.") + of + "_proj.weight"));
    stacked.insert(stacked.end(), one.begin(), one.end());
  }
  EXPECT_EQ(values(file.at(inner + "transformer.resblocks.0.attn.in_proj_weight")), stacked);
  const auto& projection = part.at("text_projection.weight");
  const auto& turned = file.at(inner + "text_projection");
  ASSERT_EQ(turned.shape, (std::vector<std::int64_t>{projection.shape[1], projection.shape[0]}));
  const auto a = values(projection), b = values(turned);
  const auto rows = static_cast<std::size_t>(projection.shape[0]),
             columns = static_cast<std::size_t>(projection.shape[1]);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) ASSERT_EQ(b[c * rows + r], a[r * columns + c]);
  }
  EXPECT_EQ(file.at("first_stage_model.decoder.mid.attn_1.q.weight").shape.size(), 4u);
  EXPECT_TRUE(file.find("conditioner.embedders.0.transformer.text_model.final_layer_norm.bias") != nullptr);
  EXPECT_TRUE(file.find("model.diffusion_model.label_emb.0.0.weight") != nullptr);
}

TEST(Convert, WhatCannotBeIsRefused) {
  const Workplace here;
  fs::create_directory("there");
  refused({"convert", kPipelines + "sd15", "there"}, "is there already");
  refused({"convert", kPipelines + "flux", "a.safetensors"}, "no name in a single file");
  refused({"convert", kPipelines + "sd3", "a.gguf"}, "no name in a single file");
  refused({"convert", kPipelines + "sd15", "a.safetensors", "--precision", "q8_0"}, "end the output's name in .gguf");
  refused({"convert", kPipelines + "sd15", "a.gguf", "--precision", "f8"}, "'f8' came");
  refused({"convert", "tiny.safetensors", "a.gguf"}, "a Thimble model becomes a Thimble model alone");
  refused({"convert", "tiny.safetensors", "tiny.safetensors"}, "over itself");
  refused({"convert", "none", "a.gguf"}, "none does not exist");
  write_file("cut.gguf", "GGUF\3");
  refused({"convert", "cut.gguf", "a.safetensors"}, "cut.gguf");
  EXPECT_EQ(here.files(), (Strings{"cut.gguf", "there"}));
}

TEST(Published, DamagedModelsAreNamed) {
  const Workplace here;
  const auto fails = [&](const std::string& model, std::string_view part) {
    refused({"generate", "a cat", "-o", "a.png", "--model", model, "--steps", "1"}, part);
  };
  fs::copy(kPipelines + "sd15", "model", fs::copy_options::recursive);
  const std::string index = read_file("model/model_index.json");
  Json json = parse_json(index, "index");
  json["controlnet"] = {"diffusers", "ControlNetModel"};
  write_file("model/model_index.json", json.dump());
  fails("model", "part 'controlnet' is a ControlNet (ControlNetModel), which is not supported");
  json.erase("controlnet");
  json["unet"] = {"diffusers", "UNet3DModel"};
  write_file("model/model_index.json", json.dump());
  fails("model", "'UNet3DModel', which is not known");
  json["unet"] = {"diffusers", "UNet2DConditionModel"};
  json["_class_name"] = "AudioLDMPipeline";
  write_file("model/model_index.json", json.dump());
  fails("model", "there is no pipeline for the class 'AudioLDMPipeline'");
  write_file("model/model_index.json", index);

  const std::string file = "model/vae/diffusion_pytorch_model.safetensors";
  fs::rename(file, "model/vae/diffusion_pytorch_model.bin");
  fails("model", "pickled weights only");
  fs::remove("model/vae/diffusion_pytorch_model.bin");
  fails("model", "holds no weights");
  write_file("model/vae/diffusion_pytorch_model.safetensors.index.json",
             "{\"weight_map\": {\"encoder.conv_in.weight\": \"diffusion_pytorch_model-00001-of-00002.safetensors\"}}");
  fails("model", "the shard diffusion_pytorch_model-00001-of-00002.safetensors");
  write_file("weights.ckpt", std::string("PK\x03\x04") + std::string(100, '\0'));
  fails("weights.ckpt", "a file of pickled weights");
  fs::create_directory("nothing");
  fails("nothing", "has no model_index.json");
  const auto copy = [](const std::string& name) {
    fs::remove_all("model");
    fs::copy(kPipelines + name, "model", fs::copy_options::recursive);
  };
  copy("sd15");
  // A tensor under another name of the same length: missing, with the nearest name; or with another shape.
  std::string weights = read_file("model/unet/diffusion_pytorch_model.safetensors");
  const std::size_t at = weights.find("conv_norm_out.weight");
  std::string renamed = weights;
  renamed.replace(at, 4, "cone");
  write_file("model/unet/diffusion_pytorch_model.safetensors", renamed);
  fails("model", "tensor 'conv_norm_out.weight' [4] is missing; the nearest name there is 'cone_norm_out.weight'");
}

TEST(Published, IntegersAndLimits) {
  const Workplace here;
  const Strings call{"generate", "a cat", "--model", kPipelines + "flux", "--steps", "2", "--precision", "f32"};
  const auto with = [&](const Strings& more) {
    Strings all = call;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  succeeds(with({"-o", "f.png"}));
  succeeds(with({"-o", "e.png", "--bits", "8"}));
  EXPECT_NE(media::read_image("f.png"), media::read_image("e.png"));
  EXPECT_EQ(note_of("e.png")["bits"], 8);
  EXPECT_FALSE(note_of("f.png").contains("bits"));
  succeeds({"generate", "--from", "e.png", "-o", "r.png"});
  EXPECT_EQ(read_file("e.png"), read_file("r.png"));
  refused(with({"-o", "a.png", "--bits", "3"}), "8 or 4 bits");
  refused({"generate", "a cat", "-o", "a.png", "--bits", "8"}, "--bits is for published models");
  refused(with({"-o", "a.png", "--max-memory", "90K"}), "plans with at least");
  const Json apart = parse_json(
      succeeds({"generate", "a cat", "-o", "a.png", "--model", kPipelines + "instruct", "--image", "f.png", "--width",
                "32", "--height", "32", "--steps", "2", "--precision", "f32", "--max-memory", "800K", "--json"})
          .out,
      "report");
  for (const Json& c : apart["components"]) EXPECT_LE(c["planned_bytes"].get<double>(), 800e3) << c["part"];
}

TEST(Bench, ModelsOfTheTrueSizeNeedNoFile) {
  const Json bench = parse_json(succeeds({"bench", "sd1.5", "--random-weights", "--part", "tiny-vae", "--size", "64",
                                          "--precision", "f32", "--stored", "f16", "--json"})
                                    .out,
                                "bench");
  ASSERT_EQ(bench["parts"].size(), 1u);
  const Json& decoder = bench["parts"][0];
  EXPECT_EQ(decoder["part"], "tiny-vae decoder");
  EXPECT_EQ(decoder["parameters"], 1'222'531);
  EXPECT_EQ(decoder["load_bytes"], 2 * 1'222'531);
  EXPECT_EQ(decoder["finite"], true);
  EXPECT_EQ(decoder["run_seconds"].size(), 1u);
  EXPECT_GT(decoder["planned_bytes"].get<double>(), 4.0 * 1'222'531);
  const Json eight = parse_json(succeeds({"bench", "sd1.5", "--random-weights", "--part", "text", "--bits", "8",
                                          "--precision", "f32", "--stored", "bf16", "--json"})
                                    .out,
                                "bench");
  EXPECT_EQ(eight["bits"], 8);
  EXPECT_GT(eight["parts"][0]["quantized_layers"].get<int>(), 60);
  EXPECT_EQ(eight["parts"][0]["finite"], true);
  EXPECT_LT(eight["parts"][0]["load_bytes"].get<double>(), 1.4 * 123'060'480);  // the embedding is bf16
  refused({"bench", "sd1.5", "--random-weights", "--bits", "5"}, "8 or 4 bits");
  refused({"bench", "sd9", "--random-weights"}, "'sd9' is none");
  refused({"bench", "sd1.5", "--random-weights", "--part", "voice"}, "it has denoiser, vae, text, tiny-vae");
  refused({"bench", "sd1.5", "--random-weights", "--size", "100"}, "multiple of 16");
  refused({"bench", "--stored", "f16"}, "--random-weights");
}

}  // namespace
}  // namespace thimble::testing
