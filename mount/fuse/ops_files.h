/* SPDX-License-Identifier: MIT */
/*
 * ops_files - libfuse's operations on open files. Those that may wait are answered when the hub
 * delivers them.
 *
 * Threads: as ops.h has it.
 */
#ifndef MOUNT_FUSE_OPS_FILES_H
#define MOUNT_FUSE_OPS_FILES_H

#include <fuse_lowlevel.h>

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	      struct fuse_file_info *info);
void ops_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
	       struct fuse_file_info *info);
void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);
void ops_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *info);
void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info,
	      struct fuse_pollhandle *handle);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info);

#endif
