/* SPDX-License-Identifier: MIT */
/*
 * write_buffer - pieces in which XML leaves; libstrophe makes each a write and a TLS record of its
 * own.
 *
 * A piece for each stanza costs us and the server more than the stanza, if that is short; so
 * stanzas share pieces. And some servers read a fixed number of bytes at a time: if that leaves a
 * part of a record behind, Prosody looks for the rest only a millisecond later, and goes on doing
 * so for as long as more is there. That is 3 MB/s at most, with the server asleep. So if it is said
 * how much the server reads, pieces are that long while long stanzas leave, the last one with white
 * space behind its stanza (RFC 6120 section 11.7 lets us).
 *
 *     stanza 1 ......|stanza 2 ...|   |  <- spaces, as nothing more is to be sent now
 *     piece     |piece    |piece      |
 *
 * Where little leaves, nothing is lost by the pause, and spaces might be counted: at a server that
 * limits how many bytes it takes in a second, for instance. They are left out.
 *
 * So they are where long stanzas leave one by one, each when all before it is answered, as with
 * files that are copied one after the other: the server has read everything, and spaces are only
 * more for it to read. When one then leaves before that, the server may have read what was there,
 * and begins with this, or it may not, and a read of its ends within this. Until all is answered
 * pieces end where either would:
 *
 *     not filled      |what follows
 *     .........|      |...........|....|...........|....|
 *     read, if it was not read yet |        read        |
 *                     |      read      |      read      |
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; a buffer belongs to who holds it.
 * Source:  Prosody 0.12, net/server_epoll.lua (onreadable) and core/portmanager.lua.
 */
#ifndef XMPP_WRITE_BUFFER_H
#define XMPP_WRITE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITE_BUFFER_BYTES 16384 /* in a TLS record */

struct write_buffer {
	size_t size;   /* of a piece that is full */
	size_t filled; /* to a multiple of this, or 0 */
	size_t loose;  /* what has left unfilled since everything was answered, less full reads */
	size_t at;     /* where in a read it begins, if the server has read all that is loose */
	size_t until;  /* how long the piece is when it is full */
	size_t length; /* what is in it so far */
	char bytes[WRITE_BUFFER_BYTES];

	unsigned unanswered; /* requests that left */
	unsigned requests;   /* of those, since the last end */
	bool is_alone;	/* a long request is, so far, the only long stanza that is unanswered */
	unsigned alone; /* how many in a row were, until they were answered */

	size_t longest;	  /* the longest stanza since the last end */
	int64_t ended_ms; /* when long ones ended last */
	unsigned slow;	  /* how many times in a row that was long after the time before */
};

/* `read_bytes`: what the server reads at a time, if it matters; 0: it does not. */
void write_buffer_begin(struct write_buffer *buffer, size_t read_bytes);

/* A stanza, the whole of it, is about to be added. */
void write_buffer_note(struct write_buffer *buffer, size_t length, bool is_request);

/* A request was answered. */
void write_buffer_answered(struct write_buffer *buffer);

/* Copies as much of it as there is room for; how much that is. */
size_t write_buffer_add(struct write_buffer *buffer, const char *text, size_t length);

bool write_buffer_is_full(const struct write_buffer *buffer);

/* The piece, which is not empty, leaves, and another begins. */
void write_buffer_take(struct write_buffer *buffer);

/* Nothing more is to be sent for now: what is in the piece leaves as it is afterwards. */
void write_buffer_end(struct write_buffer *buffer, int64_t now_ms);

#endif
