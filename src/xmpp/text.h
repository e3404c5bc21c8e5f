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

/* Parses digits. False if there is another character or no digit, above `max`, and for NULL: then
 * `number` is unchanged. */
bool text_to_number(const char *text, uint64_t max, uint64_t *number);

/* As text_to_number, but modulo 65536, and so without limit. */
bool text_to_seq(const char *text, uint16_t *seq);

/* Parses 2 * `length` hexadecimal digits, of either case. False for any other text and for NULL;
 * then `bytes` are undefined. */
bool text_to_bytes(const char *text, uint8_t *bytes, size_t length);

/* The years from 0001 to 9999. */
#define TEXT_DATE_MIN  INT64_C(-62135596800)
#define TEXT_DATE_MAX  INT64_C(253402300799)
#define TEXT_DATE_SIZE 21

/* Parses CCYY-MM-DDThh:mm:ss[.sss]TZD, and ignores the fraction of a second. False for NULL, for
 * any other form, for a day or time that does not exist, and outside TEXT_DATE_MIN to
 * TEXT_DATE_MAX. */
bool text_to_date(const char *text, int64_t *date);

/* Writes CCYY-MM-DDThh:mm:ssZ. False, and nothing written, outside TEXT_DATE_MIN to TEXT_DATE_MAX.
 */
bool text_from_date(int64_t date, char text[TEXT_DATE_SIZE]);

#endif
