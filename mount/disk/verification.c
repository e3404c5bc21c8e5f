/* SPDX-License-Identifier: MIT */
#include "mount/disk/verification.h"

#include "mount/disk/scan.h"

#include <errno.h>

/* Bytes that are read in one call of verification_read. */
#define STEP ((uint64_t)16 * 1024 * 1024)

void verification_init(struct verification *verification, const struct journal_record *wanted)
{
	verification->wanted = *wanted;
	checksum_init(&verification->sum);
}

static int add(void *sum, const uint8_t *bytes, size_t length)
{
	checksum_add(sum, bytes, length);
	return 0;
}

int verification_read(struct verification *verification, int fd, bool *ended)
{
	const struct journal_record *wanted = &verification->wanted;
	struct checksum *sum = &verification->sum;
	uint64_t at = wanted->skipped + sum->length;
	int error = scan(fd, &at, journal_record_end(wanted), STEP, add, sum);
	*ended = sum->length == wanted->sum.length;
	if (error == -ENODATA || (!error && *ended && !checksum_equals(sum, &wanted->sum))) {
		error = -EIO;
	}
	return error;
}
