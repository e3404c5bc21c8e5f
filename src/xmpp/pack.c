/* SPDX-License-Identifier: MIT */
#include "xmpp/pack.h"

#include <stdbool.h>
#include <string.h>

/* A shorter stanza is an acknowledgement, or hardly more. */
#define LONG_STANZA 2048

/* Between two ends: so long that everything before has been read; and so long that something new
 * has begun. */
#define PAUSE_MS 50
#define REST_MS	 2000

/* Pauses in a row after which it is slow. */
#define MOST_SLOW 4

void pack_begin(struct pack *pack, size_t read_bytes)
{
	pack->filled = read_bytes < PACK_MOST ? read_bytes : 0;
	pack->size = pack->filled ? pack->filled : PACK_MOST;
	pack->length = 0;
	pack->longest = 0;
	pack->ended_ms = INT64_MIN;
	pack->slow = 0;
}

void pack_note(struct pack *pack, size_t length)
{
	pack->longest = length > pack->longest ? length : pack->longest;
}

size_t pack_add(struct pack *pack, const char *text, size_t length)
{
	size_t room = pack->size - pack->length;
	size_t part = length < room ? length : room;
	memcpy(pack->bytes + pack->length, text, part);
	pack->length += part;
	return part;
}

/* Whether pieces are worth filling, which ends with `is_long` or without a long stanza. */
static bool is_busy(struct pack *pack, bool is_long, int64_t now_ms)
{
	bool rested = pack->ended_ms == INT64_MIN || now_ms - pack->ended_ms >= REST_MS;
	bool paused = rested || now_ms - pack->ended_ms >= PAUSE_MS;
	if (is_long) {
		pack->slow = paused && !rested ? pack->slow + 1 : 0;
		pack->ended_ms = now_ms;
	}
	return pack->slow < MOST_SLOW && (is_long || !paused);
}

void pack_end(struct pack *pack, int64_t now_ms)
{
	bool busy = is_busy(pack, pack->longest >= LONG_STANZA, now_ms);
	pack->longest = 0;
	if (pack->filled && busy && pack->length > 0) {
		memset(pack->bytes + pack->length, ' ', pack->size - pack->length);
		pack->length = pack->size;
	}
}
