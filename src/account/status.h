/* SPDX-License-Identifier: MIT */
/*
 * status - the text of the file `status`, for people.
 *
 * Units:   ms of the caller's monotonic clock.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_STATUS_H
#define ACCOUNT_STATUS_H

#include "account/account.h"

#include <stddef.h>

/* Writes the text to *text, the caller's, and its length; takes a sample of each stream's
 * progress, from which the next call has its rate. -ENOMEM. */
int status_text(const struct account *account, int64_t now_ms, char **text, size_t *length);

/* Writes the account, the connection and the count of streams as a line without its end. */
void status_line(const struct account *account, char *line, size_t size);

#endif
