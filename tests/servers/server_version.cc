#include "servers/server_version.h"

#include <charconv>
#include <stdexcept>
#include <system_error>

namespace {

// Returns the value of a field of INFO, or an empty string if there is none.
std::string field_of(const std::string& info, const std::string& name) {
  const std::string start = "\r\n" + name + ":";
  const std::size_t begin = info.find(start);
  if (begin == std::string::npos) return {};
  const std::size_t value = begin + start.size();
  return info.substr(value, info.find('\r', value) - value);
}

}  // namespace

ServerVersion version_of(Client& client) {
  const std::string info = client.ask({"INFO", "server"}).text;
  ServerVersion version = {Engine::kValkey, 0, 0, field_of(info, "valkey_version")};
  if (version.text.empty()) version = {Engine::kRedis, 0, 0, field_of(info, "redis_version")};
  const char* const end = version.text.data() + version.text.size();
  const auto [dot, error] = std::from_chars(version.text.data(), end, version.major);
  if (error != std::errc() || dot == end ||
      std::from_chars(dot + 1, end, version.minor).ec != std::errc()) {
    throw std::runtime_error("The reply of INFO has no version");
  }
  return version;
}

std::string to_string(const ServerVersion& version) {
  return (version.engine == Engine::kRedis ? "Redis " : "Valkey ") + version.text;
}
