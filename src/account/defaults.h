/* SPDX-License-Identifier: MIT */
/*
 * defaults - the settings of new streams in a directory, and those that a directory has from the
 * start.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: none; the caller serialises (the hub's lock).
 * Source:  DESIGN section 2.
 */
#ifndef ACCOUNT_DEFAULTS_H
#define ACCOUNT_DEFAULTS_H

#include "account/format.h"
#include "ibb/msg.h"

#include <stdbool.h>
#include <stdint.h>

/* 0 and false: the setting of the directory above. */
struct defaults {
	uint32_t block_size; /* or STREAM_AUTO_BLOCK */
	bool has_stanza;
	enum stanza stanza;
	bool has_format;
	enum format format;
};

/* Sets "block_size", "stanza" or "format"; NULL: that of the directory above applies. -ENODATA for
 * another name, -EINVAL for a value that it cannot have. */
int defaults_set(struct defaults *defaults, const char *name, const char *value);

/* The defaults of one directory, from before it exists. */
struct preset {
	struct preset *prev, *next; /* a list of the caller's */
	struct defaults defaults;
	char jid[]; /* normal form, bare or full */
};

/* The preset for `jid` in the list, which is appended if there is none; NULL when memory is
 * short. */
struct preset *preset_get(struct preset **list, const char *jid);

/* The preset for `jid`, or NULL. */
const struct preset *preset_find(const struct preset *list, const char *jid);

/* Frees the list, and makes it empty. */
void preset_finish(struct preset **list);

#endif
