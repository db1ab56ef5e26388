/* Configuration: the settings of a server, and the options that set them.
 *
 * There is one table of options. The file, the flags, CONFIG GET, SET and REWRITE,
 * and --help all go by it. To all of them a value is one text; an option that
 * takes several words has them separated by spaces. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "net/net.h"
#include "script/script.h"
#include "store/value.h"

enum debug_allowed {
    DEBUG_NEVER,
    DEBUG_ALWAYS,
    DEBUG_LOCAL, /* To clients on this machine. */
};

/* Of the log, and of the group. */
struct raft_settings {
    struct buf dir;
    struct buf announce, secret;
    bool bootstrap; /* Where there is no log, one is begun. */
    int port;
    int election_ms, heartbeat_ms;
    size_t log_size;
};

struct settings {
    struct net_settings net;       /* Viewed by the network */
    struct script_settings script; /* and the scripts. */
    struct engine_settings engine; /* The engine has a copy: see server_apply(). */
    struct value_limits limits;    /* The dataset as well. */
    struct raft_settings raft;
    int durability; /* enum durability */
    int databases;
    int log_level;     /* enum log_level */
    int debug_allowed; /* enum debug_allowed */
    struct buf dir;
    struct buf rdb_file;    /* The name of the file that has the data. */
    struct buf save_points; /* When to save: seconds and changes by turns; empty: never. */
    bool rdb_checksum;
    bool stops_writes; /* While the data cannot be saved. */
    int key_load_delay_us;
    int key_save_delay_us;  /* Negative: a microsecond behind one key of so many. */
    struct buf log_file;    /* Empty: standard output. */
    struct buf pid_file;    /* Empty: none. */
    struct buf percentiles; /* Of INFO latencystats: numbers with spaces between them. */
    struct buf *texts;      /* The values of the options that have no field here. */
};

enum option_type {
    OPTION_INTEGER,
    OPTION_MEMORY, /* Bytes, with a unit: 1k is 1000 of them, 1kb is 1024; m and g likewise. */
    OPTION_SHARE,  /* The same, or a part of maxmemory: 5%. */
    OPTION_OCTAL,
    OPTION_BOOL,
    OPTION_ENUM,
    OPTION_TEXT,
    OPTION_WORDS,       /* A text of several words. */
    OPTION_PERCENTILES, /* Numbers from 0 to 100. */
    OPTION_POINTS,      /* Seconds and changes by turns. Lines of a file add up. */
    OPTION_FILE,        /* The name of a file, without a path. */
    OPTION_EVENTS,      /* notify-keyspace-events: a set of classes. */
    OPTION_OUTPUTS,     /* client-output-buffer-limit: of each class of clients. */
};

enum option_flags {
    OPTION_FIXED = 1 << 0,  /* Only at the start, not by CONFIG SET. */
    OPTION_HIDDEN = 1 << 1, /* CONFIG GET does not show it to a pattern. */
};

struct option {
    const char *name;
    const char *alias; /* An older name, or NULL. */
    enum option_type type;
    unsigned flags;
    size_t place;             /* Of the field in struct settings, */
    size_t size;              /* and its size; 0: it has none, and nothing goes by the value. */
    int64_t min;              /* Of numbers. */
    int64_t max;              /* 0: the most that an int holds, or, if it is memory, an int64_t. */
    const char *const *words; /* OPTION_ENUM: ends in NULL. */
    const char *initial;
    const char *summary; /* NULL: the option is there for compatibility only. */
};

/* All options. */
extern const struct option options[];
extern const size_t options_count;

/* Returns the option of that name or alias, in any case of letters; NULL if there
 * is none. */
const struct option *options_find(struct bytes name);

/* Returns the name that `name` was perhaps meant to be; NULL if none is like it. */
const char *options_suggest(struct bytes name);

/* Returns whether the value may be given as several words. */
static inline bool option_has_words(const struct option *o)
{
    return o->type == OPTION_WORDS || o->type == OPTION_PERCENTILES || o->type == OPTION_OUTPUTS ||
           o->type == OPTION_POINTS;
}

/* Sets everything to what it is initially. */
void settings_init(struct settings *s);
void settings_clear(struct settings *s);

/* Sets an option. Returns false, with what is wrong appended to `error` and the
 * settings unchanged, if it cannot have that value. */
bool settings_set(struct settings *s, const struct option *o, struct bytes text, struct buf *error);

/* Appends the value, as settings_set() takes it. */
void settings_get(const struct settings *s, const struct option *o, struct buf *out);

/* Returns whether the value is the initial one. */
bool settings_is_initial(const struct settings *s, const struct option *o);

#endif
