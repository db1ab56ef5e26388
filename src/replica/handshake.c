#include "replica/handshake.h"

#include "base/random.h"

#include <assert.h>

/* Of the protocol; which versions this server speaks. */
enum { LOWEST_VERSION = 1, HIGHEST_VERSION = 1 };

enum { MAGIC_SIZE = 8, LABEL_SIZE = 16, ADDRESS_FIELD = 272 };

static const char MAGIC[MAGIC_SIZE] = "MOONPEER";

/* So that no code of one side is good for the other. */
static const char PROOF_LABEL[LABEL_SIZE] = "moonlatch proof ";
static const char WELCOME_LABEL[LABEL_SIZE] = "moonlatch answer";

/* The messages as they are sent; integers are little-endian, as the machine is. The
 * first stays as it is in all versions. */
struct hello {
    char magic[MAGIC_SIZE];
    uint16_t lowest;
    uint16_t highest;
    uint32_t kind;
    uint64_t id;
    uint64_t to;
    uint64_t group;
    unsigned char nonce[HANDSHAKE_NONCE];
    char address[ADDRESS_FIELD]; /* Filled with zeros. */
};

struct challenge {
    char magic[MAGIC_SIZE];
    uint32_t version;
    uint32_t refusal;
    unsigned char nonce[HANDSHAKE_NONCE];
};

struct welcome {
    uint64_t refusal;
    uint64_t id;
    unsigned char code[HMAC_LEN];
};

_Static_assert(sizeof(struct hello) == HANDSHAKE_HELLO_SIZE, "no gaps");
_Static_assert(sizeof(struct challenge) == HANDSHAKE_CHALLENGE_SIZE, "no gaps");
_Static_assert(sizeof(struct welcome) == HANDSHAKE_WELCOME_SIZE, "no gaps");
_Static_assert((int)ADDRESS_FIELD > (int)ADDRESS_TEXT_MAX, "an address is terminated");

static const size_t message_size[] = {
    [HANDSHAKE_HELLO] = sizeof(struct hello),
    [HANDSHAKE_CHALLENGE] = sizeof(struct challenge),
    [HANDSHAKE_PROOF] = HMAC_LEN,
    [HANDSHAKE_WELCOME] = sizeof(struct welcome),
    [HANDSHAKE_DONE] = 0,
    [HANDSHAKE_FAILED] = 0,
};

static void send_message(struct handshake *h, const void *message, size_t size)
{
    assert(h->out_len == 0);
    assert(size <= sizeof h->out);
    memcpy(h->out, message, size);
    h->out_len = size;
}

static bool fail(struct handshake *h, enum handshake_refusal refusal)
{
    h->step = HANDSHAKE_FAILED;
    h->in_len = 0;
    h->refusal = refusal;
    return false;
}

/* The code of what has been said, and of what is being said with it. */
static void make_code(const struct handshake *h, const char label[LABEL_SIZE], const void *more,
                      size_t more_len, unsigned char code[HMAC_LEN])
{
    unsigned char text[LABEL_SIZE + sizeof h->hello + sizeof h->challenge + sizeof(struct welcome)];
    unsigned char *at = text;

    at = mempcpy(at, label, LABEL_SIZE);
    at = mempcpy(at, h->hello, sizeof h->hello);
    at = mempcpy(at, h->challenge, sizeof h->challenge);
    at = mempcpy(at, more, more_len);
    hmac_sha256(h->self->secret, (struct bytes){(char *)text, (size_t)(at - text)}, code);
}

static void make_proof(const struct handshake *h, unsigned char code[HMAC_LEN])
{
    make_code(h, PROOF_LABEL, "", 0, code);
}

static void make_welcome_code(const struct handshake *h, const struct welcome *w,
                              unsigned char code[HMAC_LEN])
{
    make_code(h, WELCOME_LABEL, w, offsetof(struct welcome, code), code);
}

/* The dialer. */

void handshake_dial(struct handshake *h, const struct peer_self *self, enum peer_kind kind,
                    uint64_t to)
{
    struct hello hello = {.lowest = LOWEST_VERSION,
                          .highest = HIGHEST_VERSION,
                          .kind = kind,
                          .id = self->id,
                          .to = to,
                          .group = self->group};

    *h = (struct handshake){.self = self, .step = HANDSHAKE_CHALLENGE, .is_dialer = true};
    memcpy(hello.magic, MAGIC, MAGIC_SIZE);
    strcpy(hello.address, self->address);
    random_secret(hello.nonce, sizeof hello.nonce);
    memcpy(h->hello, &hello, sizeof hello);
    h->kind = kind;
    h->id = to;
    send_message(h, &hello, sizeof hello);
}

static bool take_challenge(struct handshake *h)
{
    struct challenge c;
    unsigned char proof[HMAC_LEN];

    memcpy(&c, h->in, sizeof c);
    if (c.refusal == HANDSHAKE_VERSION || c.version < LOWEST_VERSION ||
        c.version > HIGHEST_VERSION) {
        return fail(h, HANDSHAKE_VERSION);
    }
    if (c.refusal != HANDSHAKE_FINE) {
        return fail(h, HANDSHAKE_NO_PEER);
    }
    memcpy(h->challenge, &c, sizeof c);
    make_proof(h, proof);
    send_message(h, proof, sizeof proof);
    h->step = HANDSHAKE_WELCOME;
    return true;
}

static bool take_welcome(struct handshake *h)
{
    struct welcome w;
    unsigned char code[HMAC_LEN];

    memcpy(&w, h->in, sizeof w);
    make_welcome_code(h, &w, code);
    if (!hmac_equal(w.code, code)) {
        return fail(h, HANDSHAKE_SECRET);
    }
    if (w.refusal != HANDSHAKE_FINE) {
        return fail(h, w.refusal <= HANDSHAKE_SELF ? (enum handshake_refusal)w.refusal
                                                   : HANDSHAKE_NO_PEER);
    }
    if (w.id == 0 || (h->id != 0 && h->id != w.id)) {
        return fail(h, HANDSHAKE_ID);
    }
    h->id = w.id;
    h->step = HANDSHAKE_DONE;
    return true;
}

/* The listener. */

void handshake_accept(struct handshake *h, const struct peer_self *self)
{
    *h = (struct handshake){.self = self, .step = HANDSHAKE_HELLO};
}

/* Takes what the dialer says of itself. It is not known yet to be true. */
static bool read_hello(struct handshake *h, const struct hello *hello)
{
    struct address ignored;
    size_t len = strnlen(hello->address, ADDRESS_FIELD);

    if (hello->kind < PEER_RAFT || hello->kind > PEER_JOIN || hello->id == 0 ||
        !address_parse((struct bytes){hello->address, len}, &ignored)) {
        return false;
    }
    h->kind = (enum peer_kind)hello->kind;
    h->id = hello->id;
    h->group = hello->group;
    bytes_to_string((struct bytes){hello->address, len}, h->address, sizeof h->address);
    return true;
}

static bool take_hello(struct handshake *h)
{
    struct hello hello;
    struct challenge c = {.version = HIGHEST_VERSION};

    memcpy(&hello, h->in, sizeof hello);
    memcpy(c.magic, MAGIC, MAGIC_SIZE);
    if (hello.lowest > HIGHEST_VERSION || hello.highest < LOWEST_VERSION) {
        c.version = 0;
        c.refusal = HANDSHAKE_VERSION;
        send_message(h, &c, sizeof c);
        return fail(h, HANDSHAKE_VERSION);
    }
    if (!read_hello(h, &hello)) {
        return fail(h, HANDSHAKE_NO_PEER);
    }
    if (hello.highest < HIGHEST_VERSION) {
        c.version = hello.highest;
    }
    random_secret(c.nonce, sizeof c.nonce);
    memcpy(h->hello, &hello, sizeof hello);
    memcpy(h->challenge, &c, sizeof c);
    send_message(h, &c, sizeof c);
    h->step = HANDSHAKE_PROOF;
    return true;
}

/* Says whether one that knows the secret may do what it has come for. */
static enum handshake_refusal judge(const struct handshake *h)
{
    struct hello hello;
    bool may_be_new;

    memcpy(&hello, h->hello, sizeof hello);
    may_be_new = h->kind == PEER_JOIN && h->group == 0;
    if (h->id == h->self->id) {
        return HANDSHAKE_SELF;
    }
    if (hello.to != 0 && hello.to != h->self->id) {
        return HANDSHAKE_ID;
    }
    if (h->self->group == 0 || (h->group != h->self->group && !may_be_new)) {
        return HANDSHAKE_GROUP;
    }
    return HANDSHAKE_FINE;
}

static bool take_proof(struct handshake *h)
{
    struct welcome w = {.refusal = HANDSHAKE_SECRET, .id = h->self->id};
    unsigned char expected[HMAC_LEN];

    make_proof(h, expected);
    if (!hmac_equal(h->in, expected)) {
        /* Without a code: that would be something to guess by. */
        w.id = 0;
        send_message(h, &w, sizeof w);
        return fail(h, HANDSHAKE_SECRET);
    }
    w.refusal = judge(h);
    make_welcome_code(h, &w, w.code);
    send_message(h, &w, sizeof w);
    if (w.refusal != HANDSHAKE_FINE) {
        return fail(h, (enum handshake_refusal)w.refusal);
    }
    h->step = HANDSHAKE_DONE;
    return true;
}

/* Both. */

static bool (*const take_message[])(struct handshake *) = {
    [HANDSHAKE_HELLO] = take_hello,
    [HANDSHAKE_CHALLENGE] = take_challenge,
    [HANDSHAKE_PROOF] = take_proof,
    [HANDSHAKE_WELCOME] = take_welcome,
};

size_t handshake_wants(const struct handshake *h)
{
    return message_size[h->step] - h->in_len;
}

/* What begins as nothing of ours is not waited for. */
static bool begins_well(const struct handshake *h)
{
    size_t len = h->in_len < MAGIC_SIZE ? h->in_len : MAGIC_SIZE;

    return (h->step != HANDSHAKE_HELLO && h->step != HANDSHAKE_CHALLENGE) ||
           memcmp(h->in, MAGIC, len) == 0;
}

bool handshake_take(struct handshake *h, struct bytes in)
{
    assert(in.len <= handshake_wants(h));
    if (in.len == 0) {
        return h->step != HANDSHAKE_FAILED;
    }
    memcpy(h->in + h->in_len, in.at, in.len);
    h->in_len += in.len;
    if (!begins_well(h)) {
        return fail(h, HANDSHAKE_NO_PEER);
    }
    if (handshake_wants(h) > 0) {
        return true;
    }
    h->in_len = 0;
    return take_message[h->step](h);
}

const char *handshake_text(enum handshake_refusal refusal)
{
    static const char *const texts[] = {
        [HANDSHAKE_FINE] = "nothing",
        [HANDSHAKE_NO_PEER] = "that is not the protocol of peers",
        [HANDSHAKE_VERSION] = "the versions of the protocol of peers differ",
        [HANDSHAKE_SECRET] = "the secrets differ (raft-secret)",
        [HANDSHAKE_GROUP] = "the groups differ",
        [HANDSHAKE_ID] = "another server was expected at this address",
        [HANDSHAKE_SELF] = "that is this server itself",
    };

    return texts[refusal];
}
