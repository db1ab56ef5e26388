/* SCRIPT DRYRUN and FUNCTION DRYRUN: what a script or function would do.
 *
 * It runs as always, and is then rolled back whether it fails or not; the reply tells
 * what it replied, and which changes it had made. */
#ifndef SCRIPT_DRYRUN_H
#define SCRIPT_DRYRUN_H

struct call;

/* The handlers of the two subcommands. */
void dryrun_script(struct call *c);
void dryrun_function(struct call *c);

/* Their flags and keys. That they begin with an empty journal, no transaction is the
 * place for them. */
#define DRYRUN_FLAGS                                                                               \
    (COMMAND_SCRIPT | COMMAND_NOSCRIPT | COMMAND_NO_MULTI | COMMAND_SKIP_MONITOR |                 \
     COMMAND_READONLY | COMMAND_NO_MANDATORY_KEYS | COMMAND_MOVABLE_KEYS | COMMAND_STALE)
#define DRYRUN_KEYS NUMBERED_KEYS(3, KEY_RO | KEY_ACCESS)

#endif
