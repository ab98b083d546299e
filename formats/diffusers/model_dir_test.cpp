// Tests of diffusers directories: a real one that diffusers wrote (tools/goldens/diffusers_dirs.py), and damaged ones.
#include "formats/diffusers/model_dir.h"

#include "formats/diffusers/test_dirs.h"
#include "models/bind.h"
#include "models/classes.h"

namespace thimble::formats {
namespace {

using Strings = std::vector<std::string>;
using models::Role;

const std::filesystem::path kSd = kTestData / "sd";

TEST(DiffusersDirectory, SaysWhatTheFilesSay) {
  const auto model = DiffusersModel::open(kSd);
  EXPECT_EQ(model.pipeline_class, "StableDiffusionPipeline");
  EXPECT_EQ(model.settings["requires_safety_checker"], false);
  EXPECT_EQ(model.absent, (Strings{"feature_extractor", "image_encoder", "safety_checker"}));
  ASSERT_EQ(model.parts.size(), 3u);
  EXPECT_EQ(model.part("text_encoder").class_name, "CLIPTextModel");
  EXPECT_EQ(model.part("unet").class_name, "UNet2DConditionModel");
  EXPECT_EQ(model.part("unet").config["block_out_channels"], Json({4, 4, 8}));
  EXPECT_EQ(model.part("vae").config["latent_channels"], 4);
  EXPECT_EQ(model.scheduler_class, "PNDMScheduler");
  EXPECT_EQ(model.scheduler["beta_start"], 0.00085);
  ASSERT_EQ(model.tokenizers.size(), 1u);
  const TokenizerFiles& tokenizer = model.tokenizers[0];
  EXPECT_EQ(tokenizer.name, "tokenizer");
  EXPECT_EQ(tokenizer.class_name, "CLIPTokenizer");
  EXPECT_EQ(tokenizer.vocab, kSd / "tokenizer/vocab.json");
  EXPECT_EQ(tokenizer.merges, kSd / "tokenizer/merges.txt");
  EXPECT_TRUE(tokenizer.sentencepiece.empty() && tokenizer.tokenizer_json.empty());
  EXPECT_EQ(tokenizer.config["pad_token"], "<|endoftext|>");
  EXPECT_EQ(DiffusersModel::open(kSd / "model_index.json").parts.size(), 3u);
}

// Every parameter of the graphs that the configs describe is there, and nothing else.
TEST(DiffusersDirectory, WeightsFillTheGraphs) {
  const auto model = DiffusersModel::open(kSd);
  const auto fill = [&](const char* name, Role role, const models::BuildSize& size) {
    const DiffusersPart& part = model.part(name);
    const graph::Graph g = models::build_network(part.class_name, role, part.config, size);
    models::bind_checkpoint(g, part.weights(), name).check_covers(g, name);
    return models::unused_names(g, part.weights());
  };
  EXPECT_EQ(fill("unet", Role::denoiser, {.height = 8, .width = 8, .tokens = 9}), Strings{});
  EXPECT_EQ(fill("text_encoder", Role::text, {.tokens = 9}), Strings{});
  for (const std::string& name : fill("vae", Role::encoder, {.height = 16, .width = 16})) {
    EXPECT_TRUE(name.starts_with("decoder.") || name.starts_with("post_quant_conv.")) << name;
  }
  for (const std::string& name : fill("vae", Role::decoder, {.height = 4, .width = 4})) {
    EXPECT_TRUE(name.starts_with("encoder.") || name.starts_with("quant_conv.")) << name;
  }
}

TEST(DiffusersDirectory, ShardsAndVariants) {
  const auto plain = DiffusersModel::open(kSd), half = DiffusersModel::open(kSd, "fp16");
  EXPECT_EQ(plain.part("unet").path(), kSd / "unet/diffusion_pytorch_model.safetensors.index.json");
  EXPECT_EQ(plain.part("unet").checkpoint().files().size(), 2u);
  EXPECT_EQ(plain.part("vae").path(), kSd / "vae/diffusion_pytorch_model.safetensors");
  EXPECT_EQ(half.part("vae").path(), kSd / "vae/diffusion_pytorch_model.fp16.safetensors");
  // A part without the wished variant gives its plain file, one without a plain file its only variant.
  EXPECT_EQ(half.part("unet").path(), plain.part("unet").path());
  EXPECT_EQ(plain.part("text_encoder").path(), kSd / "text_encoder/model.fp16.safetensors");

  // The variant is in f16 and has the old names query, key, value and proj_attn.
  const graph::Weights f32 = plain.weights_of("vae"), f16 = half.weights_of("vae");
  EXPECT_TRUE(half.part("vae").checkpoint().tensors().contains("decoder.mid_block.attentions.0.proj_attn.weight"));
  EXPECT_EQ(f32.at("decoder.mid_block.attentions.0.to_out.0.weight").type().dtype, DType::f32);
  EXPECT_EQ(f16.at("decoder.mid_block.attentions.0.to_out.0.weight").type().dtype, DType::f16);
  expect_equal(f32, f16);
  EXPECT_FALSE(f32.at("decoder.conv_in.weight").owned());
  plain.part("vae").release_pages();
  expect_equal(plain.weights_of("vae"), f16);

  expect_refused(message_of([] { DiffusersModel::open(kSd, "int8"); }), "bad input",
                 {"variant 'int8'", "the plain one, fp16"});
}

TEST(DiffusersDirectory, FileNamesOfVariants) {
  const Directory dir;
  write_file(dir / "config.json", R"({"_class_name":"AutoencoderTiny"})");
  const auto chosen = [&](const std::string& variant) {
    return open_diffusers_part(dir.path(), variant).path().filename().string();
  };
  write_zeros(dir / "diffusion_pytorch_model.non_ema.safetensors", {{"a", {1}}});
  EXPECT_EQ(chosen(""), "diffusion_pytorch_model.non_ema.safetensors");
  write_zeros(dir / "diffusion_pytorch_model.fp16-00001-of-00001.safetensors", {{"a", {1}}});
  expect_refused(message_of([&] { chosen(""); }), "bad file", {"shards", "(fp16)", "index.json"});
  write_file(dir / "diffusion_pytorch_model.safetensors.index.fp16.json",
             R"({"weight_map":{"a":"diffusion_pytorch_model.fp16-00001-of-00001.safetensors"}})");
  EXPECT_EQ(chosen(""), "diffusion_pytorch_model.safetensors.index.fp16.json");
  EXPECT_EQ(open_diffusers_part(dir.path()).weights().names(), Strings{"a"});
  write_file(dir / "model.bf16.safetensors.index.json", R"({"weight_map":{}})");
  EXPECT_EQ(chosen("bf16"), "model.bf16.safetensors.index.json");
  write_file(dir / "model.safetensors.index.json", R"({"weight_map":{}})");
  EXPECT_EQ(chosen(""), "model.safetensors.index.json");
  EXPECT_EQ(chosen("non_ema"), "diffusion_pytorch_model.non_ema.safetensors");
  write_zeros(dir / "model_of_others.safetensors", {{"b", {1}}});
  write_zeros(dir / "model.safetensors", {{"a", {1}}});
  EXPECT_EQ(chosen(""), "model.safetensors");
}

TEST(DiffusersDirectory, OnePartAlone) {
  EXPECT_EQ(open_diffusers_part(kSd / "vae").class_name, "AutoencoderKL");
  const DiffusersPart text = open_diffusers_part((kSd / "text_encoder/").string() + "/");
  EXPECT_EQ(text.class_name, "CLIPTextModel");
  EXPECT_EQ(text.name, "text_encoder");
  EXPECT_TRUE(text.weights().contains("text_model.embeddings.token_embedding.weight"));

  const Directory dir;
  expect_refused(message_of([&] { open_diffusers_part(dir.path()); }), "bad file", {"config.json is missing"});
  write_file(dir / "config.json", R"({"_class_name":"ControlNetModel"})");
  expect_refused(message_of([&] { open_diffusers_part(dir.path()); }), "unsupported",
                 {"'ControlNetModel'", "known are AutoencoderDC, AutoencoderKL"});
  write_file(dir / "config.json", R"({"_class_name":7})");
  expect_refused(message_of([&] { open_diffusers_part(dir.path()); }), "bad file", {"'_class_name' is number"});
}

TEST(DiffusersDirectory, OldClasses) {
  const Directory dir;
  write_zeros(dir / "model.safetensors", {{"model.norm.weight", {1}}});
  write_file(dir / "config.json", R"({"_class_name":"Transformer2DModel","norm_type":"ada_norm_single"})");
  const DiffusersPart pixart = open_diffusers_part(dir.path());
  EXPECT_EQ(pixart.class_name, "PixArtTransformer2DModel");
  EXPECT_EQ(pixart.config["_class_name"], "PixArtTransformer2DModel");
  write_file(dir / "config.json", R"({"_class_name":"Transformer2DModel","norm_type":"layer_norm"})");
  expect_refused(message_of([&] { open_diffusers_part(dir.path()); }), "unsupported",
                 {"config.json", "'layer_norm'", "ada_norm_single"});
  write_file(dir / "config.json", R"({"architectures":["Gemma2ForCausalLM"]})");
  EXPECT_EQ(open_diffusers_part(dir.path()).class_name, "Gemma2Model");
  EXPECT_TRUE(open_diffusers_part(dir.path()).weights().contains("norm.weight"));
}

TEST(DiffusersDirectory, PartsOfAnIndex) {
  const ModelIndex index = parse_model_index(
      R"({"_class_name":"StableDiffusionXLPipeline","_diffusers_version":"0.19.0","force_zeros_for_empty_prompt":true,
          "safety_checker":["stable_diffusion","StableDiffusionSafetyChecker"],"text_encoder_2":[null,null],
          "feature_extractor":["transformers","CLIPImageProcessor"],"scheduler":["diffusers","EulerDiscreteScheduler"],
          "tokenizer_2":["transformers","CLIPTokenizer"],"unet":["diffusers","UNet2DConditionModel"]})",
      "index");
  EXPECT_EQ(index.pipeline_class, "StableDiffusionXLPipeline");
  EXPECT_EQ(index.scheduler_class, "EulerDiscreteScheduler");
  EXPECT_EQ(index.settings, Json({{"force_zeros_for_empty_prompt", true}}));
  EXPECT_EQ(index.absent, Strings{"text_encoder_2"});
  EXPECT_EQ(index.skipped, (Strings{"feature_extractor", "safety_checker"}));
  ASSERT_EQ(index.networks.size(), 1u);
  EXPECT_EQ(index.networks[0].library, "diffusers");
  ASSERT_EQ(index.tokenizers.size(), 1u);
  EXPECT_EQ(index.tokenizers[0].name, "tokenizer_2");
}

// Names of older files, and buffers that are no weights.
TEST(DiffusersDirectory, OldNames) {
  const auto names = [](const char* class_name, const Strings& stored) {
    const Directory dir;
    write_file(dir / "config.json", fmt::format(R"({{"_class_name":"{}"}})", class_name));
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors;
    for (const std::string& name : stored) tensors.push_back({name, {1}});
    write_zeros(dir / "model.safetensors", tensors);
    return open_diffusers_part(dir.path()).weights().names();
  };
  EXPECT_EQ(names("CLIPTextModel", {"text_model.embeddings.position_ids", "text_model.encoder.layers.0.mlp.fc1.bias"}),
            Strings{"text_model.encoder.layers.0.mlp.fc1.bias"});
  EXPECT_EQ(names("CLIPTextModelWithProjection", {"final_layer_norm.bias", "text_projection.weight"}),
            (Strings{"text_model.final_layer_norm.bias", "text_projection.weight"}));
  EXPECT_EQ(names("SD3Transformer2DModel", {"pos_embed.pos_embed", "pos_embed.proj.bias"}),
            Strings{"pos_embed.proj.bias"});
  EXPECT_EQ(names("T5EncoderModel", {"encoder.embed_tokens.weight"}), Strings{"shared.weight"});
  EXPECT_EQ(names("T5EncoderModel", {"encoder.embed_tokens.weight", "shared.weight"}), Strings{"shared.weight"});
  EXPECT_EQ(names("Gemma2Model", {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"}),
            (Strings{"embed_tokens.weight", "norm.weight"}));
  expect_refused(
      message_of([&] {
        names("AutoencoderKL", {"encoder.mid_block.attentions.0.key.bias", "encoder.mid_block.attentions.0.to_k.bias"});
      }),
      "bad file", {"'encoder.mid_block.attentions.0.key.bias'", "both stand for"});
}

TEST(DiffusersDirectory, StoredTypes) {
  const Directory dir;
  write_file(dir / "config.json", R"({"_class_name":"AutoencoderTiny"})");
  const auto store = [&](const std::string& name, const std::string& type, std::string_view bytes) {
    std::string header =
        fmt::format(R"({{"{}":{{"dtype":"{}","shape":[1],"data_offsets":[0,{}]}}}})", name, type, bytes.size());
    std::string file(8, '\0');
    file[0] = static_cast<char>(header.size());
    write_file(dir / "model.safetensors", file + header + std::string(bytes));
    return open_diffusers_part(dir.path());
  };
  // -1.5 in every type
  const auto value = [](const DiffusersPart& part, DType f8_as) {
    const graph::Tensor t = part.weights(f8_as).at("w");
    return std::pair(t.type().dtype, t.to(DType::f32).as<float>()[0]);
  };
  EXPECT_EQ(value(store("w", "F32", std::string_view("\0\0\xc0\xbf", 4)), DType::bf16), std::pair(DType::f32, -1.5f));
  EXPECT_EQ(value(store("w", "F16", std::string_view("\0\xbe", 2)), DType::bf16), std::pair(DType::f16, -1.5f));
  EXPECT_EQ(value(store("w", "BF16", "\xc0\xbf"), DType::f32), std::pair(DType::bf16, -1.5f));
  EXPECT_EQ(value(store("w", "F8_E4M3", "\xbc"), DType::bf16), std::pair(DType::bf16, -1.5f));
  EXPECT_EQ(value(store("w", "F8_E5M2", "\xbe"), DType::f32), std::pair(DType::f32, -1.5f));
  expect_refused(message_of([&] { store("w", "F8_E8M0", "x").weights(); }), "unsupported", {"'w'", "F8_E8M0"});
  expect_refused(message_of([&] { store("w.scale_weight", "F16", "xx").weights(); }), "unsupported",
                 {"w.scale_weight", "scaled 8-bit"});
}

TEST(DiffusersDirectory, NoModel) {
  const Directory dir;
  const auto open = [&] { DiffusersModel::open(dir.path()); };
  expect_refused(message_of([&] { DiffusersModel::open(dir / "none"); }), "input/output", {"does not exist"});
  expect_refused(message_of(open), "bad file", {"is no model", "no model_index.json"});
  write_zeros(dir / "sd.safetensors", {{"a", {1}}});
  expect_refused(message_of(open), "bad file", {"it holds sd.safetensors; name that file"});
  write_file(dir / "config.json", "{}");
  expect_refused(message_of(open), "bad file", {"a part of a model; name the directory above it"});
  const Directory outer;
  std::filesystem::create_directory(outer / "model");
  write_file(outer / "model" / "model_index.json", "{}");
  expect_refused(message_of([&] { DiffusersModel::open(outer.path()); }), "bad file",
                 {"there is one in model; name that directory"});
}

TEST(DiffusersDirectory, BadIndex) {
  const Directory dir;
  const auto refused = [&](const std::string& text, const char* kind, const Strings& words) {
    write_file(dir / "model_index.json", text);
    expect_refused(message_of([&] { DiffusersModel::open(dir.path()); }), kind, words);
  };
  refused(R"({"_class_name": "Stable)", "bad file", {"model_index.json", "not valid JSON at byte"});
  refused("[1]", "bad file", {"an object was wanted"});
  refused("{}", "bad file", {"'_class_name' is missing"});
  refused(R"({"_class_name":null})", "bad file", {"'_class_name' is null"});
  refused(R"({"_class_name":"P","unet":["diffusers"]})", "bad file", {"part 'unet'", R"(["diffusers"])"});
  refused(R"({"_class_name":"P","unet":["diffusers",3]})", "bad file", {"part 'unet'"});
  refused(R"({"_class_name":"P","../unet":["diffusers","UNet2DConditionModel"]})", "bad file", {"'../unet'"});
  refused(R"({"_class_name":"P","scheduler":["diffusers","S"]})", "bad file", {"'P' lists no network"});
  refused(R"({"_class_name":"StableDiffusionControlNetPipeline","controlnet":["diffusers","ControlNetModel"]})",
          "unsupported", {"part 'controlnet' is a ControlNet (ControlNetModel)", "not supported"});
  refused(R"({"_class_name":"P","unet":["diffusers","UNet3DConditionModel"]})", "unsupported",
          {"part 'unet'", "'UNet3DConditionModel'", "known are", "UNet2DConditionModel"});
  refused(R"({"_class_name":"P","unet":["diffusers","UNet2DConditionModel"]})", "bad file",
          {"unet/config.json is missing"});
  refused(std::string(1 << 20, ' ') + "{}", "bad file", {"at most 1048576"});
  refused(R"({"_class_name":"P","a":)" + std::string(100, '[') + std::string(100, ']') + "}", "bad file",
          {"deeper than"});
}

TEST(DiffusersDirectory, BadParts) {
  const Directory dir(kSd);
  const auto refused = [&](const char* kind, const Strings& words) {
    expect_refused(message_of([&] {
                     const auto model = DiffusersModel::open(dir.path());
                     for (const DiffusersPart& part : model.parts) part.weights();
                   }),
                   kind, words);
  };
  const auto edit = [&](const std::string& file, const std::string& text, const char* kind, const Strings& words) {
    const std::string before = read_file(dir / file);
    write_file(dir / file, text);
    refused(kind, words);
    write_file(dir / file, before);
  };
  edit("unet/config.json", R"({"in_channels":)", "bad file", {"unet/config.json: not valid JSON"});
  edit("unet/config.json", "7", "bad file", {"unet/config.json: an object was wanted, found number"});
  edit("unet/config.json", std::string((1 << 20) + 1, ' '), "bad file", {"unet/config.json has 1048577 bytes"});
  edit("scheduler/scheduler_config.json", "[]", "bad file", {"scheduler_config.json: an object was wanted"});
  edit("tokenizer/tokenizer_config.json", "\"", "bad file", {"tokenizer_config.json: not valid JSON"});

  const std::string index = "unet/diffusion_pytorch_model.safetensors.index.json";
  edit(index, R"({"weight_map":{"a":"../../etc/passwd"}})", "bad file", {"must name a file beside the index"});
  edit(index, R"({"weight_map":{"a":"/etc/passwd"}})", "bad file", {"must name a file beside the index"});
  edit(index, R"({"weight_map":{"a":null}})", "bad file", {"'a' must name a file", "null"});
  edit(index, R"({"weight_map":[]})", "bad file", {"'weight_map' is array, an object was wanted"});
  edit("vae/diffusion_pytorch_model.safetensors", "version https://git-lfs", "bad file", {"the vae", "safetensors"});

  std::filesystem::remove(dir / "unet/diffusion_pytorch_model-00002-of-00002.safetensors");
  refused("bad file", {"the shard diffusion_pytorch_model-00002-of-00002.safetensors", "missing", "download it again"});
  std::filesystem::remove(dir / index);
  refused("bad file", {"unet holds shards of weights (plain) without their"});
  std::filesystem::remove(dir / "unet/diffusion_pytorch_model-00001-of-00002.safetensors");
  refused("bad file", {"unet holds no weights", "was wanted"});
  write_file(dir / "unet/diffusion_pytorch_model.bin", "PK\x03\x04");
  refused("unsupported",
          {"pickled weights only (diffusion_pytorch_model.bin)", "runs whatever code", "save_pretrained"});

  write_zeros(dir / "unet/diffusion_pytorch_model.safetensors", {{"a", {1}}});
  std::filesystem::remove(dir / "tokenizer/merges.txt");
  refused("bad file", {"tokenizer holds no vocabulary", "merges.txt"});
  write_file(dir / "tokenizer/tokenizer.model", "");
  std::filesystem::remove(dir / "scheduler/scheduler_config.json");
  refused("bad file", {"scheduler_config.json is missing", "PNDMScheduler"});
}

// What models/ says of tensors that do not fit, through the weights of a directory.
TEST(DiffusersDirectory, TensorsThatDoNotFit) {
  const auto model = DiffusersModel::open(kSd);
  const DiffusersPart& unet = model.part("unet");
  const graph::Graph g =
      models::build_network(unet.class_name, Role::denoiser, unet.config, {.height = 8, .width = 8, .tokens = 9});
  graph::Weights weights = unet.weights();
  const graph::Tensor bias = weights.at("conv_in.bias");
  const auto bind = [&] { models::bind_checkpoint(g, weights, "unet"); };
  weights.set("conv_in.biass", bias);
  EXPECT_EQ(models::unused_names(g, weights), Strings{"conv_in.biass"});
  weights.erase("conv_in.bias");
  expect_refused(message_of(bind), "bad file",
                 {"'conv_in.bias' [4] is missing", "nearest name there is 'conv_in.biass'"});
  weights.set("conv_in.bias", graph::Tensor::filled({5}, 0));
  expect_refused(message_of(bind), "bad file", {"'conv_in.bias' has shape [5], [4] was wanted"});
  expect_refused(message_of([&] { model.weights_of("text_encoder_2"); }), "bad file",
                 {"no part 'text_encoder_2'", "text_encoder, unet, vae"});
}

}  // namespace
}  // namespace thimble::formats
