/* Mutants: mistakes that are made on purpose, to see that the simulation finds them. They
 * are made here, around functions of the product, and nowhere in it. */
#ifndef SIMULATION_MUTANT_H
#define SIMULATION_MUTANT_H

enum mutant {
    MUTANT_NONE,
    MUTANT_ACKNOWLEDGES_EARLY, /* What is held back goes out at once. */
    MUTANT_KEEPS_LOST,         /* What was not committed is not undone when leadership is lost. */
    MUTANT_SKIPS_ONE,          /* The first entry behind a snapshot is not made; */
    MUTANT_MAKES_TWICE,        /* it is made twice. */
    MUTANT_SAVES_UNCOMMITTED,  /* A snapshot has what is not committed. */
    MUTANT_LEADS_EARLY,        /* A tenure begins before what was there is applied. */
    MUTANT_DISK_FORGETS,       /* What was said to be on the disk is not. */
    MUTANTS,
};
extern enum mutant mutant;
extern const char *const mutant_names[MUTANTS];

#endif
