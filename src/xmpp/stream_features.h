/* SPDX-License-Identifier: MIT */
/*
 * advert - what the server says of itself: how long a stanza it takes, and how it reads.
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

struct advert {
	size_t max_bytes;  /* the longest stanza; 0: it does not say */
	size_t read_bytes; /* see pack.h; 0: it is no server of which that is known to matter */
};

/* Whether `line` of libstrophe's log holds stream features that came in; then *advert is what they
 * say. */
bool advert_learn(const char *line, struct advert *advert);

#endif
