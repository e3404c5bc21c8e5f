/* SPDX-License-Identifier: MIT */
/*
 * text - parses numbers, hexadecimal and dates in attributes and texts of stanzas.
 *
 * Units:   seconds since the epoch.
 * Threads: pure functions.
 * Source:  XEP-0082 section 3.2 (DateTime).
 */
#ifndef XMPP_TEXT_H
#define XMPP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False for NULL. */
bool text_equals(const char *text, const char *expected);

/* Digits only, as a number; false if there are none or it exceeds `max`. False for NULL. */
bool text_to_number(const char *text, uint64_t max, uint64_t *number);

/* As text_to_number, but modulo 65536, and so without limit. */
bool text_to_seq(const char *text, uint16_t *seq);

/* As many bytes as two hexadecimal digits each, of either case, say. False for NULL, and if there
 * are other than 2 * `length` of them; then `bytes` are undefined. */
bool text_to_bytes(const char *text, uint8_t *bytes, size_t length);

/* The years from 0001 to 9999. */
#define TEXT_DATE_MIN  INT64_C(-62135596800)
#define TEXT_DATE_MAX  INT64_C(253402300799)
#define TEXT_DATE_SIZE 21

/* CCYY-MM-DDThh:mm:ss[.sss]TZD, without the fraction of a second. False for NULL, for anything
 * else, for a day or time that there is not, and out of TEXT_DATE_MIN to TEXT_DATE_MAX. */
bool text_to_date(const char *text, int64_t *date);

/* CCYY-MM-DDThh:mm:ssZ. False, and nothing written, out of TEXT_DATE_MIN to TEXT_DATE_MAX. */
bool text_from_date(int64_t date, char text[TEXT_DATE_SIZE]);

#endif
