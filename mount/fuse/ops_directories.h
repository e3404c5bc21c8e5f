/* SPDX-License-Identifier: MIT */
/*
 * ops_directories - libfuse's operations on open directories.
 *
 * Threads: as ops.h has it.
 */
#ifndef MOUNT_FUSE_OPS_DIRECTORIES_H
#define MOUNT_FUSE_OPS_DIRECTORIES_H

#include <fuse_lowlevel.h>

struct call_context;

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		 struct fuse_file_info *info);
void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

/* The mount is gone: the kernel does not release what processes still have open. */
void ops_close_directories(struct call_context *context);

#endif
