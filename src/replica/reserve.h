/* How libraft's segments get their room on the disk.
 *
 * libraft has it reserved by posix_fallocate(), and to that the file system has to note with
 * the first write to each block that it is no more empty: in its own journal, which waits
 * for the disk once more, and not in the thread that asks. Where zeros have been written
 * before, an entry is one write, and takes two thirds of the time. So this takes the place
 * of the C library's function, for libraft too, since it is a part of the program, and
 * writes them.
 *
 * They double what is written to the disk. The segments that a server begins with are
 * merely reserved: many servers never get beyond them. */
#ifndef REPLICA_RESERVE_H
#define REPLICA_RESERVE_H

#include <stdbool.h>

/* Has zeros written to what is reserved from now on, or not. */
void reserve_with_zeros(bool zeros);

#endif
