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
static void begin_piece(struct write_buffer *buffer, size_t at)
{
	size_t early = buffer->size - buffer->loose;
	buffer->at = at;
	buffer->until = (at < early ? early : buffer->size) - at;
	buffer->length = 0;
}

void write_buffer_begin(struct write_buffer *buffer, size_t read_bytes)
{
	buffer->filled = read_bytes < WRITE_BUFFER_BYTES ? read_bytes : 0;
	buffer->size = buffer->filled ? buffer->filled : WRITE_BUFFER_BYTES;
	buffer->longest = 0;
	buffer->ended_ms = INT64_MIN;
	buffer->slow = 0;
	buffer->unanswered = buffer->requests = buffer->alone = 0;
	buffer->is_alone = false;
	buffer->loose = 0;
	begin_piece(buffer, 0);
}

void write_buffer_note(struct write_buffer *buffer, size_t length, bool is_request)
{
	buffer->longest = length > buffer->longest ? length : buffer->longest;
	if (length >= LONG_STANZA) {
		buffer->is_alone = is_request && buffer->unanswered == 0;
		buffer->alone = buffer->is_alone ? buffer->alone : 0;
	}
	buffer->unanswered += is_request;
	buffer->requests += is_request;
}

void write_buffer_answered(struct write_buffer *buffer)
{
	/* NOLINTNEXTLINE(bugprone-inc-dec-in-conditions): || has its operands in order */
	if (buffer->unanswered == 0 || --buffer->unanswered > 0) {
		return;
	}
	buffer->alone += buffer->is_alone;
	buffer->is_alone = false;
	if (buffer->length == 0) {
		buffer->loose = 0;
		begin_piece(buffer, 0);
	}
}

size_t write_buffer_add(struct write_buffer *buffer, const char *text, size_t length)
{
	size_t room = buffer->until - buffer->length;
	size_t part = length < room ? length : room;
	memcpy(buffer->bytes + buffer->length, text, part);
	buffer->length += part;
	return part;
}

bool write_buffer_is_full(const struct write_buffer *buffer)
{
	return buffer->length == buffer->until;
}

void write_buffer_take(struct write_buffer *buffer)
{
	begin_piece(buffer,
		    write_buffer_is_full(buffer) ? (buffer->at + buffer->until) % buffer->size : 0);
}

/* Whether pieces are worth filling, which ends with `is_long` or without a long stanza. */
static bool is_busy(struct write_buffer *buffer, bool is_long, int64_t now_ms)
{
	bool rested = buffer->ended_ms == INT64_MIN || now_ms - buffer->ended_ms >= REST_MS;
	bool paused = rested || now_ms - buffer->ended_ms >= PAUSE_MS;
	if (is_long) {
		/* Answers that have not come by now never will. */
		buffer->unanswered = rested ? buffer->requests : buffer->unanswered;
		buffer->slow = paused && !rested ? buffer->slow + 1 : 0;
		buffer->ended_ms = now_ms;
	}
	return buffer->slow < MOST_SLOW && (is_long || !paused);
}

void write_buffer_end(struct write_buffer *buffer, int64_t now_ms)
{
	bool busy = is_busy(buffer, buffer->longest >= LONG_STANZA, now_ms);
	bool alone =
		buffer->alone >= LEAST_ALONE && (buffer->is_alone || buffer->longest < LONG_STANZA);
	buffer->longest = 0;
	buffer->requests = 0;
	if (!buffer->filled || !busy || buffer->length == 0) {
		return;
	}
	if (alone) {
		buffer->loose = (buffer->loose + buffer->at + buffer->length) % buffer->size;
		return;
	}
	memset(buffer->bytes + buffer->length, ' ', buffer->until - buffer->length);
	buffer->length = buffer->until;
}
