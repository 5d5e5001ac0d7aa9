#ifndef EXAMPLES_REDIS_HANDLERS_H_
#define EXAMPLES_REDIS_HANDLERS_H_

#include "call.h"
#include "reply.h"

// The handlers of the command table. Each runs the command of its name.
// REQUIRES: the number of words fits the row.
namespace redis::handlers {

// strings.cc
Reply append(Call& call);
Reply decr(Call& call);
Reply decrby(Call& call);
Reply get(Call& call);
Reply getdel(Call& call);
Reply getex(Call& call);
Reply getrange(Call& call);
Reply getset(Call& call);
Reply incr(Call& call);
Reply incrby(Call& call);
Reply incrbyfloat(Call& call);
Reply mget(Call& call);
Reply mset(Call& call);
Reply psetex(Call& call);
Reply set(Call& call);
Reply setex(Call& call);
Reply setnx(Call& call);
Reply setrange(Call& call);
Reply strlen(Call& call);

// expiry.cc
Reply expire(Call& call);
Reply expireat(Call& call);
Reply expiretime(Call& call);
Reply persist(Call& call);
Reply pexpire(Call& call);
Reply pexpireat(Call& call);
Reply pexpiretime(Call& call);
Reply pttl(Call& call);
Reply ttl(Call& call);

// keys.cc
Reply copy(Call& call);
Reply dbsize(Call& call);
Reply del(Call& call);
Reply exists(Call& call);
Reply flushall(Call& call);
Reply flushdb(Call& call);
Reply keys(Call& call);
Reply randomkey(Call& call);
Reply rename(Call& call);
Reply renamenx(Call& call);
Reply scan(Call& call);
Reply select(Call& call);
Reply type(Call& call);

// server.cc
Reply auth(Call& call);
Reply client_getname(Call& call);
Reply client_id(Call& call);
Reply client_info(Call& call);
Reply client_setname(Call& call);
Reply command(Call& call);
Reply command_count(Call& call);
Reply command_info(Call& call);
Reply config_get(Call& call);
Reply debug(Call& call);
Reply echo(Call& call);
Reply function_flush(Call& call);
Reply hello(Call& call);
Reply info(Call& call);
Reply ping(Call& call);
Reply quit(Call& call);
Reply shutdown(Call& call);
Reply time(Call& call);
Reply unknown_subcommand(Call& call);

}  // namespace redis::handlers

#endif  // EXAMPLES_REDIS_HANDLERS_H_
