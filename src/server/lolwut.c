/* LOLWUT: the moon of tonight. */
#include "engine/call.h"
#include "engine/version.h"
#include "server/commands.h"

#include <math.h>

enum { ROWS = 15, COLUMNS = 2 * ROWS + 1 }; /* Letters are twice as high as wide. */

/* Returns how old the moon is, as a part of the time from one new moon to the next. */
static double moon_age(int64_t now_ms)
{
    const double new_moon_s = 947182440; /* On 6 January 2000, 18:14 UTC. */
    const double month_s = 29.530588853 * 24 * 3600;
    double age = fmod(((double)now_ms / 1000 - new_moon_s) / month_s, 1);

    return age < 0 ? age + 1 : age;
}

/* Returns the letter at a place of the disc, from -1 to 1 in both directions. Where it
 * is lit ends at an ellipse whose width follows from the moon's age. */
static char letter_at(double x, double y, double age)
{
    double edge = 1 - y * y;
    double terminator;

    if (edge < 0 || x * x > edge) {
        return ' ';
    }
    terminator = sqrt(edge) * cos(2 * M_PI * age);
    return (age < 0.5 ? x > terminator : x < -terminator) ? '@' : '.';
}

static void draw_row(int row, double age, struct buf *out)
{
    double y = (row + 0.5) / ROWS * 2 - 1;

    for (int column = 0; column < COLUMNS; column++) {
        buf_add_byte(out, letter_at((column + 0.5) / COLUMNS * 2 - 1, y, age));
    }
    while (out->len > 0 && out->at[out->len - 1] == ' ') {
        out->len--;
    }
    buf_add_byte(out, '\n');
}

void lolwut(struct call *c)
{
    double age = moon_age(c->now_ms);
    int64_t number;
    BUF_LOCAL(text);

    for (size_t i = 2; call_is(c, 1, "version") && i < c->argc; i++) {
        if (!call_int(c, i, &number)) {
            return;
        }
    }
    for (int row = 0; row < ROWS; row++) {
        draw_row(row, age, &text);
    }
    buf_addf(&text, "\nMoonlatch ver. %s, like Redis ver. %s\n", MOONLATCH_VERSION, REDIS_VERSION);
    reply_verbatim(c, "txt", buf_bytes(&text));
}
