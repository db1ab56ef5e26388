/* What the commands on streams share. */
#ifndef COMMAND_STREAM_H
#define COMMAND_STREAM_H

#include "engine/call.h"
#include "store/stream.h"

/* Read an id, "ms-seq" or "ms" alone; the sequence number is then `missing_seq`.
 * call_stream_id() takes argument `arg`, and returns false, having failed the call, if
 * it is none. *any_seq, unless NULL, says whether it ends in "-*". */
bool stream_id_parse(struct bytes text, uint64_t missing_seq, struct stream_id *id, bool *any_seq);
bool call_stream_id(struct call *c, size_t arg, struct stream_id *id, bool *any_seq);

/* Read an argument as the first or the last id of a range: an id, "-" or "+", or "("
 * and an id that is not to be in it. Return false, having failed the call, if it is
 * none. */
bool call_stream_start(struct call *c, size_t arg, struct stream_id *id);
bool call_stream_end(struct call *c, size_t arg, struct stream_id *id);

/* Write an id as text; return its length. */
enum { STREAM_ID_TEXT = 42 };
size_t stream_id_format(char text[STREAM_ID_TEXT], struct stream_id id);

void reply_stream_id(struct call *c, struct stream_id id);
void reply_stream_entry(struct call *c, struct stream_entry *entry); /* Reads its fields. */

/* Replies with an array of the entries in a range, at most `most` of them unless that
 * is 0. Returns how many. */
size_t reply_stream_entries(struct call *c, const struct value *v, struct stream_range range,
                            size_t most, bool backwards);

/* Returns how long ago something was; 0 if that is still to come. */
static inline int64_t call_age_ms(const struct call *c, int64_t then_ms)
{
    int64_t age_ms;

    if (__builtin_sub_overflow(c->now_ms, then_ms, &age_ms)) {
        return INT64_MAX;
    }
    return age_ms < 0 ? 0 : age_ms;
}

/* Finds argument 1 or another as a stream and the group in it that the argument behind
 * is the name of. Returns false, having failed the call, unless both are there. */
bool call_stream_group(struct call *c, size_t arg, const struct value **v,
                       const struct stream_group **g);

/* Returns the consumer of that name, which has been seen now; makes it if need be. */
const struct stream_consumer *call_stream_consumer(struct call *c, struct bytes key,
                                                   const struct stream_group *g, struct bytes name);

/* How many of all entries that a stream ever had have been read by who has got as far
 * as `last`, if `read` was known before; STREAM_READ_UNKNOWN if that cannot be told. */
struct stream_progress {
    struct stream_meta meta;
    struct stream_id first; /* Entry that is there. */
    size_t count;
};
struct stream_progress stream_progress(const struct value *v);
int64_t progress_read(const struct stream_progress *p, struct stream_id last);

/* Returns whether entries may have been deleted from `from` on. */
bool progress_has_gaps(const struct stream_progress *p, struct stream_id from);

#endif
