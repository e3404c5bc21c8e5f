/* SPDX-License-Identifier: MIT */
/*
 * beginning - what is there already of a file that is offered: the NAME.part that an earlier offer
 * has left, and the digest of its bytes.
 *
 * Whether these bytes belong to the offered file shows at its end, by the digest of the whole.
 *
 * Units:   bytes.
 * Errors:  0 or -errno.
 * Threads: one at a time; each call reads the disk.
 */
#ifndef MOUNT_DISK_BEGINNING_H
#define MOUNT_DISK_BEGINNING_H

#include "ibb/hash.h"
#include "mount/disk/part_file.h"

#include <stdint.h>

struct beginning {
	enum hash_algorithm algorithm; /* HASH_NONE: the file comes as a whole */
	struct hash *hash;	       /* of its first bytes, `hashed` of them so far */
	uint64_t size, hashed;
};

/* Opens NAME.part in file->directory for a file of `announced_size` bytes. Of a part with all of
 * them, the last byte is not used: an offer has to have something to send. *size: what the part has
 * on disk. False: there is none that could be a beginning of the file. */
bool beginning_open(struct beginning *beginning, struct part_file *file, const char *name,
		    uint64_t announced_size, uint64_t *size);

/* Reads on, for a moment; at the end `file` is to be written from there on. *ended: that was all.
 */
int beginning_read(struct beginning *beginning, const struct part_file *file, bool *ended);

/* Hands over the digest of all of it, the caller's. */
struct hash *beginning_take(struct beginning *beginning);

void beginning_finish(struct beginning *beginning);

#endif
