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

/* What is to be reserved for a file of that size. */
static struct usage missing(const struct claim *claim, uint64_t size)
{
	const struct usage *reserved = &claim->reserved;
	struct usage needed = quota_file(claim->quota, size);
	return needed.bytes > reserved->bytes ? (struct usage){needed.files - reserved->files,
							       needed.bytes - reserved->bytes}
					      : (struct usage){0};
}

int claim_reserve(struct claim *claim, uint64_t size)
{
	struct usage more = missing(claim, size);
	if (more.bytes > 0) {
		if (!quota_reserve(claim->quota, more)) {
			return -EDQUOT;
		}
		claim->reserved.files += more.files;
		claim->reserved.bytes += more.bytes;
	}
	return 0;
}

bool claim_would_fit(const struct claim *claim, uint64_t size, struct usage less)
{
	return quota_would_fit(claim->quota, missing(claim, size), less);
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

void claim_begin_change(const struct claim *claim)
{
	quota_begin_change(claim->quota, claim->spent);
}

static void end_change(struct claim *claim, struct usage gone)
{
	quota_end_change(claim->quota, claim->spent, gone);
	claim->reserved.files -= gone.files;
	claim->reserved.bytes -= gone.bytes;
	claim->spent.files -= gone.files;
	claim->spent.bytes -= gone.bytes;
}

void claim_keep(struct claim *claim)
{
	end_change(claim, (struct usage){0});
}

void claim_cut(struct claim *claim, uint64_t size)
{
	struct usage now = quota_file(claim->quota, size);
	uint64_t spent = claim->spent.bytes;
	end_change(claim, (struct usage){.bytes = now.bytes < spent ? spent - now.bytes : 0});
}

void claim_give_back(struct claim *claim)
{
	end_change(claim, claim->spent);
}

void claim_finish(struct claim *claim)
{
	const struct usage *reserved = &claim->reserved, *spent = &claim->spent;
	quota_cancel(claim->quota, (struct usage){reserved->files - spent->files,
						  reserved->bytes - spent->bytes});
}
