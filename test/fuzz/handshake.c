/* Fuzzes the handshake of peers: whatever stands between a dialer and a listener, and
 * delivers, drops, changes and invents bytes, neither takes it for the other, and none
 * believes what the other has not said. */
#include "replica/handshake.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is done to the bytes of one side on their way to the other, in turns. */
enum deed { DELIVER, CHANGE, INVENT, DROP, DEEDS };

struct input {
    const uint8_t *at;
    size_t len;
};

static uint8_t next(struct input *in)
{
    if (in->len == 0) {
        return 0;
    }
    in->len--;
    return *in->at++;
}

/* Hands over a copy that has no byte to spare. */
static void hand_over(struct handshake *h, const unsigned char *at, size_t len)
{
    char *copy = malloc(len);

    assert(copy != NULL);
    memcpy(copy, at, len);
    handshake_take(h, (struct bytes){copy, len});
    free(copy);
}

static void step(struct input *in, struct handshake *from, struct handshake *to)
{
    unsigned char message[HANDSHAKE_HELLO_SIZE];
    enum deed deed = (enum deed)(next(in) % DEEDS);
    size_t len = from->out_len;

    memcpy(message, from->out, len);
    from->out_len = 0;
    if (deed == CHANGE && len > 0) {
        size_t at = next(in) | (size_t)next(in) << 8;
        message[at % len] ^= next(in);
    }
    if (deed == INVENT) {
        len = next(in) | (size_t)next(in) << 8;
        len %= sizeof message + 1;
        for (size_t i = 0; i < len; i++) {
            message[i] = next(in);
        }
    }
    if (to->out_len == 0 && deed != DROP) {
        hand_over(to, message, len < handshake_wants(to) ? len : handshake_wants(to));
    }
}

static void check(const struct handshake *dialer, const struct handshake *listener)
{
    bool agree = memcmp(dialer->hello, listener->hello, sizeof dialer->hello) == 0 &&
                 memcmp(dialer->challenge, listener->challenge, sizeof dialer->challenge) == 0;

    assert(handshake_text(dialer->refusal) != NULL);
    assert(handshake_text(listener->refusal) != NULL);
    if (listener->step == HANDSHAKE_DONE) {
        assert(agree);
        assert(listener->id == dialer->self->id);
        assert(listener->kind == dialer->kind);
        assert(strcmp(listener->address, dialer->self->address) == 0);
    }
    if (dialer->step == HANDSHAKE_DONE) {
        assert(listener->step == HANDSHAKE_DONE);
        assert(dialer->id == listener->self->id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct peer_self one = {.id = 1, .group = 5, .address = "a:1@2", .secret = BYTES("secret")};
    struct peer_self two = {.id = 2, .group = 5, .address = "b:1@2", .secret = BYTES("secret")};
    struct handshake dialer, listener;
    struct input in = {data, size};

    one.group = next(&in) % 3 == 0 ? 0 : 5;
    handshake_dial(&dialer, &one, (enum peer_kind)(PEER_RAFT + next(&in) % PEER_JOIN),
                   next(&in) % 4);
    handshake_accept(&listener, &two);
    do {
        step(&in, &dialer, &listener);
        step(&in, &listener, &dialer);
        check(&dialer, &listener);
    } while (in.len > 0);
    return 0;
}
