/* SPDX-License-Identifier: MIT */
/*
 * stanzas - helpers of the tests of the codec.
 *
 * Threads: none.
 */
#ifndef TESTS_STANZAS_H
#define TESTS_STANZAS_H

#include "xmpp/codec.h"

struct stanzas {
	xmpp_ctx_t *context;
	struct codec codec;
};

/* A group's: *state is a struct stanzas. */
int stanzas_set_up(void **state);
int stanzas_tear_down(void **state);

/* The caller's. Fails if it is no XML. */
xmpp_stanza_t *stanzas_parse(struct stanzas *stanzas, const char *xml);

/* The file tests/fuzz/corpus/FOLDER/NAME.xml, a stanza that another client has sent. */
xmpp_stanza_t *stanzas_read(struct stanzas *stanzas, const char *folder, const char *name);

/* How many of these there are. */
size_t stanzas_count(const char *folder);

/* Encodes, and decodes the result; `in` borrows from the stanza, which is the caller's. */
xmpp_stanza_t *stanzas_send(struct stanzas *stanzas, const struct msg *out, struct msg *in);

/* NULL is the same as NULL only. */
void assert_string_same(const char *string, const char *expected);

/* Every field. */
void assert_metadata_same(const struct metadata *metadata, const struct metadata *expected);

#endif
