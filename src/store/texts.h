/* Texts: what a dataset holds besides keys, each under a name of its own: the libraries
 * of functions, and the scripts that SCRIPT LOAD keeps. They are changed by changes
 * only, so they are rolled back, logged and copied as keys are. */
#ifndef STORE_TEXTS_H
#define STORE_TEXTS_H

#include "data/table.h"
#include "store/digest.h"

enum text_kind {
    TEXT_LIBRARY, /* Under the name of the library. */
    TEXT_SCRIPT,  /* Under its SHA-1. */
    TEXT_KIND_END,
};

struct text;
struct texts;

struct texts *texts_new(void);
void texts_free(struct texts *t);

size_t texts_count(const struct texts *t);
struct bytes text_name(const struct text *text);
struct bytes text_content(const struct text *text);

/* Returns the text of this name, valid until that is next changed; NULL if there is
 * none. */
const struct text *texts_find(const struct texts *t, struct bytes name);

/* Walks all texts, in no order: as table_next(). */
const struct text *texts_next(const struct texts *t, struct table_walk *walk);

/* Returns a number that is another one after each change, a rollback too. */
uint64_t texts_version(const struct texts *t);

struct digest texts_digest(const struct texts *t);

/* Creates a text, which belongs to the caller until it has been put in place. */
struct text *text_new(struct bytes name, struct bytes content);
size_t text_memory(const struct text *text);
void text_free(struct text *text);

#endif
