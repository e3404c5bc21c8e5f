/* SPDX-License-Identifier: MIT */
#include "account/defaults.h"

#include "ibb/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static int set_block_size(struct defaults *defaults, const char *value)
{
	char *end;
	if (!value || strcmp(value, "auto") == 0) {
		defaults->block_size = value ? STREAM_AUTO_BLOCK : 0;
		return 0;
	}
	errno = 0;
	unsigned long size = strtoul(value, &end, 10);
	if (errno || value[0] < '0' || value[0] > '9' || *end != '\0' || size < 1 ||
	    size > STREAM_MAX_BLOCK) {
		return -EINVAL;
	}
	defaults->block_size = (uint32_t)size;
	return 0;
}

static int set_carrier(struct defaults *defaults, const char *value)
{
	if (!value) {
		defaults->has_stanza = false;
		return 0;
	}
	if (strcmp(value, "iq") == 0) {
		defaults->stanza = STANZA_IQ;
	} else if (strcmp(value, "message") == 0) {
		defaults->stanza = STANZA_MESSAGE;
	} else {
		return -EINVAL;
	}
	defaults->has_stanza = true;
	return 0;
}

static int set_format(struct defaults *defaults, const char *value)
{
	int error = value ? format_from_name(value, &defaults->format) : 0;
	if (!error) {
		defaults->has_format = value != NULL;
	}
	return error;
}

static const struct {
	const char *name;
	int (*set)(struct defaults *defaults, const char *value);
} settings[] = {
	{"block_size", set_block_size},
	{"format", set_format},
	{"stanza", set_carrier},
};

int defaults_set(struct defaults *defaults, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i].name, name) == 0) {
			return settings[i].set(defaults, value);
		}
	}
	return -ENODATA;
}

const struct preset *preset_find(const struct preset *list, const char *jid)
{
	const struct preset *preset;
	DL_FOREACH (list, preset) {
		if (strcmp(preset->jid, jid) == 0) {
			break;
		}
	}
	return preset;
}

struct preset *preset_get(struct preset **list, const char *jid)
{
	struct preset *preset = (struct preset *)preset_find(*list, jid); /* the list is ours */
	if (preset) {
		return preset;
	}
	size_t size = strlen(jid) + 1;
	preset = calloc(1, sizeof(*preset) + size);
	if (preset) {
		memcpy(preset->jid, jid, size);
		DL_APPEND(*list, preset);
	}
	return preset;
}

void preset_finish(struct preset **list)
{
	struct preset *preset, *next;
	DL_FOREACH_SAFE (*list, preset, next) {
		free(preset);
	}
	*list = NULL;
}
