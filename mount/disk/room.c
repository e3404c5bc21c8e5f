/* SPDX-License-Identifier: MIT */
#include "mount/disk/room.h"

#include "mount/disk/folder.h"
#include "mount/disk/part_file.h"
#include "mount/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Removes the part at `path`, unless a stream writes it: then it is not one of those that broke off
 * any more. */
static int remove_part(struct inbox *inbox, const char *path)
{
	struct part_file file;
	const char *name;
	part_file_init(&file, "");
	file.directory = folder_open_above(inbox->fd, path, &name);
	int error = file.directory < 0 ? file.directory : part_file_lock(&file, name);
	if (!error) {
		error = inbox_remove(inbox, path);
	}
	part_file_finish(&file);
	return error;
}

static void remove_oldest(struct inbox *inbox, const char *path)
{
	int error = remove_part(inbox, path);
	if (!error) {
		log_warning("%s: removed to make room", path);
	} else if (error != -ENOENT && error != -EWOULDBLOCK) {
		log_warning("%s: %s", path, strerror(-error));
	}
}

/* Whether the parts that are there make enough room. */
static bool parts_suffice(const struct inbox *inbox, struct hub *hub, const struct claim *claim,
			  uint64_t size)
{
	struct usage parts;
	parts.bytes = hub_sum_parts(hub, inbox->quota.block, &parts.files);
	return claim_would_fit(claim, size, parts);
}

static int remove_and_reserve(struct inbox *inbox, struct hub *hub, struct claim *claim,
			      uint64_t size)
{
	char path[PATH_MAX];
	int error = -EDQUOT;
	while (error == -EDQUOT && hub_take_oldest_part(hub, path, sizeof(path))) {
		remove_oldest(inbox, path);
		error = claim_reserve(claim, size);
	}
	return error;
}

/* Peers cannot cause much counting here, either: if a count finds no room, a part goes. */
int room_reserve(struct inbox *inbox, struct hub *hub, struct claim *claim, uint64_t size)
{
	unsigned begun = quota_begun(&inbox->quota);
	int error = claim_reserve(claim, size);
	if (error != -EDQUOT || !parts_suffice(inbox, hub, claim, size)) {
		return error;
	}
	quota_count(&inbox->quota, begun);
	error = claim_reserve(claim, size);
	if (error == -EDQUOT && parts_suffice(inbox, hub, claim, size)) {
		error = remove_and_reserve(inbox, hub, claim, size);
	}
	return error;
}
