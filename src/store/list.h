/* Lists: the readers. A list is a sequence of strings, found by their index from 0. */
#ifndef STORE_LIST_H
#define STORE_LIST_H

#include "data/sequence.h"
#include "store/value.h"

size_t value_list_count(const struct value *v);

/* Returns whether there is an index-th element. *element views the list, or `text` if
 * it is a number that the list holds as such. */
bool value_list_at(const struct value *v, size_t index, char text[NUMBER_INT_MAX],
                   struct bytes *element);

/* A walk over the elements, from any of them on, while the list does not change. What
 * it returns is valid until the next step.
 *
 *     struct list_walk walk;
 *     value_list_walk(v, 0, false, &walk);
 *     while (value_list_next(&walk, &element)) ...                                    */
struct list_walk {
    struct sequence_at at; /* Of what comes next. */
    bool backwards;
    char text[NUMBER_INT_MAX];
};

/* Begins a walk at the index-th element. If there is none, it is over at once. */
void value_list_walk(const struct value *v, size_t index, bool backwards, struct list_walk *walk);
bool value_list_next(struct list_walk *walk, struct bytes *element);

/* Walks on to the next element that is equal to `e` (made by element_of()), over at
 * most `most` elements, and goes past it. Returns false if there is none, otherwise
 * tells its index. */
bool value_list_find(struct list_walk *walk, const struct element *e, size_t most, size_t *index);

/* Adds an element at the end of a list that is not bound yet. */
void value_fill_element(struct value *v, struct bytes element, const struct value_limits *limits);

/* Returns how large chunks get: what list-max-listpack-size says. */
struct chunk_limit list_chunk_limit(int64_t list_max_chunk);

#endif
