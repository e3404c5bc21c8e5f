/* SPDX-License-Identifier: MIT */
#include "xmpp/write_buffer.h"

#include <string.h>

/* A shorter stanza is an acknowledgement, or hardly more. */
#define LONG_STANZA 2048

/* Between two ends: so long that everything before has been read; and so long that something new
 * has begun. */
#define PAUSE_MS 50
#define REST_MS	 2000

/* Pauses in a row after which it is slow. */
#define MOST_SLOW 4

/* Long requests in a row that were alone, after which the next will be. */
#define LEAST_ALONE 4

/* Another piece. */
static void begin_piece(struct pack *pack, size_t at)
{
	size_t early = pack->size - pack->loose;
	pack->at = at;
	pack->until = (at < early ? early : pack->size) - at;
	pack->length = 0;
}

void pack_begin(struct pack *pack, size_t read_bytes)
{
	pack->filled = read_bytes < PACK_MOST ? read_bytes : 0;
	pack->size = pack->filled ? pack->filled : PACK_MOST;
	pack->longest = 0;
	pack->ended_ms = INT64_MIN;
	pack->slow = 0;
	pack->unanswered = pack->requests = pack->alone = 0;
	pack->is_alone = false;
	pack->loose = 0;
	begin_piece(pack, 0);
}

void pack_note(struct pack *pack, size_t length, bool is_request)
{
	pack->longest = length > pack->longest ? length : pack->longest;
	if (length >= LONG_STANZA) {
		pack->is_alone = is_request && pack->unanswered == 0;
		pack->alone = pack->is_alone ? pack->alone : 0;
	}
	pack->unanswered += is_request;
	pack->requests += is_request;
}

void pack_answered(struct pack *pack)
{
	/* NOLINTNEXTLINE(bugprone-inc-dec-in-conditions): || has its operands in order */
	if (pack->unanswered == 0 || --pack->unanswered > 0) {
		return;
	}
	pack->alone += pack->is_alone;
	pack->is_alone = false;
	if (pack->length == 0) {
		pack->loose = 0;
		begin_piece(pack, 0);
	}
}

size_t pack_add(struct pack *pack, const char *text, size_t length)
{
	size_t room = pack->until - pack->length;
	size_t part = length < room ? length : room;
	memcpy(pack->bytes + pack->length, text, part);
	pack->length += part;
	return part;
}

bool pack_is_full(const struct pack *pack)
{
	return pack->length == pack->until;
}

void pack_take(struct pack *pack)
{
	begin_piece(pack, pack_is_full(pack) ? (pack->at + pack->until) % pack->size : 0);
}

/* Whether pieces are worth filling, which ends with `is_long` or without a long stanza. */
static bool is_busy(struct pack *pack, bool is_long, int64_t now_ms)
{
	bool rested = pack->ended_ms == INT64_MIN || now_ms - pack->ended_ms >= REST_MS;
	bool paused = rested || now_ms - pack->ended_ms >= PAUSE_MS;
	if (is_long) {
		/* Answers that have not come by now never will. */
		pack->unanswered = rested ? pack->requests : pack->unanswered;
		pack->slow = paused && !rested ? pack->slow + 1 : 0;
		pack->ended_ms = now_ms;
	}
	return pack->slow < MOST_SLOW && (is_long || !paused);
}

void pack_end(struct pack *pack, int64_t now_ms)
{
	bool busy = is_busy(pack, pack->longest >= LONG_STANZA, now_ms);
	bool alone = pack->alone >= LEAST_ALONE && (pack->is_alone || pack->longest < LONG_STANZA);
	pack->longest = 0;
	pack->requests = 0;
	if (!pack->filled || !busy || pack->length == 0) {
		return;
	}
	if (alone) {
		pack->loose = (pack->loose + pack->at + pack->length) % pack->size;
		return;
	}
	memset(pack->bytes + pack->length, ' ', pack->until - pack->length);
	pack->length = pack->until;
}
