/* The version of Redis that this server behaves like. Clients are told it by
 * HELLO and INFO, and scripts by redis.REDIS_VERSION, since many of them decide by
 * it what they may ask for. */
#ifndef ENGINE_VERSION_H
#define ENGINE_VERSION_H

#define REDIS_VERSION     "7.0.15"
#define REDIS_VERSION_NUM 0x0007000f /* A byte each: major, minor, patch. */

#endif
