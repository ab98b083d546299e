#include "gauge/bench/transport.h"

#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace thimble::gauge {
namespace {

std::string first_line(std::string text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.erase(0, 1);
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + shell_quoted(w);
  return out;
}

class Remote : public Transport {
 public:
  Remote(std::string folder, const CancelToken* cancel) : folder_(std::move(folder)), cancel_(cancel) {}
  std::string file(const std::string& name) const override { return folder_ + "/" + name; }
  void push(const std::filesystem::path& local, const std::string& name, bool executable) override {
    must(run_process(push_command(local, file(name)), cancel_), "sending " + local.string());
    if (executable) must(shell({"chmod", "755", file(name)}), "making it executable");
  }
  void pull(const std::string& name, const std::filesystem::path& local) override {
    must(run_process(pull_command(file(name), local), cancel_), "fetching " + name);
  }
  Finished run(const std::vector<std::string>& command) override { return shell(command); }

 protected:
  virtual std::vector<std::string> push_command(const std::filesystem::path& local, const std::string& there) const = 0;
  virtual std::vector<std::string> pull_command(const std::string& there, const std::filesystem::path& local) const = 0;
  virtual std::vector<std::string> shell_command(const std::string& line) const = 0;

  // The status is asked for in the line itself: old devices' shells do not pass it on.
  Finished shell(const std::vector<std::string>& words, bool cancellable = true) {
    constexpr std::string_view kMark = "\nthimble-status ";
    Finished f = run_process(shell_command(joined(words) + "; s=$?; echo; echo thimble-status $s"),
                             cancellable ? cancel_ : nullptr);
    std::erase(f.out, '\r');
    const auto at = f.out.rfind(kMark);
    if (at == std::string::npos) {
      if (f.status == 0) f.status = 1;
      return f;
    }
    f.status = std::atoi(f.out.c_str() + at + kMark.size());
    f.out.resize(at);
    return f;
  }
  void make_folder() { must(shell({"mkdir", "-p", folder_}), "making a folder"); }
  void remove_folder() {
    try {
      shell({"rm", "-rf", folder_}, false);
    } catch (const Error&) {  // the device may be gone; nothing more can be done
    }
  }
  void must(const Finished& f, const std::string& what) const {
    if (f.status == 0) return;
    const std::string said = first_line(f.err.empty() ? f.out : f.err);
    fail(ErrorKind::io, "device: {} failed: {}", what, said.empty() ? fmt::format("status {}", f.status) : said);
  }

  std::string folder_;
  const CancelToken* cancel_;
};

class Adb : public Remote {
 public:
  Adb(const std::string& serial, const CancelToken* cancel)
      : Remote(fmt::format("/data/local/tmp/thimble-{}", getpid()), cancel), serial_(serial) {
    make_folder();
  }
  ~Adb() override { remove_folder(); }

 protected:
  std::vector<std::string> base() const {
    return serial_.empty() ? std::vector<std::string>{"adb"} : std::vector<std::string>{"adb", "-s", serial_};
  }
  std::vector<std::string> with(std::vector<std::string> more) const {
    auto out = base();
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  std::vector<std::string> push_command(const std::filesystem::path& l, const std::string& t) const override {
    return with({"push", l.string(), t});
  }
  std::vector<std::string> pull_command(const std::string& t, const std::filesystem::path& l) const override {
    return with({"pull", t, l.string()});
  }
  std::vector<std::string> shell_command(const std::string& line) const override { return with({"shell", line}); }

 private:
  std::string serial_;
};

class Ssh : public Remote {
 public:
  Ssh(const std::string& host, const CancelToken* cancel)
      : Remote(fmt::format("/tmp/thimble-{}", getpid()), cancel), host_(host) {
    make_folder();
  }
  ~Ssh() override { remove_folder(); }

 protected:
  std::vector<std::string> push_command(const std::filesystem::path& l, const std::string& t) const override {
    return {"scp", "-q", "-o", "BatchMode=yes", l.string(), host_ + ":" + t};
  }
  std::vector<std::string> pull_command(const std::string& t, const std::filesystem::path& l) const override {
    return {"scp", "-q", "-o", "BatchMode=yes", host_ + ":" + t, l.string()};
  }
  std::vector<std::string> shell_command(const std::string& line) const override {
    return {"ssh", "-o", "BatchMode=yes", "--", host_, line};
  }

 private:
  std::string host_;
};

}  // namespace

std::string shell_quoted(const std::string& word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-./=:,+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::unique_ptr<Transport> open_transport(const std::string& device, const CancelToken* cancel) {
  if (device == "adb" || device.starts_with("adb:")) {
    return std::make_unique<Adb>(device.size() > 4 ? device.substr(4) : "", cancel);
  }
  if (device.starts_with("ssh:") && device.size() > 4 && device[4] != '-') {
    return std::make_unique<Ssh>(device.substr(4), cancel);
  }
  fail(ErrorKind::bad_input, "a device is local, adb:SERIAL, ssh:HOST or emulator:aarch64; '{}' came", device);
}

}  // namespace thimble::gauge
