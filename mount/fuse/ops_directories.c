/* SPDX-License-Identifier: MIT */
#include "mount/fuse/ops_directories.h"

#include "mount/fuse/call.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <utlist.h>

/* An open directory: what was there when it was opened or, if it was read since, rewound. */
struct open_directory {
	struct open_directory *prev, *next; /* call_context.directories */
	struct listing *listing;
	bool is_begun; /* it was read from its beginning */
};

static struct open_directory *directory_of(const struct fuse_file_info *info)
{
	return (struct open_directory *)(uintptr_t)info->fh;
}

static void close_directory(struct call_context *context, struct open_directory *directory)
{
	DL_DELETE(context->directories, directory);
	listing_destroy(directory->listing);
	free(directory);
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct call_context *context = fuse_req_userdata(req);
	struct open_directory *directory = calloc(1, sizeof(*directory));
	int error = directory ? hub_list(call_hub_of(req), ino, &directory->listing) : -ENOMEM;
	if (error) {
		free(directory);
		fuse_reply_err(req, -error);
		return;
	}
	DL_APPEND(context->directories, directory);
	info->fh = (uint64_t)(uintptr_t)directory;
	if (fuse_reply_open(req, info) == -ENOENT) {
		close_directory(context, directory);
	}
}

/* Reads begin. rewinddir(3): from now on they see the directory as it is now. */
static int begin_directory(struct hub *hub, fuse_ino_t ino, struct open_directory *directory)
{
	if (directory->is_begun) {
		struct listing *listing;
		int error = hub_list(hub, ino, &listing);
		if (error) {
			return error;
		}
		listing_destroy(directory->listing);
		directory->listing = listing;
	}
	directory->is_begun = true;
	return 0;
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		 struct fuse_file_info *info)
{
	struct open_directory *directory = directory_of(info);
	size_t used = 0;
	char *buffer = malloc(size);
	int error = buffer ? 0 : -ENOMEM;
	if (!error && offset == 0) {
		error = begin_directory(call_hub_of(req), ino, directory);
	}
	if (error) {
		free(buffer);
		fuse_reply_err(req, -error);
		return;
	}
	const struct listing *listing = directory->listing;
	for (size_t i = (size_t)offset; i < listing->length; i++) {
		const struct listing_entry *entry = &listing->entries[i];
		struct stat attributes = {.st_ino = entry->ino, .st_mode = entry->mode};
		size_t length = fuse_add_direntry(req, buffer + used, size - used, entry->name,
						  &attributes, (off_t)i + 1);
		if (length > size - used) {
			break;
		}
		used += length;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	close_directory(fuse_req_userdata(req), directory_of(info));
	fuse_reply_err(req, 0);
}

void ops_close_directories(struct call_context *context)
{
	while (context->directories) {
		close_directory(context, context->directories);
	}
}
