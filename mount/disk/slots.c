/* SPDX-License-Identifier: MIT */
#include "mount/disk/slots.h"

#include <string.h>
#include <utlist.h>

void slots_init(struct slots *slots)
{
	*slots = (struct slots){.count = 0};
	pthread_mutex_init(&slots->mutex, NULL);
}

void slots_finish(struct slots *slots)
{
	pthread_mutex_destroy(&slots->mutex);
}

static bool has_one_locked(const struct slots *slots, const char *contact)
{
	const struct slot *slot;
	unsigned own = 0;
	DL_FOREACH (slots->taken, slot) {
		own += strcmp(slot->contact, contact) == 0;
	}
	return slots->count < SLOTS_MOST && own < SLOTS_MOST - slots->count;
}

static void add_locked(struct slots *slots, struct slot *slot, const char *contact)
{
	slot->contact = contact;
	DL_APPEND(slots->taken, slot);
	slots->count++;
}

bool slots_take(struct slots *slots, struct slot *slot, const char *contact)
{
	pthread_mutex_lock(&slots->mutex);
	bool has_one = has_one_locked(slots, contact);
	if (has_one) {
		add_locked(slots, slot, contact);
	}
	pthread_mutex_unlock(&slots->mutex);
	return has_one;
}

void slots_keep(struct slots *slots, struct slot *slot, const char *contact)
{
	pthread_mutex_lock(&slots->mutex);
	add_locked(slots, slot, contact);
	pthread_mutex_unlock(&slots->mutex);
}

void slots_leave(struct slots *slots, struct slot *slot)
{
	pthread_mutex_lock(&slots->mutex);
	DL_DELETE(slots->taken, slot);
	slots->count--;
	pthread_mutex_unlock(&slots->mutex);
}

unsigned slots_count(struct slots *slots)
{
	pthread_mutex_lock(&slots->mutex);
	unsigned count = slots->count;
	pthread_mutex_unlock(&slots->mutex);
	return count;
}
