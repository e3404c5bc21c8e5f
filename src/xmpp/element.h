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

/* The longest name of a stream that is taken. */
#define ELEMENT_MAX_SID 1023

bool element_is(xmpp_stanza_t *element, const char *name, const char *namespace);

/* The first child that is an element, or NULL. */
xmpp_stanza_t *element_first(xmpp_stanza_t *parent);

/* The attribute "sid"; NULL if there is none, or none that is taken. */
const char *element_sid(xmpp_stanza_t *element);

/*
 * The text in `element`. NULL if it has children other than text, or memory is short. libstrophe's
 * parser makes one child of all text between two tags, which is borrowed; more are joined, to
 * *joined, which is freed first.
 */
const char *element_text(char **joined, xmpp_stanza_t *element);

#endif
