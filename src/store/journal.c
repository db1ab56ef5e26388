#include "store/journal.h"

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
    assert(j->newest == NULL);
    assert(j->keeps_undo);
    j->keeps_redo = true;
}

struct journal_mark journal_mark(const struct journal *j)
{
    return (struct journal_mark){
        .newest = j->newest,
        .arena = arena_mark(&j->arena),
        .held = j->held,
        .redo_len = j->redo.len,
        .changes = j->changes,
    };
}

/* Forgets the redo behind `len`, and gives back memory that few batches need. */
static void cut_redo(struct journal *j, size_t len)
{
    enum { REDO_KEPT = 64 * 1024 };

    buf_cut(&j->redo, len);
    if (len == 0 && j->redo.cap > REDO_KEPT) {
        buf_clear(&j->redo);
    }
}

void journal_rollback(struct journal *j, struct journal_mark mark)
{
    size_t undone = 0;

    while (j->newest != mark.newest) {
        struct undo *u = j->newest;

        assert(u != NULL);
        j->newest = u->older;
        if (!u->is_note) {
            u->inverse.undoes = true;
            change_make(j->data, &u->inverse, NULL, NULL);
            undone++;
        }
    }
    assert(j->changes - mark.changes == undone); /* All of it had been kept. */
    if (j->newest != NULL) {
        j->newest->newer = NULL;
    } else {
        j->oldest = NULL;
    }
    arena_cut(&j->arena, mark.arena);
    j->held = mark.held;
    cut_redo(j, mark.redo_len);
    j->changes = mark.changes;
}

void journal_each(const struct journal *j, const struct journal_visitor *visitor)
{
    for (const struct undo *u = j->oldest; u != NULL; u = u->newer) {
        if (u->is_note) {
            if (visitor->note != NULL) {
                visitor->note(&u->note, visitor->context);
            }
        } else if (visitor->change != NULL) {
            visitor->change(&u->inverse, visitor->context);
        }
    }
}

void journal_commit(struct journal *j)
{
    for (struct undo *u = j->newest; u != NULL; u = u->older) {
        if (!u->is_note) {
            change_drop(&u->inverse);
        }
    }
    j->oldest = NULL;
    j->newest = NULL;
    arena_reset(&j->arena);
    j->held = 0;
    cut_redo(j, 0);
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
    buf_clear(&j->redo);
}
