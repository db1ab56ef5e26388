/* How two servers find out that they belong together: four messages of fixed size, by
 * which each proves that it knows the group's secret without telling it.
 *
 *     dialer    HELLO      who it is, of which group, what for, whom it expects; a nonce
 *     listener  CHALLENGE  a nonce
 *     dialer    PROOF      the code (HMAC-SHA256) of both under the secret
 *     listener  WELCOME    who it is, or why not; the code of all that
 *
 * The dialer proves itself first, so a stranger gets nothing that it could guess the secret
 * by. Nonces of both sides make each proof good for one connection; a code covers all that
 * was said before it. What is said later is not covered: the network is trusted not to change
 * it, or TLS is below.
 *
 * The machine knows no sockets: bytes go in and come out. Of the log thread. */
#ifndef REPLICA_HANDSHAKE_H
#define REPLICA_HANDSHAKE_H

#include "base/hmac.h"
#include "replica/address.h"

/* What a connection is for. */
enum peer_kind {
    PEER_RAFT = 1, /* libraft's messages. */
    PEER_FETCH,    /* A snapshot's file is fetched. */
    PEER_ADMIN,    /* One request and its reply, between members, */
    PEER_JOIN,     /* and with one that is not a member yet: its group may be 0. */
};

/* What a server is to its peers. */
struct peer_self {
    uint64_t id;
    uint64_t group; /* 0: of none yet. */
    char address[ADDRESS_TEXT_MAX + 1];
    struct bytes secret;
};

enum handshake_step {
    HANDSHAKE_HELLO,
    HANDSHAKE_CHALLENGE,
    HANDSHAKE_PROOF,
    HANDSHAKE_WELCOME,
    HANDSHAKE_DONE,
    HANDSHAKE_FAILED,
};

/* Why a handshake failed; part of the protocol. */
enum handshake_refusal {
    HANDSHAKE_FINE = 0,
    HANDSHAKE_NO_PEER, /* What came is no handshake. */
    HANDSHAKE_VERSION, /* Neither side's versions suit the other. */
    HANDSHAKE_SECRET,  /* The secrets differ. */
    HANDSHAKE_GROUP,   /* The groups differ. */
    HANDSHAKE_ID,      /* It is not whom the dialer expects. */
    HANDSHAKE_SELF,    /* A server has dialed itself. */
};

enum {
    HANDSHAKE_NONCE = 32,
    HANDSHAKE_HELLO_SIZE = 344,
    HANDSHAKE_CHALLENGE_SIZE = 48,
    HANDSHAKE_WELCOME_SIZE = 48,
};

/* Treat as opaque, but for the fields that are said to be read. */
struct handshake {
    const struct peer_self *self;
    enum handshake_step step;       /* Read: which message comes next, or how it ended. */
    enum handshake_refusal refusal; /* Read: if it failed. */
    bool is_dialer;
    size_t in_len;
    unsigned char in[HANDSHAKE_HELLO_SIZE];
    unsigned char hello[HANDSHAKE_HELLO_SIZE];
    unsigned char challenge[HANDSHAKE_CHALLENGE_SIZE];

    /* Read: what is to be sent, also after a failure. Set out_len to 0 when it is. */
    size_t out_len;
    unsigned char out[HANDSHAKE_HELLO_SIZE];

    /* Read when it is done: the other side. The listener knows all, the dialer the id. */
    enum peer_kind kind;
    uint64_t id;
    uint64_t group;
    char address[ADDRESS_TEXT_MAX + 1];
};

/* Begin a handshake: the dialer's to the server `to`, 0 being whoever answers. `self` is
 * viewed until the end. */
void handshake_dial(struct handshake *h, const struct peer_self *self, enum peer_kind kind,
                    uint64_t to);
void handshake_accept(struct handshake *h, const struct peer_self *self);

/* Returns how many bytes may be read: never one that is behind the handshake. */
size_t handshake_wants(const struct handshake *h);

/* Takes bytes that came, no more than are wanted. Returns false if that ended the handshake
 * without success. */
bool handshake_take(struct handshake *h, struct bytes in);

/* Says what a refusal means, for the log. */
const char *handshake_text(enum handshake_refusal refusal);

#endif
