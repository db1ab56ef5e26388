#include "client/request.h"

#include "client/outgoing.h"

#include <stdio.h>
#include <string.h>

static void encode_words(const struct request *r, struct outgoing *out)
{
    for (size_t i = 0; i < r->count; i++) {
        outgoing_word(out, r->words[i], r->lens != NULL ? r->lens[i] : strlen(r->words[i]));
    }
}

/* As a function of the server's library. */
static void encode_call(const struct request *r, struct outgoing *out)
{
    char name[32];

    snprintf(name, sizeof name, "lock_%s%s", r->script->name, r->reads_only ? "_ro" : "");
    outgoing_count(out, r->count + 3);
    outgoing_text(out, r->reads_only ? "FCALL_RO" : "FCALL");
    outgoing_text(out, name);
    outgoing_number(out, r->key_count);
    encode_words(r, out);
}

static void encode_script(const struct request *r, struct outgoing *out)
{
    outgoing_count(out, r->count + 3);
    outgoing_text(out, r->has_text ? "EVAL" : "EVALSHA");
    outgoing_text(out, r->has_text ? r->script->text : r->script->sha);
    outgoing_number(out, r->key_count);
    encode_words(r, out);
}

bool request_encode(const struct request *r, bool is_native, struct outgoing *out)
{
    size_t len = out->len;
    bool is_whole;

    if (r->script == NULL) {
        outgoing_count(out, r->count);
        encode_words(r, out);
    } else if (r->script->name != NULL && is_native) {
        encode_call(r, out);
    } else {
        encode_script(r, out);
    }
    is_whole = !out->is_short;
    out->is_short = false;
    out->len = is_whole ? out->len : len;
    return is_whole;
}
