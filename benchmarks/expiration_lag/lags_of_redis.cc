#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "lags.h"
#include "redis/connection.h"
#include "servers/private_server.h"

namespace expiration_lag {
namespace {

using Clock = std::chrono::system_clock;

// Returns the command that sets a key to itself, with an expiry: "PX" or "PXAT", and milliseconds.
std::string set_command(Key key, const char* expiry, std::chrono::milliseconds time) {
  std::ostringstream command;
  command << "SET " << key << ' ' << key << ' ' << expiry << ' ' << time.count() << "\r\n";
  return command.str();
}

std::string version_of(redis::Connection& connection) {
  connection.send("INFO server\r\n");
  const std::string info = connection.receive();
  constexpr std::string_view kField = "redis_version:";
  const std::size_t begin = info.find(kField) + kField.size();
  return info.substr(begin, info.find('\r', begin) - begin);
}

}  // namespace

std::optional<Lags> lags_of_redis(const Plan& plan) {
  const auto server = PrivateServer::start_real(Engine::kRedis, {"--notify-keyspace-events", "Ex"});
  if (server == nullptr) return std::nullopt;
  redis::Connection connection(server->socket());
  redis::Connection events(server->socket());
  events.send("SUBSCRIBE __keyevent@0__:expired\r\n");
  events.receive();

  redis::Pipeline pipeline(connection);
  for (Key key = 0; key != plan.lasting; ++key) {
    pipeline.add(set_command(key, "PX", Plan::ttl(key)));
  }
  pipeline.finish();
  const auto deadlines = set_expiring_keys<Clock>(plan, [&](Key key, auto deadline) {
    connection.send(set_command(key, "PXAT", deadline.time_since_epoch()));
    connection.receive();
  });

  const auto end = *std::max_element(deadlines.begin(), deadlines.end()) + kPatience;
  std::vector<Lag> lags;
  while (lags.size() != deadlines.size() && events.wait_until(end)) {
    const Key key = std::stoull(events.receive());
    const Lag lag = Clock::now() - deadlines.at(key - plan.lasting);
    if (lag <= kPatience) lags.push_back(lag);
  }
  return Lags("Redis " + version_of(connection), deadlines.size(), std::move(lags));
}

}  // namespace expiration_lag
