/* How a run tells the process that has started it what came of it. */
#ifndef SIMULATION_REPORT_H
#define SIMULATION_REPORT_H

enum { REPORT_TEXT = 600 };

/* Ends the process, having told the totals of the world and what is wrong, or NULL. */
__attribute__((noreturn)) void report_end(const char *problem);

#endif
