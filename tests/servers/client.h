#ifndef KEYSPACE_TESTS_SERVERS_CLIENT_H_
#define KEYSPACE_TESTS_SERVERS_CLIENT_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

struct redisContext;

// A reply. Two replies are equal iff their bytes were.
struct Answer {
  enum class Kind : std::uint8_t { kNil, kStatus, kError, kInteger, kBulk, kArray };

  Kind kind = Kind::kNil;
  std::string text;  // of a status, an error or a bulk
  std::int64_t number = 0;
  std::vector<Answer> elements;

  bool operator==(const Answer&) const = default;
};

// Returns an answer as one line of text for people.
std::string describe(const Answer& answer);

// A connection to a server, by hiredis. Errors are thrown, as a std::runtime_error.
class Client {
 public:
  // Connects to a server that may still be starting.
  explicit Client(const std::filesystem::path& socket);
  Client(Client&&) = default;
  ~Client();

  // Sends a command. Call receive() later for its reply.
  void send(const std::vector<std::string>& words);
  Answer receive();

  Answer ask(const std::vector<std::string>& words) {
    send(words);
    return receive();
  }

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };

  [[noreturn]] void fail() const;

  std::unique_ptr<redisContext, Free> context_;
};

#endif  // KEYSPACE_TESTS_SERVERS_CLIENT_H_
