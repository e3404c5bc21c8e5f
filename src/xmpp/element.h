/* SPDX-License-Identifier: MIT */
/*
 * element - reading an element of a stanza that came in.
 *
 * What these functions return is borrowed from the stanza. Text between elements is skipped.
 *
 * Threads: that of the stanza.
 */
#ifndef XMPP_ELEMENT_H
#define XMPP_ELEMENT_H

#include <stdbool.h>
#include <strophe.h>

/* The longest id or sid that is taken. */
#define ELEMENT_MAX_SID 1023

/* Texts that were in several pieces, as one each; a list. */
struct joined {
	struct joined *next;
	char text[];
};

bool element_is(xmpp_stanza_t *element, const char *name, const char *namespace);

/* The first child that is an element, or NULL. */
xmpp_stanza_t *element_first(xmpp_stanza_t *parent);

/* The first child that is this element, or NULL; also of NULL. */
xmpp_stanza_t *element_child(xmpp_stanza_t *parent, const char *name, const char *namespace);

/* NULL if there is no such attribute, or nothing in it. */
const char *element_attribute(xmpp_stanza_t *element, const char *name);

bool element_attribute_is(xmpp_stanza_t *element, const char *name, const char *value);

/* The attribute `name`, by which something is known; NULL if there is none, or none that is taken:
 * from 1 to ELEMENT_MAX_SID bytes. */
const char *element_sid(xmpp_stanza_t *element, const char *name);

/*
 * The text in `element`. NULL if it has children other than text, or memory is short. libstrophe's
 * parser makes one child of all text between two tags, which is borrowed; more are joined, in
 * memory that is added to *joined.
 */
const char *element_text(struct joined **joined, xmpp_stanza_t *element);

/* Frees the texts of the list, which is empty then. */
void element_free_joined(struct joined **joined);

#endif
