/* SPDX-License-Identifier: MIT */
/*
 * element - reads an element of a stanza that came in.
 *
 * The results are borrowed from the stanza. Text between elements is skipped.
 *
 * Threads: the stanza's.
 */
#ifndef XMPP_ELEMENT_H
#define XMPP_ELEMENT_H

#include <stdbool.h>
#include <strophe.h>

/* The longest id or sid that is accepted, in bytes. */
#define ELEMENT_MAX_SID 1023

/* A list of texts that were joined from several pieces. */
struct joined {
	struct joined *next;
	char text[];
};

bool element_is(xmpp_stanza_t *element, const char *name, const char *namespace);

/* The first child that is an element, or NULL. */
xmpp_stanza_t *element_first(xmpp_stanza_t *parent);

/* The first child of that name and namespace, or NULL. `parent` may be NULL. */
xmpp_stanza_t *element_child(xmpp_stanza_t *parent, const char *name, const char *namespace);

/* NULL if there is no such attribute, or it is empty. */
const char *element_attribute(xmpp_stanza_t *element, const char *name);

bool element_attribute_is(xmpp_stanza_t *element, const char *name, const char *value);

/* The attribute `name`, an identifier; NULL if there is none, or its length is not 1 to
 * ELEMENT_MAX_SID bytes. */
const char *element_sid(xmpp_stanza_t *element, const char *name);

/*
 * The text in `element`. NULL if it has children other than text, or memory is short. libstrophe's
 * parser makes one child of all text between two tags; then the text is borrowed from the stanza.
 * Several children are joined, in memory that is added to *joined.
 */
const char *element_text(struct joined **joined, xmpp_stanza_t *element);

/* Frees the texts of the list, and empties it. */
void element_free_joined(struct joined **joined);

#endif
