/* SPDX-License-Identifier: MIT */
/*
 * quota - how much of its disk a directory uses, has reserved, and may use.
 *
 * A file uses whole blocks, and at least one, as its name and inode take room, too. The sums follow
 * the files that come and go. The directory itself is counted at first, and again when there seems
 * to be no room: files may have been taken out of it by hand.
 *
 * `used` is an upper bound, except that files which others have put there since the last count are
 * missing in it. Files may change during a count. Then it may find less of the room that was made
 * by hand, by as much as has changed; a later count finds the rest.
 *
 * Threads: any.
 */
#ifndef MOUNT_DISK_QUOTA_H
#define MOUNT_DISK_QUOTA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct usage {
	uint64_t files; /* with directories */
	uint64_t bytes; /* whole blocks */
};

struct quota {
	struct usage limit; /* 0: none */
	uint64_t block;
	void (*count)(void *context, struct usage *found); /* adds what is in the directory now */
	void *context;

	pthread_mutex_t mutex;
	/* Under it: */
	struct usage used;     /* written or reserved */
	struct usage awaited;  /* reserved, and not written yet */
	struct usage changing; /* between quota_begin_change and quota_end_change */
	struct usage missed;   /* changing, at any time since the last count began */
	unsigned counts;       /* how often it was counted */
	unsigned exact;	       /* the last of these during which nothing changed */
	bool is_counting;
	pthread_cond_t counted; /* is_counting is false */
	bool is_told;		/* see quota_tell */
	int64_t count_from_ms;	/* it is not counted again before */
};

/* Counts for the first time; `block` is a size in bytes. */
void quota_init(struct quota *quota, struct usage limit, uint64_t block,
		void (*count)(void *context, struct usage *found), void *context);
void quota_finish(struct quota *quota);

/* What a file of that size uses. */
struct usage quota_file(const struct quota *quota, uint64_t size);

/* Reserves it. False: there is no room, by a count that may be a minute old. May count, or wait for
 * the end of another thread's count. */
bool quota_reserve(struct quota *quota, struct usage usage);

/* How many counts have begun so far. */
unsigned quota_begun(struct quota *quota);

/* Counts now, unless nothing changed during a count that began after the first `begun` ones. Some
 * such count has ended then. */
void quota_count(struct quota *quota, unsigned begun);

/* Whether it could be reserved if `less` were not used. */
bool quota_would_fit(struct quota *quota, struct usage usage, struct usage less);

/* Whether the user is to be told that there is no room: once, until there was room again. */
bool quota_tell(struct quota *quota);

/* So much of what is reserved is written. */
void quota_write(struct quota *quota, struct usage usage);

/* So much of what is reserved will not be written. */
void quota_cancel(struct quota *quota, struct usage usage);

/* A file that uses so much is about to get another name, to be cut, or to be removed: until the end
 * of that, a count may miss it. `gone`: as much as is not there any more then. */
void quota_begin_change(struct quota *quota, struct usage usage);
void quota_end_change(struct quota *quota, struct usage usage, struct usage gone);

/* How often the directory was counted since quota_init. After a count, files may turn out to be
 * missing. */
unsigned quota_counts(struct quota *quota);

#endif
