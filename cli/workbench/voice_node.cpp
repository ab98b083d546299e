// thimble voice node: one computer with a microphone array. Sound comes in, small authenticated messages go out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/cancel.h"
#include "cli/workbench/voice.h"
#include "cli/workbench/voice_common.h"
#include "net/udp.h"
#include "voice/analyse.h"
#include "voice/hub.h"
#include "voice/message.h"

namespace thimble::cli {
namespace {

struct NodeCommand {
  std::string scene, device, hub, key_file;
  bool json = false;
  PcmOptions pcm;
  VoiceSettingsOption settings;
};

void run(const NodeCommand& command) {
  const voice::Settings settings = command.settings.read();
  const voice::Scene scene = voice::read_scene(command.scene);
  const auto device = std::find_if(scene.devices.begin(), scene.devices.end(),
                                   [&](const voice::Device& d) { return d.name == command.device; });
  if (device == scene.devices.end()) fail(ErrorKind::bad_input, "{} has no device '{}'", command.scene, command.device);
  const int id = static_cast<int>(device - scene.devices.begin());
  const net::Key key = read_key(command.key_file);
  const net::Address hub = net::Address::resolve(command.hub);
  net::UdpSocket socket(command.hub.front() == '[' ? "[::]:0" : "0.0.0.0:0");
  net::Sealer sealer(key, static_cast<std::uint16_t>(id));
  net::Opener opener(key);
  voice::Analyser analyser(device->array, command.pcm.rate, settings, id);

  const auto say = [&](const std::string& event, const std::string& text, OrderedJson json) {
    if (command.json) {
      OrderedJson line;
      line["event"] = event;
      line.update(json);
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("{:8.2f} s  {}\n", analyser.time(), text);
    }
    std::fflush(stdout);
  };
  const auto send = [&](std::uint8_t kind, std::span<const std::byte> content) {
    constexpr int kTimes = 2;  // datagrams get lost; the hub counts an observation once
    for (int i = 0; i < kTimes; ++i) socket.send(hub, sealer.seal(kind, content, net::microseconds_now()));
  };
  int waiting = 0;  // utterances without a verdict
  const auto report = [&](const std::vector<voice::Observation>& found) {
    for (const voice::Observation& o : found) {
      send(voice::kObservation, voice::encode_message(o));
      ++waiting;
      say("sent",
          fmt::format("sent utterance {}: {:.0f} deg, {} bytes", o.utterance, degrees(o.azimuth),
                      voice::kMessageBytes + net::kHeaderBytes + net::kTagBytes),
          {{"utterance", o.utterance}, {"azimuth_deg", degrees(o.azimuth)}});
    }
  };
  const auto listen = [&](double timeout) {
    while (const auto datagram = socket.receive(timeout)) {
      const auto packet = opener.open(datagram->bytes, net::microseconds_now());
      if (!packet || packet->kind != voice::kVerdict || packet->sender != voice::kHubSender) continue;
      const voice::Verdict verdict = voice::decode_verdict(packet->content);
      waiting = 0;
      const bool known = verdict.device >= 0 && static_cast<std::size_t>(verdict.device) < scene.devices.size();
      const std::string name = known ? device_name(scene, verdict.device) : "nobody";
      say("verdict",
          fmt::format("{}, confidence {:.2f}", verdict.device == id ? "this device is meant" : name + " is meant",
                      verdict.confidence),
          {{"device", name}, {"meant", verdict.device == id}, {"confidence", verdict.confidence}});
      return;
    }
  };

  PcmInput input(command.pcm, device->array.size());
  std::vector<float> block;
  bool speaking = false;
  while (input.read(block)) {
    const auto found = analyser.push(block);
    if (analyser.speaking() && !speaking) send(voice::kStarted, {});
    speaking = analyser.speaking();
    report(found);
    listen(0);
  }
  report(analyser.finish());
  constexpr double kPatience = 2;  // seconds for the last verdict
  if (waiting > 0 && !interrupt_token().cancelled()) listen(kPatience);
  if (analyser.bad_samples() > 0)
    fmt::print(stderr, "{} samples were not finite and count as 0\n", analyser.bad_samples());
}

}  // namespace

void add_voice_node(CLI::App& voice) {
  CLI::App* node = voice.add_subcommand("node", "one device: live sound in, small signed messages to the hub");
  auto command = std::make_shared<NodeCommand>();
  node->add_option("scene", command->scene, "devices and their places, JSON")->required();
  node->add_option("--device", command->device, "which of the scene's devices this is")->required();
  node->add_option("--hub", command->hub, "host:port of `thimble voice hub`")->required();
  node->add_option("--key-file", command->key_file, "the shared key, 16 bytes or more; else THIMBLE_VOICE_KEY");
  node->add_flag("--json", command->json, "print events as JSON, one a line");
  command->pcm.add(*node);
  command->settings.add(*node);
  node->footer(
      "Example:  arecord -t raw -f S16_LE -r 16000 -c 6 | \\\n"
      "          thimble voice node home.json --device kitchen --hub 192.168.1.5:4710 --key-file key");
  node->callback([command] { run(*command); });
}

}  // namespace thimble::cli
