/* The network: messages of libraft's, calls between peers, and files that are fetched.
 *
 * Between each two servers messages go by connections, in order. A connection may break:
 * what was on its way may be lost, or arrive late, behind what came by the next one. While
 * there is no way, messages wait, as they do for TCP to send them again, or are lost. */
#ifndef SIMULATION_WIRE_H
#define SIMULATION_WIRE_H

#include <raft.h>
#include <stdbool.h>
#include <stdint.h>

struct server;

void wire_init(void);

/* Cuts the way from one server to another, or makes it one again. */
void wire_cut(unsigned from, unsigned to);
void wire_heal(void);
bool wire_is_cut(unsigned from, unsigned to);

/* Breaks the connections between two servers. */
void wire_break(unsigned a, unsigned b);

/* How it fares: how long messages take, and how many in a thousand break the connection. */
void wire_set(unsigned from, int64_t latency_us);
void wire_lose(unsigned in_a_thousand);
void wire_fail_fetches(unsigned in_a_hundred);

/* raft_io's send. */
int wire_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
              raft_io_send_cb cb);

/* Tells libraft of all that it waits to be told of: it is closing. */
struct disk;
void wire_cancel(struct disk *d);

#endif
