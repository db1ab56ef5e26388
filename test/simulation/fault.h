/* Faults, as the seed has them. */
#ifndef SIMULATION_FAULT_H
#define SIMULATION_FAULT_H

/* Begins with them. */
void faults_begin(void);

/* Ends them, and makes everything whole that is broken. */
void faults_end(void);

#endif
