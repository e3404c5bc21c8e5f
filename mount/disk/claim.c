/* SPDX-License-Identifier: MIT */
#include "mount/disk/claim.h"

#include <errno.h>

void claim_init(struct claim *claim, struct quota *quota)
{
	*claim = (struct claim){.quota = quota};
}

void claim_adopt(struct claim *claim, uint64_t size)
{
	claim->reserved = claim->spent = quota_file(claim->quota, size);
}

int claim_reserve(struct claim *claim, uint64_t size)
{
	struct quota *quota = claim->quota;
	struct usage needed = quota_file(quota, size), *reserved = &claim->reserved;
	if (needed.bytes > reserved->bytes) {
		struct usage more = {needed.files - reserved->files,
				     needed.bytes - reserved->bytes};
		if (!quota_reserve(quota, more)) {
			return -EDQUOT;
		}
		*reserved = needed;
	}
	return 0;
}

void claim_spend(struct claim *claim, uint64_t size)
{
	struct quota *quota = claim->quota;
	struct usage now = quota_file(quota, size), *spent = &claim->spent;
	if (now.files > spent->files || now.bytes > spent->bytes) {
		quota_write(quota,
			    (struct usage){now.files - spent->files, now.bytes - spent->bytes});
		*spent = now;
	}
}

void claim_cut(struct claim *claim, uint64_t size)
{
	struct usage now = quota_file(claim->quota, size), *spent = &claim->spent;
	if (now.bytes < spent->bytes) {
		uint64_t less = spent->bytes - now.bytes;
		quota_remove(claim->quota, (struct usage){.bytes = less});
		claim->reserved.bytes -= less;
		spent->bytes = now.bytes;
	}
}

void claim_give_back(struct claim *claim)
{
	struct usage *reserved = &claim->reserved, *spent = &claim->spent;
	quota_remove(claim->quota, *spent);
	reserved->files -= spent->files;
	reserved->bytes -= spent->bytes;
	*spent = (struct usage){0};
}

void claim_finish(struct claim *claim)
{
	const struct usage *reserved = &claim->reserved, *spent = &claim->spent;
	quota_cancel(claim->quota, (struct usage){reserved->files - spent->files,
						  reserved->bytes - spent->bytes});
}
