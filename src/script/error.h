/* Errors of scripts. An error is a table, as in Redis: `err` is the text of a
 * reply, `source` and `line` say where it was raised, and `ignore_error_stats_update`
 * that it has been counted, as the reply of a command. */
#ifndef SCRIPT_ERROR_H
#define SCRIPT_ERROR_H

#include "script/runtime.h"

/* The message handler of scripts: turns whatever was raised into such a table. */
int error_handler(lua_State *lua);

/* Finds where control is in the innermost function of the script, seen from `level`
 * functions up. Returns false if there is none. */
bool error_find_place(lua_State *lua, int level, lua_Debug *place);

/* Pushes a table for `text`, raised by the function that called the running one. */
void error_push(lua_State *lua, struct bytes text, bool counted);

/* Raises "ERR " and `text`. Does not return. */
int error_raise(lua_State *lua, const char *text);

/* Appends to *text what a client is told of the error table on the stack, which
 * the script or function called `name` ended in. LuaJIT takes the frame of a function
 * away that returns a call; `line`, if it is not 0, is told for one in which all of
 * them are gone. Returns whether the error has been counted. */
bool error_describe(lua_State *lua, const char *name, int line, struct buf *text);

/* Raises an error that ends the script, whatever catches it on the way: who does must
 * call error_go_on(), which raises it again. Does not return. */
int error_roll_back(lua_State *lua, struct bytes text);

/* error_go_on(): returns nothing if no such error has been raised. */
int error_go_on(lua_State *lua);

/* Returns whether what is on the stack is an error that a script may return, with its
 * text, which the table keeps. */
bool error_is_returned(lua_State *lua, struct bytes *text, bool *counted);

#endif
