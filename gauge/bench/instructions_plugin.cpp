// A plugin of QEMU's user-mode emulators that counts the guest's instructions, whole blocks at a time, and writes the
// number to the file named by its argument out=PATH when the guest ends. QEMU 7.2, as Debian 12 has it, ships the
// interface (version 1) and no plugin; the declarations are those of the documented interface.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

extern "C" {

struct qemu_plugin_tb;
using PluginId = std::uint64_t;

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

void qemu_plugin_register_vcpu_tb_trans_cb(PluginId id, void (*callback)(PluginId id, qemu_plugin_tb* block));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb* block, void (*callback)(unsigned vcpu, void* user), int flags,
                                          void* user);
void qemu_plugin_register_atexit_cb(PluginId id, void (*callback)(PluginId id, void* user), void* user);
std::size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb* block);

}  // extern "C"

namespace {

std::atomic<std::uint64_t> executed{0};
char target[4096];

void block_runs(unsigned, void* instructions) {
  executed.fetch_add(reinterpret_cast<std::uintptr_t>(instructions), std::memory_order_relaxed);
}

void block_translated(PluginId, qemu_plugin_tb* block) {
  constexpr int kNoRegisters = 0;
  qemu_plugin_register_vcpu_tb_exec_cb(block, block_runs, kNoRegisters,
                                       reinterpret_cast<void*>(qemu_plugin_tb_n_insns(block)));
}

void guest_ends(PluginId, void*) {
  if (std::FILE* f = std::fopen(target, "w")) {
    std::fprintf(f, "%llu\n", static_cast<unsigned long long>(executed.load()));
    std::fclose(f);
  }
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int qemu_plugin_install(PluginId id, const void*, int argc,
                                                                          char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (std::strncmp(argv[i], "out=", 4) == 0) std::snprintf(target, sizeof target, "%s", argv[i] + 4);
  }
  if (target[0] == '\0') return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
  qemu_plugin_register_atexit_cb(id, guest_ends, nullptr);
  return 0;
}
