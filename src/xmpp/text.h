/* SPDX-License-Identifier: MIT */
/*
 * text - what the attributes and texts of stanzas say.
 *
 * Threads: pure functions.
 */
#ifndef XMPP_TEXT_H
#define XMPP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* False for NULL. */
bool text_equals(const char *text, const char *expected);

/* Digits only, as a number; false if there are none or it exceeds `max`, which is at most
 * INT64_MAX. False for NULL. */
bool text_to_number(const char *text, uint64_t max, uint64_t *number);

/* As text_to_number, but modulo 65536, and so without limit. */
bool text_to_seq(const char *text, uint16_t *seq);

#endif
