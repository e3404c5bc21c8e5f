/* SPDX-License-Identifier: MIT */
#include "ibb/sharing.h"

#include <stddef.h>
#include <utlist.h>

/* A member whose last round is older than this, and than so many RTTs, has nothing to send. */
#define MOST_SILENCE_US	  1000000
#define MOST_SILENCE_RTTS 4

void sharing_begin(struct sharing *sharing)
{
	sharing->streams++;
	sharing->begun++;
}

void sharing_end(struct sharing *sharing)
{
	sharing->streams--;
}

static void leave(struct sharing *sharing, struct sharing_member *member)
{
	DL_DELETE(sharing->members, member);
	member->is_member = false;
}

static void summarize(struct sharing *sharing)
{
	const struct sharing_member *member;
	sharing->count = 0;
	sharing->mean_rate = 0;
	sharing->min_rtt_us = 0;
	DL_FOREACH (sharing->members, member) {
		sharing->count++;
		sharing->mean_rate += member->rate;
		if (sharing->count == 1 || member->min_rtt_us < sharing->min_rtt_us) {
			sharing->min_rtt_us = member->min_rtt_us;
		}
	}
	sharing->mean_rate /= sharing->count > 0 ? sharing->count : 1;
}

void sharing_note(struct sharing *sharing, struct sharing_member *member, double rate,
		  int64_t min_rtt_us, int64_t now_us)
{
	if (member->is_member) {
		leave(sharing, member);
	}
	member->is_member = true;
	member->rate = rate;
	member->min_rtt_us = min_rtt_us;
	member->noted_us = now_us;
	DL_APPEND(sharing->members, member);
	struct sharing_member *other, *next;
	DL_FOREACH_SAFE (sharing->members, other, next) {
		if (now_us - other->noted_us <= MOST_SILENCE_US) {
			break; /* and so are all behind it */
		}
		if (now_us - other->noted_us > MOST_SILENCE_RTTS * other->min_rtt_us) {
			leave(sharing, other);
		}
	}
	summarize(sharing);
}

bool sharing_has_light(const struct sharing *sharing)
{
	return sharing->streams > 1 && sharing->streams > sharing->count;
}

void sharing_leave(struct sharing *sharing, struct sharing_member *member)
{
	if (member->is_member) {
		leave(sharing, member);
		summarize(sharing);
	}
}
