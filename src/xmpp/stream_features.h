/* SPDX-License-Identifier: MIT */
/*
 * stream_features - the server's limits, from its stream features.
 *
 * libstrophe keeps the stream features to itself; they can only be read in its log.
 *
 * Units:   bytes of XML.
 * Threads: none.
 * Source:  XEP-0478 section 2 (stream limits); XEP-0115 section 6.3 (the server's capabilities);
 *          log lines of libstrophe 0.12.
 */
#ifndef XMPP_STREAM_FEATURES_H
#define XMPP_STREAM_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

struct stream_features {
	size_t max_bytes;  /* the longest stanza; 0: the server does not say */
	size_t read_bytes; /* the size of its reads, see write_buffer.h; 0: unknown */
};

/* Whether `line` of libstrophe's log has stream features of the server; then *features is set. */
bool stream_features_parse(const char *line, struct stream_features *features);

#endif
