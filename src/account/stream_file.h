/* SPDX-License-Identifier: MIT */
/*
 * stream_file - a file that is, or was, a stream or an offer: what is known of its session.
 *
 * Units:   bytes; ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_STREAM_FILE_H
#define ACCOUNT_STREAM_FILE_H

#include "account/format.h"
#include "offer/offer.h"

#include <stdbool.h>
#include <stdint.h>

/* What is known of a session when it is over. */
struct summary {
	const char *state; /* static; NULL: there was none */
	char *sid, *peer;  /* NULL where they are not known */
	uint32_t block_size;
	enum carrier carrier;
	uint64_t sent, received; /* bytes acknowledged to us, by us */
	size_t window;
	enum format format;
};

/* A stream's progress when somebody last looked. */
struct sample {
	int64_t taken_ms;
	uint64_t bytes;
	uint64_t rate; /* bytes per second before that */
};

struct stream_file {
	struct stream *stream; /* owned while it runs, or its end is not seen */
	struct offer *offer;   /* owned while the file is offered, and moves */
	uint64_t size;	       /* of a file without a stream, or that is spooled */
	bool spooled;	       /* what is written is spooled, to be offered as a whole */
	bool opened;	       /* now or before; what arrived: by a reader, ours: by a writer */
	uint64_t arrival;      /* of what arrived: 1, 2, 3 ... over all contacts */
	int64_t expires_ms;    /* when the finished file goes, or INT64_MAX */
	struct sample sample;
	struct summary summary; /* of the stream that it had */
};

/* Frees what it has; there is neither a stream nor an offer. */
void stream_file_finish(struct stream_file *file);

/* What can be known now of its session, as far as there is one; borrows from it. */
struct summary stream_file_summarize(const struct stream_file *file);

/* Keeps that in file->summary; short of memory, without the strings. */
void stream_file_keep_summary(struct stream_file *file);

/* Whether it is, or was, a session of its own. */
bool stream_file_has_session(const struct stream_file *file);

/* What stat(2) says. */
uint64_t stream_file_size(const struct stream_file *file);

#endif
