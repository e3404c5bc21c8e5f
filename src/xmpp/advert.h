/* SPDX-License-Identifier: MIT */
/*
 * advert - how long a stanza the server takes, if it says so.
 *
 * It says so in its stream features, which libstrophe shows to nobody but the reader of its log.
 *
 * Units:   bytes of XML.
 * Threads: none.
 * Source:  XEP-0478 section 2; libstrophe 0.12's log lines.
 */
#ifndef XMPP_ADVERT_H
#define XMPP_ADVERT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether `line` of libstrophe's log holds stream features that came in; then *max_bytes is the
 * longest stanza that they allow, 0 if they do not say. */
bool advert_learn(const char *line, size_t *max_bytes);

#endif
