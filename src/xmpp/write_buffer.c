/* SPDX-License-Identifier: MIT */
#include "xmpp/write_buffer.h"

#include <string.h>

/* A shorter stanza is an acknowledgement, or hardly more. */
#define LONG_STANZA 2048

/* Times between two ends. After a pause, the server has read everything. After a rest, the next
 * stanza begins something new. */
#define PAUSE_MS 50
#define REST_MS	 2000

/* After so many pauses in a row padding is of no use. */
#define MOST_SLOW 4

/* After so many long requests in a row that were alone, the next one will be alone, too. */
#define LEAST_ALONE 4

static void begin_write(struct write_buffer *buffer, size_t offset)
{
	size_t early = buffer->size - buffer->unpadded;
	buffer->offset = offset;
	buffer->limit = (offset < early ? early : buffer->size) - offset;
	buffer->length = 0;
}

void write_buffer_begin(struct write_buffer *buffer, size_t read_bytes)
{
	buffer->pad_to = read_bytes < WRITE_BUFFER_BYTES ? read_bytes : 0;
	buffer->size = buffer->pad_to ? buffer->pad_to : WRITE_BUFFER_BYTES;
	buffer->longest = 0;
	buffer->ended_ms = INT64_MIN;
	buffer->slow = 0;
	buffer->unanswered = buffer->requests = buffer->alone = 0;
	buffer->is_alone = false;
	buffer->unpadded = 0;
	begin_write(buffer, 0);
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
		buffer->unpadded = 0;
		begin_write(buffer, 0);
	}
}

size_t write_buffer_add(struct write_buffer *buffer, const char *text, size_t length)
{
	size_t room = buffer->limit - buffer->length;
	size_t part = length < room ? length : room;
	memcpy(buffer->bytes + buffer->length, text, part);
	buffer->length += part;
	return part;
}

bool write_buffer_is_full(const struct write_buffer *buffer)
{
	return buffer->length == buffer->limit;
}

void write_buffer_take(struct write_buffer *buffer)
{
	begin_write(buffer, write_buffer_is_full(buffer)
				    ? (buffer->offset + buffer->limit) % buffer->size
				    : 0);
}

/* Whether padding is of use. `is_long`: there was a long stanza since the last end. */
static bool is_busy(struct write_buffer *buffer, bool is_long, int64_t now_ms)
{
	bool rested = buffer->ended_ms == INT64_MIN || now_ms - buffer->ended_ms >= REST_MS;
	bool paused = rested || now_ms - buffer->ended_ms >= PAUSE_MS;
	if (is_long) {
		/* After a rest, the answers that are still missing will never come. */
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
	if (!buffer->pad_to || !busy || buffer->length == 0) {
		return;
	}
	if (alone) {
		buffer->unpadded =
			(buffer->unpadded + buffer->offset + buffer->length) % buffer->size;
		return;
	}
	memset(buffer->bytes + buffer->length, ' ', buffer->limit - buffer->length);
	buffer->length = buffer->limit;
}
