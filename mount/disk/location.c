/* SPDX-License-Identifier: MIT */
#include "mount/disk/location.h"

#include "mount/disk/folder.h"
#include "mount/disk/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a folder that was removed meanwhile is made again. */
#define MAX_TRIES 10

void location_init(struct location *location, struct inbox *inbox, const char *contact,
		   const char *folder)
{
	location->inbox = inbox;
	snprintf(location->contact, sizeof(location->contact), "%s", contact);
	snprintf(location->folder, sizeof(location->folder), "%s", folder);
}

/* The path of the directory. */
static void write_path(const struct location *location, char path[LOCATION_PATH_SIZE])
{
	snprintf(path, LOCATION_PATH_SIZE, "%s%s%s", location->contact,
		 location->folder[0] != '\0' ? "/" : "", location->folder);
}

void location_path(const struct location *location, const char *name, char path[LOCATION_PATH_SIZE])
{
	write_path(location, path);
	size_t length = strlen(path);
	snprintf(path + length, LOCATION_PATH_SIZE - length, "/%s", name);
}

static int enter_contact(const struct location *location)
{
	return folder_open(location->inbox->fd, location->contact);
}

/* Its place is reserved first, as others may need the last ones, too. 0 as well if another file of
 * the contact has made it meanwhile. */
static int make_contact(const struct location *location, struct hub *hub)
{
	struct inbox *inbox = location->inbox;
	struct claim claim;
	claim_init(&claim, &inbox->quota);
	int error = room_reserve(inbox, hub, &claim, 0);
	if (!error) {
		error = directories_make(&inbox->directories, inbox->fd, location->contact);
	}
	if (!error) {
		claim_spend(&claim, 0);
	}
	claim_finish(&claim);
	return error == -EEXIST ? 0 : error;
}

/* Opens the contact's directory, which is made if it is missing; it is synced with the file. */
static int open_contact(const struct location *location, struct hub *hub)
{
	int fd = enter_contact(location);
	if (fd == -ENOENT) {
		int error = make_contact(location, hub);
		fd = enter_contact(location);
		fd = fd == -ENOENT && error ? error : fd;
	}
	return fd;
}

/* Likewise, the folder in it. */
static int open_directory(struct location *location, struct hub *hub)
{
	struct inbox *inbox = location->inbox;
	char wanted[NAME_FOLDER_SIZE];
	int contact = open_contact(location, hub);
	if (contact < 0 || location->folder[0] == '\0') {
		return contact;
	}
	strcpy(wanted, location->folder);
	int fd = folder_make(contact, wanted, inbox->syncer ? &inbox->directories : NULL,
			     &inbox->quota, location->folder, sizeof(location->folder));
	close(contact);
	return fd;
}

int location_create(struct location *location, struct hub *hub, struct part_file *file,
		    const char *name)
{
	char folder[NAME_FOLDER_SIZE];
	int error = -ENOENT;
	strcpy(folder, location->folder);
	/* ENOENT: rm has emptied the folder, or one above it, and removed it. */
	for (int i = 0; i < MAX_TRIES && error == -ENOENT; i++) {
		if (file->directory >= 0) {
			close(file->directory);
		}
		strcpy(location->folder, folder);
		file->directory = open_directory(location, hub);
		error = file->directory >= 0 ? part_file_create(file, name) : file->directory;
	}
	if (error) {
		location_remove_empty(location);
	}
	return error;
}

int location_open(const struct location *location, struct part_file *file)
{
	char path[LOCATION_PATH_SIZE];
	write_path(location, path);
	file->directory = folder_open(location->inbox->fd, path);
	return file->directory < 0 ? file->directory : 0;
}

int location_sync(const struct location *location)
{
	struct inbox *inbox = location->inbox;
	if (!inbox->syncer || location->folder[0] == '\0') {
		return 0;
	}
	int contact = enter_contact(location);
	if (contact < 0) {
		return contact;
	}
	int error = folder_sync(contact, location->folder, &inbox->directories);
	close(contact);
	return error;
}

void location_remove_empty(const struct location *location)
{
	char path[LOCATION_PATH_SIZE];
	write_path(location, path);
	folder_remove_empty(location->inbox->fd, path, &location->inbox->quota);
}
