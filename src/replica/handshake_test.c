#include "replica/handshake.h"

#include "base/random.h"
#include "test/lib/check.h"

enum { TRAFFIC_MAX = 1024 };

/* Two servers of one group, and the bytes between them. */
struct pair {
    struct peer_self one, two;
    struct handshake dialer, listener;
    size_t sent;                        /* Both ways, in order. */
    unsigned char traffic[TRAFFIC_MAX]; /* As it arrived. */
    size_t flip; /* The byte that arrives with another bit 0; none if large. */
};

static void pair_init(struct pair *p)
{
    *p = (struct pair){.one = {.id = 11, .group = 7, .secret = BYTES("secret")},
                       .two = {.id = 22, .group = 7, .secret = BYTES("secret")},
                       .flip = SIZE_MAX};
    strcpy(p->one.address, "one.example:6379@16379");
    strcpy(p->two.address, "[::1]:6380@16380");
}

/* Carries what one side has to send to the other, in pieces of at most `piece` bytes. */
static void carry(struct pair *p, struct handshake *from, struct handshake *to, size_t piece)
{
    size_t len = from->out_len;
    size_t start = p->sent;

    memcpy(p->traffic + start, from->out, len);
    if (p->flip >= start && p->flip < start + len) {
        p->traffic[p->flip] ^= 1;
    }
    p->sent += len;
    from->out_len = 0;
    for (size_t done = 0; done < len && handshake_wants(to) > 0;) {
        size_t part = len - done < piece ? len - done : piece;

        part = part < handshake_wants(to) ? part : handshake_wants(to);
        handshake_take(to, (struct bytes){(char *)p->traffic + start + done, part});
        done += part;
    }
}

static void pair_run(struct pair *p, enum peer_kind kind, uint64_t to, size_t piece)
{
    handshake_dial(&p->dialer, &p->one, kind, to);
    handshake_accept(&p->listener, &p->two);
    for (int i = 0; i < 2; i++) {
        carry(p, &p->dialer, &p->listener, piece);
        carry(p, &p->listener, &p->dialer, piece);
    }
}

static bool is_done(const struct pair *p)
{
    return p->dialer.step == HANDSHAKE_DONE && p->listener.step == HANDSHAKE_DONE &&
           handshake_wants(&p->dialer) == 0 && handshake_wants(&p->listener) == 0;
}

static bool is_refused(const struct pair *p, enum handshake_refusal why)
{
    return p->dialer.step == HANDSHAKE_FAILED && p->listener.step == HANDSHAKE_FAILED &&
           p->dialer.refusal == why && p->listener.refusal == why;
}

TEST(each_learns_who_the_other_is)
{
    struct pair p;

    pair_init(&p);
    pair_run(&p, PEER_FETCH, 22, SIZE_MAX);
    CHECK(is_done(&p));
    CHECK(p.listener.id == 11);
    CHECK(p.listener.group == 7);
    CHECK(p.listener.kind == PEER_FETCH);
    CHECK(strcmp(p.listener.address, "one.example:6379@16379") == 0);
    CHECK(p.dialer.id == 22);
    CHECK(p.sent ==
          HANDSHAKE_HELLO_SIZE + HANDSHAKE_CHALLENGE_SIZE + HMAC_LEN + HANDSHAKE_WELCOME_SIZE);
}

TEST(bytes_may_come_one_by_one)
{
    for (size_t piece = 1; piece < 400; piece++) {
        struct pair p;

        pair_init(&p);
        pair_run(&p, PEER_RAFT, 0, piece);
        CHECK(is_done(&p));
    }
}

TEST(the_secret_must_be_the_same)
{
    struct pair p;

    pair_init(&p);
    p.two.secret = BYTES("Secret");
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_SECRET));
    pair_init(&p);
    p.one.secret = BYTES("");
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_SECRET));
    pair_init(&p);
    p.one.secret = p.two.secret = BYTES("");
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(is_done(&p));
}

/* A stranger must not get anything by which to try secrets at home. */
TEST(who_has_not_proved_itself_gets_no_code)
{
    static const unsigned char nothing[HMAC_LEN];
    struct pair p;

    pair_init(&p);
    p.one.secret = BYTES("a guess");
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(memcmp(p.traffic + p.sent - HMAC_LEN, nothing, HMAC_LEN) == 0);
}

TEST(groups_do_not_mix)
{
    struct pair p;

    pair_init(&p);
    p.one.group = 8;
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_GROUP));
    pair_init(&p);
    p.one.group = 8;
    pair_run(&p, PEER_JOIN, 0, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_GROUP));
    pair_init(&p);
    p.one.group = p.two.group = 0;
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_GROUP));
}

TEST(who_has_no_group_may_only_ask_to_join)
{
    for (int kind = PEER_RAFT; kind <= PEER_JOIN; kind++) {
        struct pair p;

        pair_init(&p);
        p.one.group = 0;
        pair_run(&p, (enum peer_kind)kind, 0, SIZE_MAX);
        CHECK(kind == PEER_JOIN ? is_done(&p) : is_refused(&p, HANDSHAKE_GROUP));
    }
}

TEST(another_server_than_the_expected_is_refused)
{
    struct pair p;

    pair_init(&p);
    pair_run(&p, PEER_RAFT, 23, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_ID));
    pair_init(&p);
    p.one.id = p.two.id;
    pair_run(&p, PEER_JOIN, 0, SIZE_MAX);
    CHECK(is_refused(&p, HANDSHAKE_SELF));
}

/* Wherever it is: at the most the listener is content, if it is the last message that
 * did not arrive as it was sent. */
TEST(no_byte_may_be_changed)
{
    struct pair p;
    size_t total;

    pair_init(&p);
    pair_run(&p, PEER_JOIN, 22, SIZE_MAX);
    total = p.sent;
    for (size_t i = 0; i < total; i++) {
        pair_init(&p);
        p.flip = i;
        pair_run(&p, PEER_JOIN, 22, SIZE_MAX);
        CHECK(p.dialer.step != HANDSHAKE_DONE);
        CHECK((p.listener.step == HANDSHAKE_DONE) == (i >= total - HANDSHAKE_WELCOME_SIZE));
    }
}

/* Lets a side take what is not from the other one; what it had to send is lost. */
static bool hears(struct handshake *h, const void *message, size_t size)
{
    h->out_len = 0;
    return handshake_take(h, (struct bytes){message, size});
}

TEST(what_was_said_before_proves_nothing)
{
    struct pair p;
    struct handshake again;
    unsigned char *challenge, *proof;

    pair_init(&p);
    pair_run(&p, PEER_RAFT, 22, SIZE_MAX);
    challenge = p.traffic + HANDSHAKE_HELLO_SIZE;
    proof = challenge + HANDSHAKE_CHALLENGE_SIZE;
    handshake_accept(&again, &p.two);
    CHECK(hears(&again, p.traffic, HANDSHAKE_HELLO_SIZE));
    CHECK(!hears(&again, proof, HMAC_LEN));
    CHECK(again.refusal == HANDSHAKE_SECRET);

    handshake_dial(&again, &p.one, PEER_RAFT, 22);
    CHECK(hears(&again, challenge, HANDSHAKE_CHALLENGE_SIZE));
    CHECK(!hears(&again, proof + HMAC_LEN, HANDSHAKE_WELCOME_SIZE));
    CHECK(again.refusal == HANDSHAKE_SECRET);
}

/* A listener that knows the secret and still lets somebody else's dialer in. */
TEST(the_dialer_looks_at_the_id_too)
{
    struct pair p;
    struct {
        char label[16];
        unsigned char hello[HANDSHAKE_HELLO_SIZE];
        unsigned char challenge[HANDSHAKE_CHALLENGE_SIZE];
        uint64_t refusal, id;
        unsigned char code[HMAC_LEN];
    } text = {.id = 33};

    for (int i = 0; i < 2; i++) {
        pair_init(&p);
        handshake_dial(&p.dialer, &p.one, PEER_RAFT, i == 0 ? 22 : 0);
        handshake_accept(&p.listener, &p.two);
        carry(&p, &p.dialer, &p.listener, SIZE_MAX);
        carry(&p, &p.listener, &p.dialer, SIZE_MAX);
        memcpy(text.label, "moonlatch answer", sizeof text.label);
        memcpy(text.hello, p.dialer.hello, sizeof text.hello);
        memcpy(text.challenge, p.dialer.challenge, sizeof text.challenge);
        hmac_sha256(BYTES("secret"), (struct bytes){(char *)&text, sizeof text - HMAC_LEN},
                    text.code);
        CHECK(hears(&p.dialer, &text.refusal, HANDSHAKE_WELCOME_SIZE) == (i == 1));
        CHECK(p.dialer.refusal == (i == 0 ? HANDSHAKE_ID : HANDSHAKE_FINE));
    }
}

/* A server that is sent what it says itself, or the proof of a server that it dials. */
TEST(nobody_is_fooled_by_a_mirror)
{
    struct pair p;
    struct handshake listener;
    unsigned char proof[HMAC_LEN];

    pair_init(&p);
    handshake_dial(&p.dialer, &p.one, PEER_RAFT, 22);
    CHECK(!hears(&p.dialer, p.dialer.hello, HANDSHAKE_CHALLENGE_SIZE));

    handshake_dial(&p.dialer, &p.one, PEER_RAFT, 0);
    handshake_accept(&listener, &p.one);
    CHECK(hears(&listener, p.dialer.hello, HANDSHAKE_HELLO_SIZE));
    CHECK(hears(&p.dialer, listener.challenge, HANDSHAKE_CHALLENGE_SIZE));
    memcpy(proof, p.dialer.out, HMAC_LEN);
    CHECK(!hears(&listener, proof, HMAC_LEN));
    CHECK(listener.refusal == HANDSHAKE_SELF);
}

static enum handshake_refusal refusal_of(struct bytes in)
{
    struct pair p;
    bool fine;

    pair_init(&p);
    handshake_accept(&p.listener, &p.two);
    fine = handshake_take(&p.listener, in);
    CHECK(fine == (p.listener.step != HANDSHAKE_FAILED));
    CHECK(fine || handshake_wants(&p.listener) == 0);
    return p.listener.refusal;
}

TEST(other_protocols_are_known_by_their_first_bytes)
{
    CHECK(refusal_of(BYTES("GET / HTTP/1.1\r\n")) == HANDSHAKE_NO_PEER);
    CHECK(refusal_of(BYTES("*1\r\n$4\r\nPING\r\n")) == HANDSHAKE_NO_PEER);
    CHECK(refusal_of(BYTES("MOONPEEK")) == HANDSHAKE_NO_PEER);
    CHECK(refusal_of(BYTES("\0")) == HANDSHAKE_NO_PEER);
    CHECK(refusal_of(BYTES("MOON")) == HANDSHAKE_FINE);
    CHECK(refusal_of(BYTES("")) == HANDSHAKE_FINE);
}

/* Changes a byte of a hello and says what is thought of it. */
static enum handshake_refusal refusal_with(size_t at, unsigned char byte, struct pair *p)
{
    pair_init(p);
    handshake_dial(&p->dialer, &p->one, PEER_RAFT, 22);
    p->dialer.out[at] = byte;
    handshake_accept(&p->listener, &p->two);
    handshake_take(&p->listener, (struct bytes){(char *)p->dialer.out, HANDSHAKE_HELLO_SIZE});
    return p->listener.refusal;
}

TEST(versions_must_have_one_in_common)
{
    enum { LOWEST = 8, HIGHEST = 10 };
    struct pair p;

    CHECK(refusal_with(HIGHEST, 9, &p) == HANDSHAKE_FINE);
    CHECK(refusal_with(HIGHEST, 0, &p) == HANDSHAKE_VERSION);
    CHECK(refusal_with(LOWEST, 2, &p) == HANDSHAKE_VERSION);
    p.dialer.out_len = 0;
    CHECK(!handshake_take(&p.dialer, (struct bytes){(char *)p.listener.out, p.listener.out_len}));
    CHECK(p.dialer.refusal == HANDSHAKE_VERSION);
}

TEST(what_a_dialer_says_must_make_sense)
{
    enum { KIND = 12, ID = 16, ADDRESS = 72 };
    struct pair p;

    CHECK(refusal_with(KIND, 0, &p) == HANDSHAKE_NO_PEER);
    CHECK(refusal_with(KIND, PEER_JOIN + 1, &p) == HANDSHAKE_NO_PEER);
    CHECK(refusal_with(KIND + 3, 1, &p) == HANDSHAKE_NO_PEER);
    CHECK(refusal_with(ID, 0, &p) == HANDSHAKE_NO_PEER);
    CHECK(refusal_with(ADDRESS, 0, &p) == HANDSHAKE_NO_PEER);
    CHECK(refusal_with(ADDRESS, '\n', &p) == HANDSHAKE_NO_PEER);
}

TEST(garbage_does_no_harm)
{
    struct random random;

    random_seed(&random, check_seed());
    for (size_t round = check_rounds(20000); round > 0; round--) {
        struct pair p;
        struct handshake *h;

        pair_init(&p);
        handshake_dial(&p.dialer, &p.one, PEER_RAFT, 22);
        handshake_accept(&p.listener, &p.two);
        h = round % 2 == 0 ? &p.dialer : &p.listener;
        for (int i = 0; i < 6 && handshake_wants(h) > 0; i++) {
            unsigned char in[HANDSHAKE_HELLO_SIZE] = "MOONPEER\1\0\1";
            size_t len = random_below(&random, 4) == 0
                             ? 1 + random_below(&random, handshake_wants(h))
                             : handshake_wants(h);

            for (size_t j = random_below(&random, 3) * 8; j < len; j++) {
                in[j] = (unsigned char)random_next(&random);
            }
            h->out_len = 0;
            handshake_take(h, (struct bytes){(char *)in, len});
        }
        CHECK(h->step != HANDSHAKE_DONE);
    }
}

int main(void)
{
    return RUN(each_learns_who_the_other_is, bytes_may_come_one_by_one, the_secret_must_be_the_same,
               who_has_not_proved_itself_gets_no_code, groups_do_not_mix,
               who_has_no_group_may_only_ask_to_join, another_server_than_the_expected_is_refused,
               no_byte_may_be_changed, what_was_said_before_proves_nothing,
               the_dialer_looks_at_the_id_too, nobody_is_fooled_by_a_mirror,
               other_protocols_are_known_by_their_first_bytes, versions_must_have_one_in_common,
               what_a_dialer_says_must_make_sense, garbage_does_no_harm);
}
