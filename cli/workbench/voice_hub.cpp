// thimble voice hub: gathers the messages of the nodes, decides, and tells them.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/cancel.h"
#include "cli/workbench/voice.h"
#include "cli/workbench/voice_common.h"
#include "net/udp.h"
#include "voice/hub.h"

namespace thimble::cli {
namespace {

struct HubCommand {
  std::string scene, picture, listen = "0.0.0.0:4710", key_file;
  voice::Hub::Options options;
  int count = 0;
  bool json = false;
  VoiceSettingsOption settings;
};

OrderedJson counts_json(const voice::Hub& hub) {
  const net::Opener::Counts& c = hub.counts();
  return {{"accepted", c.accepted},           {"malformed", c.malformed},          {"forged", c.forged},
          {"replayed", c.replayed},           {"reordered", c.reordered},          {"stale", c.stale},
          {"unknown", hub.unknown_senders()}, {"bad_contents", hub.bad_contents()}};
}

std::uint64_t dropped(const voice::Hub& hub) {
  const net::Opener::Counts& c = hub.counts();
  return c.malformed + c.forged + c.replayed + c.reordered + c.stale + hub.unknown_senders() + hub.bad_contents();
}

void run(const HubCommand& command) {
  check_picture(command.picture);
  const voice::Settings settings = command.settings.read();
  const voice::Scene scene = voice::read_scene(command.scene);
  voice::Hub hub(poses_of(scene), settings, read_key(command.key_file), command.options);
  net::UdpSocket socket(command.listen);
  fmt::print(stderr, "listening at {} for {} devices\n", socket.local().text(), scene.devices.size());
  std::vector<net::Address> nodes;  // those whose packets were accepted
  constexpr std::size_t kMostNodes = 256;
  int decided = 0;
  std::uint64_t told = 0;
  while (!interrupt_token().cancelled() && (command.count == 0 || decided < command.count)) {
    const auto datagram = socket.receive(hub.wait(net::microseconds_now(), 0.2));
    if (datagram && hub.take(datagram->bytes, net::microseconds_now())) {
      if (std::find(nodes.begin(), nodes.end(), datagram->from) == nodes.end()) {
        if (nodes.size() == kMostNodes) nodes.erase(nodes.begin());
        nodes.push_back(datagram->from);
      }
    }
    while (const auto result = hub.poll(net::microseconds_now())) {
      ++decided;
      const auto verdict = hub.verdict_packet(result->decision, net::microseconds_now());
      for (const net::Address& node : nodes) socket.send(node, verdict);
      if (command.json) {
        OrderedJson line = decision_json(scene, result->gathered.observations, result->decision);
        line["packets"] = counts_json(hub);
        fmt::print("{}\n", line.dump());
      } else {
        print_decision(scene, result->gathered.observations, result->decision);
        if (dropped(hub) > told) fmt::print("dropped packets so far: {}\n", counts_json(hub).dump());
        told = dropped(hub);
      }
      std::fflush(stdout);
      if (!command.picture.empty())
        write_picture(command.picture, floor_plan(scene, result->gathered.observations, result->decision));
    }
  }
}

}  // namespace

void add_voice_hub(CLI::App& voice) {
  CLI::App* hub = voice.add_subcommand("hub", "gathers the nodes' messages and decides which device is meant");
  auto command = std::make_shared<HubCommand>();
  hub->add_option("scene", command->scene, "devices and their places, JSON")->required();
  hub->add_option("--listen", command->listen, "address and port for the nodes")->capture_default_str();
  hub->add_option("--key-file", command->key_file, "the shared key, 16 bytes or more; else THIMBLE_VOICE_KEY");
  hub->add_option("--deadline", command->options.gather.deadline,
                  "seconds after the first message to wait for the others")
      ->check(CLI::Range(0.01, 30.0))
      ->capture_default_str();
  hub->add_option("--clock-tolerance", command->options.clock_tolerance, "seconds that nodes' clocks may be off")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  hub->add_option("--method", command->options.method, "facing, or a baseline")->capture_default_str();
  hub->add_option("--rate", command->options.rate, "of the nodes' sound")
      ->check(CLI::Range(8000, 192000))
      ->capture_default_str();
  hub->add_option("--count", command->count, "end after so many decisions; 0: never")->check(CLI::NonNegativeNumber);
  hub->add_option("-o,--output", command->picture, "floor plan of the latest decision, .png or .svg");
  hub->add_flag("--json", command->json, "print decisions as JSON, one a line");
  command->settings.add(*hub);
  hub->footer(
      "Example:  head -c 24 /dev/urandom | base64 > key\n"
      "          thimble voice hub home.json --key-file key -o plan.svg");
  hub->callback([command] { run(*command); });
}

}  // namespace thimble::cli
