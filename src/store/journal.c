#include "store/journal.h"

#include "base/mem.h"

#include <assert.h>

struct undo {
    struct undo *older;
    struct undo *newer;
    bool is_note;
    union {
        struct change inverse;
        struct note note;
    };
};

/* An arena that parts have their records in. It is the journal's, `arena` being empty,
 * until that takes another one. */
struct room {
    struct arena arena;
    size_t parts;
};

enum { SHARED = 32 * 1024 }; /* Once so much of an arena is used, it is left to its parts. */

static void append(struct journal *j, struct undo *u)
{
    u->older = j->newest;
    u->newer = NULL;
    if (j->newest != NULL) {
        j->newest->newer = u;
    } else {
        j->oldest = u;
    }
    j->newest = u;
}

static void keep(struct journal *j, const struct change *c)
{
    struct undo *u = arena_alloc(&j->arena, sizeof *u);

    u->is_note = false;
    change_make(j->data, c, &u->inverse, &j->arena);
    j->held += change_memory(&u->inverse);
    append(j, u);
}

void journal_note(struct journal *j, const struct note *n)
{
    struct undo *u = arena_alloc(&j->arena, sizeof *u);

    u->is_note = true;
    u->note = *n;
    u->note.name = arena_copy(&j->arena, n->name);
    u->note.content = arena_copy(&j->arena, n->content);
    append(j, u);
}

void journal_record(struct journal *j, const struct change *c)
{
    j->changes++;
    if (j->keeps_redo) {
        change_encode(c, &j->redo);
    }
    if (j->keeps_undo) {
        keep(j, c);
    } else {
        change_make(j->data, c, NULL, NULL);
    }
}

void journal_keep_redo(struct journal *j)
{
    assert(j->keeps_undo);
    assert(j->keeps_redo || j->newest == NULL);
    j->keeps_redo = true;
}

struct journal_mark journal_mark(const struct journal *j)
{
    return (struct journal_mark){
        .newest = j->newest,
        .arena = arena_mark(&j->arena),
        .held = j->held,
        .redo_end = j->redo_cut + j->redo.len,
        .changes = j->changes,
    };
}

/* Forgets the redo behind `end`, and gives back memory that few batches need. */
static void cut_redo(struct journal *j, size_t end)
{
    enum { REDO_KEPT = 64 * 1024 };

    assert(end >= j->redo_cut);
    buf_cut(&j->redo, end - j->redo_cut);
    if (j->redo.len == 0 && j->redo.cap > REDO_KEPT) {
        buf_clear(&j->redo);
    }
}

/* Undoes the newest record of a list and takes it out. Returns how many changes that was. */
static size_t undo_newest(struct journal *j, struct undo **newest)
{
    struct undo *u = *newest;

    *newest = u->older;
    if (u->is_note) {
        return 0;
    }
    u->inverse.undoes = true;
    change_make(j->data, &u->inverse, NULL, NULL);
    return 1;
}

/* Where a mark was taken is cut off, the journal begins behind it. */
void journal_rollback(struct journal *j, struct journal_mark mark)
{
    size_t undone = 0;

    while (j->newest != mark.newest && j->newest != NULL) {
        undone += undo_newest(j, &j->newest);
    }
    assert(j->changes - mark.changes == undone); /* All of it had been kept. */
    if (j->newest != NULL) {
        j->newest->newer = NULL;
    } else {
        j->oldest = NULL;
    }
    arena_cut(&j->arena, mark.arena);
    j->held = mark.held;
    cut_redo(j, mark.redo_end);
    j->changes = mark.changes;
}

void journal_each(const struct journal *j, struct journal_mark since,
                  const struct journal_visitor *visitor)
{
    const struct undo *u = since.newest != NULL ? since.newest->newer : j->oldest;

    for (; u != NULL; u = u->newer) {
        if (u->is_note) {
            if (visitor->note != NULL) {
                visitor->note(&u->note, visitor->context);
            }
        } else if (visitor->change != NULL) {
            visitor->change(&u->inverse, visitor->context);
        }
    }
}

struct bytes journal_redo_since(const struct journal *j, struct journal_mark mark)
{
    struct bytes redo = buf_bytes(&j->redo);
    size_t start = mark.redo_end > j->redo_cut ? mark.redo_end - j->redo_cut : 0;

    return redo.len > start ? (struct bytes){redo.at + start, redo.len - start} : (struct bytes){0};
}

struct bytes journal_redo_until(const struct journal *j, struct journal_mark mark)
{
    assert(mark.redo_end >= j->redo_cut);
    return (struct bytes){j->redo.at, mark.redo_end - j->redo_cut};
}

static void drop_records(struct undo *newest)
{
    for (struct undo *u = newest; u != NULL; u = u->older) {
        if (!u->is_note) {
            change_drop(&u->inverse);
        }
    }
}

/* Begins anew behind the last record. */
static void start_again(struct journal *j)
{
    j->oldest = NULL;
    j->newest = NULL;
    j->held = 0;
    j->redo.len = 0;
    j->redo_cut = 0;
    cut_redo(j, 0);
}

void journal_commit(struct journal *j)
{
    drop_records(j->newest);
    start_again(j);
    if (j->room == NULL) {
        arena_reset(&j->arena);
    }
}

/* Makes a part of the records between two. */
static void make_part(struct journal *j, struct journal_part *part, struct undo *oldest,
                      struct undo *newest)
{
    *part = (struct journal_part){.oldest = oldest, .newest = newest};
    if (newest == NULL) {
        return;
    }
    if (j->room == NULL) {
        j->room = mem_zalloc(sizeof *j->room);
    }
    j->room->parts++;
    part->room = j->room;
}

static void take_other_arena(struct journal *j)
{
    j->room->arena = j->arena;
    j->room = NULL;
    j->arena = j->spare;
    j->spare = (struct arena){0};
}

void journal_cut(struct journal *j, struct journal_part *part)
{
    make_part(j, part, j->oldest, j->newest);
    if (j->room != NULL && j->arena.used >= SHARED) {
        take_other_arena(j);
    }
    start_again(j);
}

void journal_cut_before(struct journal *j, struct journal_mark mark, struct journal_part *part)
{
    size_t redo = journal_redo_until(j, mark).len;

    make_part(j, part, mark.newest != NULL ? j->oldest : NULL, mark.newest);
    if (mark.newest != NULL) {
        j->oldest = mark.newest->newer;
        if (j->oldest != NULL) {
            j->oldest->older = NULL;
        } else {
            j->newest = NULL;
        }
        mark.newest->newer = NULL;
    }
    buf_drop_front(&j->redo, redo);
    j->redo_cut += redo;
}

/* The last part in an arena leaves it to the journal: as what it is, or for the next time. */
static void end_part(struct journal *j, struct journal_part *part)
{
    struct room *room = part->room;

    *part = (struct journal_part){0};
    if (room == NULL || --room->parts > 0) {
        return;
    }
    if (room == j->room) {
        j->room = NULL;
    } else {
        arena_free(&j->spare);
        arena_reset(&room->arena);
        j->spare = room->arena;
    }
    mem_free(room);
}

void journal_part_commit(struct journal *j, struct journal_part *part)
{
    drop_records(part->newest);
    end_part(j, part);
}

void journal_part_rollback(struct journal *j, struct journal_part *part)
{
    while (part->newest != NULL) {
        j->changes -= undo_newest(j, &part->newest);
    }
    end_part(j, part);
}

bool journal_replay(struct dataset *data, struct bytes redo)
{
    struct change c;

    while (redo.len > 0) {
        if (!change_decode(&redo, data, &c)) {
            return false;
        }
        change_make(data, &c, NULL, NULL);
    }
    return true;
}

void journal_clear(struct journal *j)
{
    assert(j->newest == NULL);
    arena_free(&j->arena);
    arena_free(&j->spare);
    buf_clear(&j->redo);
}
