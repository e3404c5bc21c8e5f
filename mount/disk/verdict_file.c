/* SPDX-License-Identifier: MIT */
#include "mount/disk/verdict_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In JOURNAL_DIRECTORY. */
#define NAME "verdicts"

#define PLACES 1024

/* "ibbfsv", version 1. */
#define MAGIC 0x0001767366626269u

/* Numbers are those of the machine. */
struct layout {
	uint64_t check; /* of all behind it */
	uint64_t magic;
	int64_t written;
	uint64_t verdict;
	struct verdict_name name; /* "OWN\nPEER\nSID" */
};

_Static_assert(sizeof(struct layout) == 512, "no filling");

static uint64_t check_of(const struct layout *layout)
{
	return checksum_of(&layout->magic, sizeof(*layout) - offsetof(struct layout, magic));
}

void verdict_name_set(struct verdict_name *name, const char *own, const char *peer, const char *sid)
{
	*name = (struct verdict_name){{0}};
	int length = snprintf(name->text, sizeof(name->text), "%s\n%s\n%s", own, peer, sid);
	if (length < 0 || (size_t)length >= sizeof(name->text)) {
		*name = (struct verdict_name){{0}};
	}
}

static int open_file(const struct journals *journals, int flags)
{
	return openat(journals->directory, NAME, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
}

static off_t place_of(const struct verdict_name *name)
{
	uint64_t place = checksum_of(name->text, strlen(name->text)) % PLACES;
	return (off_t)(place * sizeof(struct layout));
}

void verdict_file_note(const struct journals *journals, const struct verdict_name *name,
		       enum condition verdict)
{
	struct layout layout = {
		.magic = MAGIC,
		.written = time(NULL),
		.verdict = verdict,
		.name = *name,
	};
	int fd = name->text[0] != '\0' ? open_file(journals, O_WRONLY | O_CREAT) : -1;
	if (fd < 0) {
		return;
	}
	layout.check = check_of(&layout);
	/* If there is no room, nothing is known of the stream. */
	ssize_t written = pwrite(fd, &layout, sizeof(layout), place_of(name));
	(void)written;
	close(fd);
}

int verdict_file_forget(const struct journals *journals, const struct verdict_name *name)
{
	static const struct layout none;
	struct layout layout;
	int fd = name->text[0] != '\0' ? open_file(journals, O_RDWR) : -1;
	if (fd < 0) {
		return 0;
	}
	int error = 0;
	if (pread(fd, &layout, sizeof(layout), place_of(name)) == (ssize_t)sizeof(layout) &&
	    memcmp(&layout.name, name, sizeof(*name)) == 0 &&
	    pwrite(fd, &none, sizeof(none), place_of(name)) < 0) {
		error = -errno;
	}
	close(fd);
	return error;
}

static bool is_verdict(uint64_t verdict)
{
	return verdict == CONDITION_NONE || verdict == CONDITION_RESOURCE_CONSTRAINT ||
	       verdict == CONDITION_CONFLICT || verdict == CONDITION_NOT_ACCEPTABLE;
}

/* Ends the string at the newline in it, and returns what is behind that; NULL: there is none. */
static char *split(char *text)
{
	char *end = text ? strchr(text, '\n') : NULL;
	if (end) {
		*end++ = '\0';
	}
	return end;
}

/* The strings of `record` are in `layout`. False: there is none, or it is damaged. */
static bool parse(struct layout *layout, struct verdict_record *record)
{
	char *own = layout->name.text;
	if (layout->magic != MAGIC || layout->check != check_of(layout) ||
	    !memchr(own, '\0', VERDICT_NAME_SIZE) || !is_verdict(layout->verdict)) {
		return false;
	}
	char *peer = split(own), *sid = split(peer);
	*record = (struct verdict_record){
		.own = own,
		.peer = peer,
		.sid = sid,
		.verdict = (enum condition)layout->verdict,
		.written = layout->written,
	};
	return sid != NULL;
}

void verdict_file_read(const struct journals *journals,
		       void (*visit)(void *context, const struct verdict_record *record),
		       void *context)
{
	struct layout layout;
	int fd = open_file(journals, O_RDONLY);
	for (unsigned i = 0; fd >= 0 && i < PLACES; i++) {
		struct verdict_record record;
		off_t offset = (off_t)(i * sizeof(layout));
		if (pread(fd, &layout, sizeof(layout), offset) != (ssize_t)sizeof(layout)) {
			break;
		}
		if (parse(&layout, &record)) {
			visit(context, &record);
		}
	}
	if (fd >= 0) {
		close(fd);
	}
}

/* Whether it has records of others. */
struct search {
	const char *own;
	bool has_others;
};

static void look(void *context, const struct verdict_record *record)
{
	struct search *search = context;
	search->has_others = search->has_others || strcmp(record->own, search->own) != 0;
}

void verdict_file_remove(const struct journals *journals, const char *own)
{
	struct search search = {.own = own};
	verdict_file_read(journals, look, &search);
	if (!search.has_others) {
		unlinkat(journals->directory, NAME, 0);
	}
}
