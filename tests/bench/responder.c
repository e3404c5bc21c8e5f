/* SPDX-License-Identifier: MIT */
#include "responder.h"

#include <stdlib.h>
#include <string.h>

static void ping_back(struct responder *r)
{
	text_printf(&r->connection.out,
		    "<iq type='set' id='p%08zx' to='%s'><data xmlns='" NS_IBB
		    "' seq='%zu' sid='" SID_PREFIX "%04x'>Kg==</data></iq>",
		    r->pings, r->peer, r->pings % 65536, PING_STREAM);
	r->pings++;
}

/* The text between the tags of <data/>. */
static const char *data_text(const char *stanza, size_t length, size_t *text_length)
{
	const char *end = stanza + length;
	const char *tag_end = memchr(stanza, '>', length);
	const char *start = memchr(tag_end + 1, '>', (size_t)(end - tag_end - 1));
	const char *stop = start ? memchr(start, '<', (size_t)(end - start)) : NULL;
	if (!stop) {
		die("not a data stanza: %.*s", (int)length, stanza);
	}
	*text_length = (size_t)(stop - start - 1);
	return start + 1;
}

static void take_block(struct responder *r, size_t stream, const char *stanza, size_t length)
{
	char seq[16];
	if (stream >= r->streams || !stanza_attribute(stanza, length, "seq", seq, sizeof(seq))) {
		die("data of stream %zu: %.*s", stream, (int)length, stanza);
	}
	size_t number = r->next_block[stream]++;
	if (strtoul(seq, NULL, 10) != number % 65536) {
		die("stream %zu: seq %s instead of %zu", stream, seq, number % 65536);
	}
	size_t text_length;
	const char *text = data_text(stanza, length, &text_length);
	number = number * r->streams + stream;
	if (text_length != r->ring->text_length ||
	    memcmp(text, ring_text(r->ring, number), text_length) != 0) {
		die("block %zu is not what was sent", number);
	}
	if (number < r->store_blocks) {
		memcpy(r->store + number * text_length, text, text_length);
	}
	r->blocks++;
}

/* Returns false for the last one. */
static bool take_request(struct responder *r, const char *stanza, size_t length)
{
	char id[64], sid[64];
	if (!stanza_attribute(stanza, length, "id", id, sizeof(id)) ||
	    !stanza_attribute(stanza, length, "sid", sid, sizeof(sid)) ||
	    strlen(sid) != sizeof(SID_PREFIX) - 1 + SID_DIGITS) {
		return true; /* somebody else's */
	}
	size_t stream = strtoul(sid + sizeof(SID_PREFIX) - 1, NULL, 16);
	if (id[0] == 'd' && stream != PING_STREAM) {
		take_block(r, stream, stanza, length);
	}
	text_printf(&r->connection.out, "<iq type='result' id='%s' to='%s'/>", id, r->peer);
	if (id[0] == 'd' && stream == PING_STREAM) {
		ping_back(r);
	}
	return !(id[0] == 'c' && stream == END_STREAM);
}

void *responder_run(void *responder)
{
	struct responder *r = responder;
	struct connection *c = &r->connection;
	for (;;) {
		size_t length;
		const char *stanza;
		while ((stanza = connection_stanza(c, &length)) != NULL) {
			char type[16];
			if (strncmp(stanza, "<iq", 3) != 0 ||
			    !stanza_attribute(stanza, length, "type", type, sizeof(type))) {
				continue;
			}
			if (strcmp(type, "error") == 0) {
				die("responder: %.*s", (int)length, stanza);
			}
			if (strcmp(type, "set") == 0 && !take_request(r, stanza, length)) {
				while (!connection_flush(c)) {
					connection_wait(c);
				}
				return NULL;
			}
		}
		connection_flush(c);
		connection_wait(c);
	}
}
