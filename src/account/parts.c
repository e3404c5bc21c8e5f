/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1

#include "account/parts.h"

#include "account/name.h"
#include "ibb/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void parts_name(char *part, const char *name)
{
	size_t length = utf8_cut(name, NAME_MAX_BYTES - strlen(NAME_PART_SUFFIX));
	snprintf(part, NAME_MAX_BYTES + 1, "%.*s" NAME_PART_SUFFIX, (int)length, name);
}

static struct part *find(const struct part *parts, const char *path)
{
	struct part *part;
	HASH_FIND_STR(parts, path, part);
	return part;
}

int parts_add(struct part **parts, const char *path)
{
	if (find(*parts, path)) {
		return 0;
	}
	size_t size = strlen(path) + 1;
	struct part *part = malloc(sizeof(*part) + size);
	if (!part) {
		return -ENOMEM;
	}
	memcpy(part->path, path, size);
	HASH_ADD_STR(*parts, path, part);
	if (!part->hh.tbl) {
		free(part);
		return -ENOMEM;
	}
	return 0;
}

void parts_remove(struct part **parts, const char *path)
{
	struct part *part = find(*parts, path);
	if (part) {
		HASH_DEL(*parts, part);
		free(part);
	}
}

bool parts_have(const struct part *parts, const char *path)
{
	return find(parts, path) != NULL;
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
