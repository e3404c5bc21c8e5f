/* SPDX-License-Identifier: MIT */
/*
 * write_buffer - coalesces stanzas into writes; libstrophe makes each a TLS record of its own.
 *
 * A write for each stanza costs us and the server more than a short stanza itself. So stanzas share
 * writes.
 *
 * Some servers read a fixed number of bytes at a time. If a read leaves a part of a record behind,
 * Prosody reads the rest only a millisecond later, and goes on like that while there is more: at
 * most 3 MB/s, with the server asleep. So if the size of the server's reads is known, each write
 * has that size while long stanzas are sent. The last write is padded with white space behind its
 * stanza, as RFC 6120 section 11.7 allows.
 *
 *     stanza 1 ......|stanza 2 ...|   |  <- padding, as nothing more is to be sent now
 *     write    |write    |write       |
 *
 * There is no padding while little is sent: the pause costs nothing then, and a server that limits
 * the bytes of a second may count the padding.
 *
 * Nor is there padding while each long stanza is sent after every earlier request was answered, as
 * when one file is copied after the other: the server has read everything then. When a long stanza
 * is sent while an answer is missing, the server may or may not have read what came before. So
 * until all requests are answered, a write ends wherever a read may end in either case:
 *
 *     not padded      |the next stanzas
 *     .........|      |...........|....|...........|....|
 *     read, if it was not read yet |        read        |
 *                     |      read      |      read      |
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises.
 * Source:  Prosody 0.12, net/server_epoll.lua (onreadable) and core/portmanager.lua.
 */
#ifndef XMPP_WRITE_BUFFER_H
#define XMPP_WRITE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITE_BUFFER_BYTES 16384 /* the content of a TLS record */

struct write_buffer {
	size_t size;	 /* of a full write */
	size_t pad_to;	 /* writes are padded to a multiple of this; 0: they are not */
	size_t unpadded; /* bytes sent without padding since all was answered, modulo `size` */
	size_t offset;	 /* of the write in a read, if the server has read all unpadded bytes */
	size_t limit;	 /* the length at which the write is full */
	size_t length;	 /* of the write so far */
	char bytes[WRITE_BUFFER_BYTES];

	unsigned unanswered; /* requests that were sent */
	unsigned requests;   /* of the unanswered, those since the last end */
	bool is_alone;	     /* the only long stanza that is unanswered is a request, so far */
	unsigned alone;	     /* how many long requests in a row were alone until their answer */

	size_t longest;	  /* stanza since the last end */
	int64_t ended_ms; /* the last end after a long stanza */
	unsigned slow;	  /* how many such ends in a row came after a pause */
};

/* Begins a connection. `read_bytes`: the size of the server's reads, if it matters; 0: it does not.
 */
void write_buffer_begin(struct write_buffer *buffer, size_t read_bytes);

/* The caller will add a stanza of `length` bytes. */
void write_buffer_note(struct write_buffer *buffer, size_t length, bool is_request);

/* A request was answered. */
void write_buffer_answered(struct write_buffer *buffer);

/* Copies as much of `text` as there is room for. Returns how much that is. */
size_t write_buffer_add(struct write_buffer *buffer, const char *text, size_t length);

bool write_buffer_is_full(const struct write_buffer *buffer);

/* The caller has written `bytes`, which are not empty. Another write begins. */
void write_buffer_take(struct write_buffer *buffer);

/* There is nothing more to be sent for now. Pads the write if that is of use; then the caller
 * writes it. */
void write_buffer_end(struct write_buffer *buffer, int64_t now_ms);

#endif
