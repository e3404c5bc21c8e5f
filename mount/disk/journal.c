/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* dup3 */

#include "mount/disk/journal.h"

#include "mount/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME_SIZE 16

/* How often a lock is tried: another process may be about to end, and 2 s are enough for that. */
#define LOCK_TRIES    100
#define BETWEEN_TRIES ((struct timespec){.tv_nsec = 20000000})

static void name_of(unsigned number, char name[NAME_SIZE])
{
	snprintf(name, NAME_SIZE, "%u", number);
}

void journals_init(struct journals *journals, int inbox)
{
	*journals = (struct journals){.inbox = inbox, .directory = -1};
	pthread_mutex_init(&journals->mutex, NULL);
}

void journal_init(struct journal *journal)
{
	*journal = (struct journal){.fd = -1};
}

static void discard(const struct journals *journals, struct journal *journal)
{
	char name[NAME_SIZE];
	name_of(journal->number, name);
	unlinkat(journals->directory, name, 0);
	close(journal->fd);
	journal->fd = -1;
}

void journals_close(struct journals *journals)
{
	while (journals->spare_length > 0) {
		discard(journals, &journals->spare[--journals->spare_length]);
	}
	if (journals->directory >= 0) {
		close(journals->directory);
		journals->directory = -1;
		unlinkat(journals->inbox, JOURNAL_DIRECTORY, AT_REMOVEDIR); /* if it is empty */
	}
}

void journals_finish(struct journals *journals)
{
	journals_close(journals);
	pthread_mutex_destroy(&journals->mutex);
}

/* ---- a journal that is written ---- */

static int open_directory(struct journals *journals)
{
	if (journals->directory < 0) {
		if (mkdirat(journals->inbox, JOURNAL_DIRECTORY, 0700) && errno != EEXIST) {
			return -errno;
		}
		journals->directory = openat(journals->inbox, JOURNAL_DIRECTORY,
					     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (journals->directory < 0) {
		return -errno;
	}
	flock(journals->directory, LOCK_SH | LOCK_NB); /* or nobody can lock here */
	return 0;
}

/* Another process has removed the directory, as nothing was in it: makes it again. The descriptor
 * keeps its number, which other threads may be using. */
static int renew_directory(const struct journals *journals)
{
	struct journals renewed = {.inbox = journals->inbox, .directory = -1};
	int error = open_directory(&renewed);
	if (error) {
		return error;
	}
	error = dup3(renewed.directory, journals->directory, O_CLOEXEC) < 0 ? -errno : 0;
	close(renewed.directory);
	return error;
}

/* A new file, with the next name that is free. */
static int create_in_directory_locked(struct journals *journals, struct journal *journal)
{
	int error = 0;
	for (unsigned tries = 0; !error && tries < JOURNAL_NUMBERS; tries++) {
		char name[NAME_SIZE];
		journal->number = journals->next;
		journals->next = (journals->next + 1) % JOURNAL_NUMBERS;
		name_of(journal->number, name);
		journal->fd = openat(journals->directory, name,
				     O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (journal->fd >= 0) {
			flock(journal->fd, LOCK_EX | LOCK_NB); /* or nobody can lock here */
			return 0;
		}
		error = errno == EEXIST ? 0 : -errno;
	}
	return error ? error : -EEXIST;
}

static int create_locked(struct journals *journals, struct journal *journal)
{
	int error = open_directory(journals);
	error = error ? error : create_in_directory_locked(journals, journal);
	if (error == -ENOENT && renew_directory(journals) == 0) {
		error = create_in_directory_locked(journals, journal);
	}
	return error;
}

static int take(struct journals *journals, struct journal *journal)
{
	int error = 0;
	pthread_mutex_lock(&journals->mutex);
	if (journals->spare_length > 0) {
		*journal = journals->spare[--journals->spare_length];
	} else {
		error = create_locked(journals, journal);
	}
	pthread_mutex_unlock(&journals->mutex);
	return error;
}

static int write_at(int fd, const void *bytes, size_t length, off_t offset)
{
	ssize_t written = pwrite(fd, bytes, length, offset);
	if (written < 0) {
		return -errno;
	}
	return (size_t)written == length ? 0 : -ENOSPC;
}

int journal_begin(struct journals *journals, struct journal *journal,
		  const struct journal_head *head)
{
	uint8_t bytes[JOURNAL_MAX_SIZE];
	struct journal_record record = {0};
	size_t length = journal_encode_head(bytes + JOURNAL_RECORD_SIZE, head);
	int error = length > 0 ? take(journals, journal) : -ENAMETOOLONG;
	if (error) {
		journal->fd = -1;
		return error;
	}
	journal->blocks = journal->skipped = 0;
	checksum_init(&journal->sum);
	record.sum = journal->sum;
	length += journal_encode_record(bytes, &record);
	error = write_at(journal->fd, bytes, length, 0);
	if (error) {
		discard(journals, journal);
	}
	return error;
}

static int write_record(const struct journal *journal, bool is_whole)
{
	uint8_t encoded[JOURNAL_RECORD_SIZE];
	struct journal_record record = {
		.blocks = journal->blocks,
		.skipped = journal->skipped,
		.sum = journal->sum,
		.is_whole = is_whole,
	};
	journal_encode_record(encoded, &record);
	return write_at(journal->fd, encoded, sizeof(encoded), 0);
}

int journal_note(struct journal *journal, const void *bytes, size_t length, uint64_t blocks)
{
	checksum_add(&journal->sum, bytes, length);
	journal->blocks = blocks;
	return write_record(journal, false);
}

int journal_note_skip(struct journal *journal, uint64_t end, uint64_t blocks)
{
	journal->skipped = end;
	checksum_init(&journal->sum);
	journal->blocks = blocks;
	return write_record(journal, false);
}

void journal_note_whole(const struct journal *journal)
{
	if (journal->fd >= 0) {
		write_record(journal, true); /* else the next process knows less */
	}
}

void journal_end(struct journals *journals, struct journal *journal)
{
	static const uint8_t unused[JOURNAL_RECORD_SIZE];
	if (journal->fd < 0) {
		return;
	}
	pthread_mutex_lock(&journals->mutex);
	if (journals->spare_length < JOURNAL_SPARE &&
	    write_at(journal->fd, unused, sizeof(unused), 0) == 0) {
		journals->spare[journals->spare_length++] = *journal;
		journal->fd = -1;
	} else {
		discard(journals, journal);
	}
	pthread_mutex_unlock(&journals->mutex);
}

void journal_leave(struct journal *journal)
{
	if (journal->fd >= 0) {
		close(journal->fd);
		journal->fd = -1;
	}
}

/* ---- journals of earlier processes ---- */

/* False: a process that has not ended has the lock. *tries: how many are left, for all journals
 * together. */
static bool lock(int fd, unsigned *tries)
{
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK) {
			return true; /* there are no locks here */
		}
		if (*tries == 0) {
			return false;
		}
		(*tries)--;
		nanosleep(&BETWEEN_TRIES, NULL);
	}
	return true;
}

static void tell(const char *name, int error)
{
	if (error != -ENODATA) {
		log_warning(JOURNAL_DIRECTORY "/%s: %s", name,
			    error == -EPROTONOSUPPORT ? "of another version: not continued"
						      : "damaged: not continued");
	}
}

static int read_journal(struct journal_found *found)
{
	struct stat status;
	ssize_t length = pread(found->journal.fd, found->bytes, sizeof(found->bytes), 0);
	if (length < 0 || fstat(found->journal.fd, &status)) {
		return -errno;
	}
	found->written = status.st_mtim.tv_sec;
	int error = journal_parse(found->bytes, (size_t)length, &found->head, &found->record);
	found->journal.blocks = found->record.blocks;
	found->journal.skipped = found->record.skipped;
	found->journal.sum = found->record.sum;
	return error;
}

/* NULL: the file is no journal, cannot be used, or is locked by another process. */
static struct journal_found *open_journal(struct journals *journals, const char *name,
					  unsigned *tries)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);
	struct journal_found *found = calloc(1, sizeof(*found));
	if (!found || *end != '\0' || number >= JOURNAL_NUMBERS) {
		free(found);
		return NULL;
	}
	found->journal.number = (unsigned)number;
	found->journal.fd =
		openat(journals->directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (found->journal.fd < 0 || !lock(found->journal.fd, tries)) {
		journal_leave(&found->journal);
		free(found);
		return NULL;
	}
	int error = read_journal(found);
	if (error) {
		tell(name, error);
		discard(journals, &found->journal);
		free(found);
		return NULL;
	}
	return found;
}

bool journals_are_ours(const struct journals *journals)
{
	unsigned tries = LOCK_TRIES;
	if (journals->directory < 0) {
		return true;
	}
	bool ours = lock(journals->directory, &tries);
	flock(journals->directory, LOCK_SH | LOCK_NB);
	return ours;
}

struct journal_found *journals_find(struct journals *journals)
{
	struct journal_found *list = NULL;
	unsigned tries = LOCK_TRIES;
	int fd = openat(journals->inbox, JOURNAL_DIRECTORY,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 && open_directory(journals) == 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	if (!directory) {
		if (fd >= 0) {
			close(fd);
		}
		return NULL;
	}
	while ((entry = readdir(directory))) {
		struct journal_found *found =
			entry->d_name[0] == '.' ? NULL
						: open_journal(journals, entry->d_name, &tries);
		if (found) {
			found->next = list;
			list = found;
		}
	}
	closedir(directory);
	return list;
}
