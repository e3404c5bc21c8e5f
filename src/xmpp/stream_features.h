/* SPDX-License-Identifier: MIT */
/*
 * stream_features - what the server says of itself: how long a stanza it takes, and how it reads.
 *
 * It does so in its stream features, which libstrophe shows to nobody but the reader of its log.
 *
 * Units:   bytes of XML.
 * Threads: none.
 * Source:  XEP-0478 section 2; XEP-0115 section 6.3 (the server's name); libstrophe 0.12's log
 * lines.
 */
#ifndef XMPP_STREAM_FEATURES_H
#define XMPP_STREAM_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

struct stream_features {
	size_t max_bytes;  /* the longest stanza; 0: it does not say */
	size_t read_bytes; /* see write_buffer.h; 0: it is no server of which that is known to
			      matter */
};

/* Whether `line` of libstrophe's log holds stream features that came in; then *features is what
 * they say. */
bool stream_features_parse(const char *line, struct stream_features *features);

#endif
