/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1

#include "account/parts.h"

#include "account/name.h"
#include "ibb/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void parts_name(char *part, const char *name)
{
	size_t length = utf8_cut(name, NAME_MAX_BYTES - strlen(NAME_PART_SUFFIX));
	snprintf(part, NAME_MAX_BYTES + 1, "%.*s" NAME_PART_SUFFIX, (int)length, name);
}

struct part *parts_find(const struct part *parts, const char *path)
{
	struct part *part;
	HASH_FIND_STR(parts, path, part);
	return part;
}

struct part *parts_add(struct part **parts, const char *path)
{
	struct part *part = parts_find(*parts, path);
	if (part) {
		return part;
	}
	size_t size = strlen(path) + 1;
	part = calloc(1, sizeof(*part) + size);
	if (!part) {
		return NULL;
	}
	memcpy(part->path, path, size);
	HASH_ADD_STR(*parts, path, part);
	if (!part->hh.tbl) {
		free(part);
		return NULL;
	}
	return part;
}

void parts_remove(struct part **parts, const char *path)
{
	struct part *part = parts_find(*parts, path);
	if (part) {
		HASH_DEL(*parts, part);
		free(part);
	}
}

bool parts_have(const struct part *parts, const char *path)
{
	const struct part *part = parts_find(parts, path);
	return part && !part->in_use;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

struct part *parts_oldest(struct part *parts)
{
	struct part *oldest = NULL, *part, *next;
	HASH_ITER (hh, parts, part, next) {
		if (!part->in_use && (!oldest || is_older(&part->modified, &oldest->modified))) {
			oldest = part;
		}
	}
	return oldest;
}

uint64_t parts_sum(const struct part *parts, uint64_t block, uint64_t *files)
{
	uint64_t blocks = 0;
	*files = 0;
	for (const struct part *part = parts; part; part = part->hh.next) {
		if (!part->in_use) {
			blocks += part->size > 0 ? (part->size - 1) / block + 1 : 1;
			(*files)++;
		}
	}
	return blocks * block;
}

void parts_finish(struct part **parts)
{
	struct part *part, *next;
	HASH_ITER (hh, *parts, part, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the head is another one then */
		HASH_DEL(*parts, part);
		free(part);
	}
}
