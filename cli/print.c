#include "cli/print.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* For people. */

static void print_quoted(const char *text, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte == '"' || byte == '\\') {
            printf("\\%c", byte);
        } else if (byte == '\n') {
            printf("\\n");
        } else if (byte < ' ' || byte == 127) {
            printf("\\x%02x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void print_pretty(const moonlatch_reply *reply, int depth)
{
    size_t len, count;
    const char *text;

    switch (moonlatch_reply_type(reply)) {
    case MOONLATCH_NIL:
        printf("(nil)\n");
        break;
    case MOONLATCH_INTEGER:
    case MOONLATCH_BOOLEAN:
        printf("(integer) %" PRId64 "\n", moonlatch_reply_integer(reply));
        break;
    case MOONLATCH_TEXT:
        text = moonlatch_reply_text(reply, &len);
        print_quoted(text, len);
        putchar('\n');
        break;
    case MOONLATCH_FAILURE:
        printf("(error) %s\n", moonlatch_reply_text(reply, NULL));
        break;
    case MOONLATCH_ARRAY:
    case MOONLATCH_MAP:
        count = moonlatch_reply_count(reply);
        if (count == 0) {
            printf("(empty array)\n");
        }
        for (size_t i = 0; i < count; i++) {
            printf("%*s%zu) ", i > 0 ? depth : 0, "", i + 1);
            print_pretty(moonlatch_reply_item(reply, i), depth + 3);
        }
        break;
    default:
        printf("%s\n", moonlatch_reply_text(reply, NULL));
    }
}

/* For programs. */
static void print_bare(const moonlatch_reply *reply)
{
    size_t len;
    const char *text;

    switch (moonlatch_reply_type(reply)) {
    case MOONLATCH_NIL:
        putchar('\n');
        break;
    case MOONLATCH_INTEGER:
    case MOONLATCH_BOOLEAN:
        printf("%" PRId64 "\n", moonlatch_reply_integer(reply));
        break;
    case MOONLATCH_ARRAY:
    case MOONLATCH_MAP:
        for (size_t i = 0; i < moonlatch_reply_count(reply); i++) {
            print_bare(moonlatch_reply_item(reply, i));
        }
        break;
    default:
        text = moonlatch_reply_text(reply, &len);
        fwrite(text, 1, len, stdout);
        putchar('\n');
    }
}

void print_reply(const moonlatch_reply *reply)
{
    if (isatty(STDOUT_FILENO)) {
        print_pretty(reply, 0);
    } else {
        print_bare(reply);
    }
}

/* JSON. */

void print_json_text(FILE *out, const char *text, size_t len)
{
    putc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < ' ') {
            fprintf(out, "\\u%04x", byte);
        } else {
            putc(byte, out);
        }
    }
    putc('"', out);
}

/* Whether it is an array of names and values, rather than of others. */
static bool is_fields(const moonlatch_reply *reply)
{
    const moonlatch_reply *first =
        moonlatch_reply_count(reply) > 0 ? moonlatch_reply_item(reply, 0) : NULL;

    return first != NULL && moonlatch_reply_type(first) == MOONLATCH_TEXT &&
           strcmp(moonlatch_reply_text(first, NULL), "owner") == 0;
}

void print_json(FILE *out, const moonlatch_reply *reply, bool is_object)
{
    size_t len;
    const char *text;

    switch (moonlatch_reply_type(reply)) {
    case MOONLATCH_NIL:
        fprintf(out, "null");
        break;
    case MOONLATCH_INTEGER:
        fprintf(out, "%" PRId64, moonlatch_reply_integer(reply));
        break;
    case MOONLATCH_ARRAY:
    case MOONLATCH_MAP:
        putc(is_object ? '{' : '[', out);
        for (size_t i = 0; i < moonlatch_reply_count(reply); i++) {
            const moonlatch_reply *item = moonlatch_reply_item(reply, i);

            fprintf(out, "%s", i == 0 ? "" : is_object && i % 2 == 1 ? ": " : ", ");
            print_json(out, item, moonlatch_reply_type(item) == MOONLATCH_ARRAY && is_fields(item));
        }
        putc(is_object ? '}' : ']', out);
        break;
    default:
        text = moonlatch_reply_text(reply, &len);
        print_json_text(out, text, len);
    }
}
