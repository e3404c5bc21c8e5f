/* SPDX-License-Identifier: MIT */
/*
 * stream_file - the session of a file: a stream, an offer, or the summary of one that is over.
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

/* The values of attributes and of `status`; they stay when the session is over. */
struct summary {
	const char *state; /* static; NULL: there was none */
	int error;	   /* the session has failed: a negative errno; or 0 */
	char *sid, *peer;  /* NULL where they are not known */
	uint32_t block_size;
	enum stanza stanza;
	uint64_t sent, received; /* bytes acknowledged to us, by us */
	size_t window;
	enum format format;
};

/* The progress of a stream when `status` was read. */
struct sample {
	int64_t taken_ms;
	uint64_t bytes;
	uint64_t rate; /* bytes per second until then */
};

struct stream_file {
	struct stream *stream; /* owned until its end was reported to a user */
	struct offer *offer;   /* owned likewise */
	uint64_t size;	       /* of a finished or a spooled file */
	bool spooled;	       /* writes go to a spool, to be offered as a whole */
	bool opened;	       /* at least once: an arrived file by a reader, ours by a writer */
	uint64_t arrival;      /* an arrived file: 1, 2, 3 ... over all contacts */
	int64_t expires_ms;    /* when its name expires, or NODE_NEVER */
	struct sample sample;
	struct summary summary;	     /* of the stream that it had */
	struct stream_ending ending; /* of that stream, if an ibbfs gets it */
};

/* Frees the summary, and does not follow the stream that it had any more; stream and offer must be
 * NULL. */
void stream_file_finish(struct stream_file *file);

/* The state of its session, as far as it is known; strings are borrowed. */
struct summary stream_file_summarize(const struct stream_file *file);

/* Copies the summary to file->summary; without its strings when memory is short. */
void stream_file_keep_summary(struct stream_file *file);

/* Whether it has or had a session. */
bool stream_file_has_session(const struct stream_file *file);

/* st_size. */
uint64_t stream_file_size(const struct stream_file *file);

#endif
