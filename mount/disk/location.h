/* SPDX-License-Identifier: MIT */
/*
 * location - where in the inbox a file that is received is: CONTACT/FOLDER/, made as it is needed.
 *
 * Errors:  0 or -errno.
 * Threads: one at a time.
 */
#ifndef MOUNT_DISK_LOCATION_H
#define MOUNT_DISK_LOCATION_H

#include "mount/disk/inbox.h"
#include "mount/disk/part_file.h"
#include "mount/hub.h"

/* "CONTACT/FOLDER/NAME", and the suffix. */
#define LOCATION_PATH_SIZE (2 * NAME_MAX_BYTES + NAME_FOLDER_SIZE + 3 + sizeof(NAME_PART_SUFFIX))

struct location {
	struct inbox *inbox;
	char contact[NAME_MAX_BYTES + 1], folder[NAME_FOLDER_SIZE]; /* of no folder: "" */
};

void location_init(struct location *location, struct inbox *inbox, const char *contact,
		   const char *folder);

/* The path of `name` there, below the inbox. */
void location_path(const struct location *location, const char *name,
		   char path[LOCATION_PATH_SIZE]);

/* As part_file_create; makes the directories that are missing, each of which counts as a file does:
 * -EDQUOT. For that of the contact, parts make room. If something else has the name of a folder,
 * the folder's name gets a number. */
int location_create(struct location *location, struct hub *hub, struct part_file *file,
		    const char *name);

/* Opens the directory, which must be there, as file->directory. */
int location_open(const struct location *location, struct part_file *file);

/* The directory is there already: makes the names of the folder durable, as location_create does.
 * That of the contact is synced with the file. */
int location_sync(const struct location *location);

/* Removes the directories of the folder that are empty. */
void location_remove_empty(const struct location *location);

#endif
